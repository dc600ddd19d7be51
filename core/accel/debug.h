/*
 * Where a debugger wants the vCPUs to stop, and what one stopped for.
 *
 * Order of calls: stops_get once; then, with the vCPUs out of run, stops_add, stops_remove,
 * vcpu_set_step, vcpu_set_stop_count and stops_want. An accelerator that has `debug_changed` is
 * told of each change and leaves run with EXIT_DEBUG, cpu->hit filled in. All vCPUs then stop as
 * for a user's stop, and every listener is told on the main loop. Everything here is [locked].
 */
#ifndef CORE_ACCEL_DEBUG_H
#define CORE_ACCEL_DEBUG_H

#include "core/accel/vcpu.h"

#define STOPS_POINTS 256

/* What an access to a point's bytes must be, to stop. */
enum { POINT_CODE = 1, POINT_WRITE = 2, POINT_READ = 4 };

struct stop_point {
    uint64_t addr, len;          /* code: len is 1 */
    uint8_t on;                  /* POINT_* */
    bool physical;               /* else linear */
    unsigned users;              /* how often it was added */
};

/* What front ends can ask to hear of: bits of stops->wanted. */
enum stop_event_kind {
    EVENT_PORT = 1,              /* an access: addr, size, write, val */
    EVENT_MMIO = 2,
    EVENT_INT = 4,               /* delivered: addr is the vector; write: by INT n; error in val */
    EVENT_EXCEPTION = 8,
    EVENT_INTR = 16,             /* acknowledged: addr is the vector */
    EVENT_MSR = 32,              /* addr, write, val */
    EVENT_MODE = 64,             /* the mode in val: enum cpu_mode */
};

enum cpu_mode { CPU_REAL, CPU_PROTECTED, CPU_V86, CPU_LONG, CPU_SMM, CPU_MODES };

struct stop_event {
    enum stop_event_kind kind;
    uint64_t addr, val;
    unsigned size;
    bool write;
    struct x86_place at;         /* where the code was, if it is elsewhere now */
};

struct stops_listener {
    /* All vCPUs are out of run; @cpu->hit says why. */
    void (*stopped)(void *opaque, struct vcpu *cpu);
    void *opaque;
    struct stops_listener *next;
};

/* RAM under a point that watches for writes, for what devices store there. */
struct stop_span {
    uint64_t ram, len;           /* of the arena */
    uint64_t addr;               /* the point's */
    uint8_t on;
    bool physical;
};

struct stops {
    struct machine *machine;
    struct stop_point points[STOPS_POINTS];
    unsigned n;
    unsigned version;            /* counts changes of code points */
    uint8_t on;                  /* POINT_* of all points */
    struct stop_span watched[STOPS_POINTS]; /* debug_dma.c's */
    unsigned n_watched;
    bool listens;                /* to stores */
    struct vcpu *stopping;       /* it stopped, and the main loop has not heard of it yet */
    struct stops_listener *listeners;
    unsigned wanted;             /* EVENT_* */
    /* On the vCPU's thread, after the access or delivery. True: stop; @hit's text says why. */
    bool (*event)(void *opaque, struct vcpu *cpu, const struct stop_event *e,
                  struct debug_hit *hit);
    void *event_opaque;
    /* Likewise before a code point that @users have added: false goes on; NULL stops always. */
    bool (*code_wanted)(void *opaque, struct vcpu *cpu, uint64_t lin, unsigned users);
    void *code_opaque;
};

/* The machine's stops, made when first asked for. NULL: its accelerator cannot be debugged. */
struct stops *stops_get(struct machine *m);

void stops_listen(struct stops *s, struct stops_listener *l);
void stops_unlisten(struct stops *s, struct stops_listener *l);

/* False: there is no room for more, a length or address that cannot be, or a point that the
 * accelerator does not have. Added twice it must be
 * removed twice. [vCPUs out of run] */
bool stops_add(struct stops *s, const struct stop_point *p);
bool stops_remove(struct stops *s, const struct stop_point *p);

/* Who decides about events, and about which (0: none). [vCPUs out of run] */
void stops_want(struct stops *s, unsigned kinds,
                bool (*event)(void *opaque, struct vcpu *cpu, const struct stop_event *e,
                              struct debug_hit *hit),
                void *opaque);

/* The next run is one instruction. [vCPUs out of run] */
void vcpu_set_step(struct vcpu *cpu, enum vcpu_step step);
/* Stops before instruction number @icount; UINT64_MAX: never. [vCPUs out of run] */
void vcpu_set_stop_count(struct vcpu *cpu, uint64_t icount);

/* The mode that a debugger and a person mean. */
enum cpu_mode cpu_mode_of(const struct x86_state *s);
extern const char *const cpu_mode_names[CPU_MODES];

/* --- for accelerators and vcpu.c -------------------------------------------------------------- */

/* The point that an access hits, of those that are @on some of the bits; NULL: none. [any, in
 * run] */
const struct stop_point *stops_find(const struct stops *s, unsigned on, bool physical,
                                    uint64_t addr, uint64_t len);

/* Something happened that is in stops->wanted. Leaves run after this instruction if it is to stop.
 * [vcpu; with or without the lock] */
void vcpu_debug_event(struct vcpu *cpu, const struct stop_event *e);

/* cpu->hit is filled in: brings all vCPUs to a stop. [locked] */
void vcpu_debug_stop(struct vcpu *cpu);

/* The points changed: watch what devices write (debug_dma.c). [vCPUs out of run] */
void stops_watch_dma(struct stops *s);

/* For vcpus_fini. */
void stops_free(struct stops *s);

static inline bool stops_want_event(const struct machine *m, unsigned kind)
{
    return m->stops != NULL && (m->stops->wanted & kind) != 0;
}

#endif
