/*
 * A machine: what a board builds into. Clock, loop, lock, memory, ports, devices, vCPUs, and the
 * requests that devices make of the whole (reset, power off).
 *
 * Order of calls: machine_init, accelerator and board build, machine_reset, resume_all_vcpus
 * (vcpu.h), loop_run(&m->loop), machine_fini.
 */
#ifndef CORE_DEVICE_MACHINE_H
#define CORE_DEVICE_MACHINE_H

#include "core/device/board.h"
#include "core/device/device.h"
#include "core/device/irq.h"
#include "core/event/clock.h"
#include "core/event/loop.h"
#include "core/mem/space.h"

#define MACHINE_MAX_VCPUS  64
#define MACHINE_PHYS_BITS  40
#define MACHINE_LOW_MAX    0xe0000000ull /* this much or more RAM is split at MACHINE_SPLIT */
#define MACHINE_SPLIT      0xc0000000ull

struct vcpu;
struct vcpu_group;
struct stops;
struct accel;
struct x86_model;
struct display_source;
struct keyboard_sink;
struct pointer_sink;

/* Why the machine stops or resets; names as in QMP's RESET and SHUTDOWN events. */
enum machine_cause {
    CAUSE_NONE,
    CAUSE_HOST_QUIT,         /* monitor, user interface */
    CAUSE_HOST_SIGNAL,
    CAUSE_HOST_RESET,
    CAUSE_GUEST_SHUTDOWN,    /* ACPI S5 */
    CAUSE_GUEST_RESET,       /* port 92h, CF9h, 8042 */
    CAUSE_TRIPLE_FAULT,
    CAUSE_GUEST_EXIT,        /* isa-debug-exit, coldboot-exit: with a status */
    CAUSE_GUEST_PANIC,       /* pvpanic */
    CAUSE_DEAD_HALT,         /* halted with interrupts off, nothing can wake it */
    CAUSE_EXPECT,            /* the script ended: with a status */
    CAUSE_ERROR,             /* the accelerator cannot go on */
    CAUSE_HOST_UI,           /* the display was closed, or its quit key pressed */
    CAUSE_HANG,              /* it loops with interrupts off, and stop_on_dead_halt is set */
};

/* What the machine is doing, as a user sees it; names as in QMP's query-status. */
enum run_state {
    RUN_PRELAUNCH,           /* not started yet, or reset while it was stopped */
    RUN_RUNNING,
    RUN_PAUSED,              /* by the user */
    RUN_SHUTDOWN,            /* the guest powered off, and no_shutdown keeps the machine */
    RUN_GUEST_PANICKED,      /* it panicked, and is kept for a look at it */
    RUN_DEBUG,               /* a breakpoint or the like was hit */
};

/* What happened to the machine as a whole; told on the main loop, locked, after the fact. */
enum machine_event {
    MACHINE_STOPPED, MACHINE_RESUMED, MACHINE_RESET, MACHINE_POWERDOWN, MACHINE_SHUTDOWN,
    MACHINE_PANICKED,        /* the guest says so; what follows is m->panic_action */
};

/* What a guest's panic (pvpanic) leads to. */
enum panic_action {
    PANIC_SHUTDOWN,          /* the machine ends; with no_shutdown it pauses */
    PANIC_EXIT_FAILURE,      /* the same, with status 1 */
    PANIC_PAUSE,
    PANIC_NONE,
};

struct machine_listener {
    void (*event)(void *opaque, enum machine_event event, enum machine_cause cause);
    void *opaque;
    struct machine_listener *next;
};

struct machine;

/* What machine.c asks of the vCPUs, which lie in a layer above it. vcpu.c sets it with the first
 * vCPU; NULL (a chip's test bench) is a machine without any. */
struct machine_cpu_ops {
    void (*reset)(struct machine *m);                          /* [locked, vCPUs out of run] */
    void (*save)(struct machine *m, struct state_buf *out); /* appends a section a vCPU; as reset */
    void (*fini)(struct machine *m);                           /* ends the threads [not locked] */
};

struct machine_hook;

struct machine {
    struct lock lock;
    struct loop loop;
    struct clock clock;
    struct ram_arena arena;
    struct ram_block ram_low, ram_high;  /* ram_high.bytes is 0 when all RAM is below 4 GiB */
    struct region ram_low_map, ram_high_map; /* the same as regions, for machine_map_ram and PAM */
    struct space mem;                    /* physical memory as outside of SMM */
    struct space smm;                    /* physical memory as a vCPU in SMM sees it */
    struct space ports;
    struct region smm_alias;             /* all of mem, beneath what the board maps in smm */
    struct device *devices, **devices_tail;
    struct vcpu *vcpus[MACHINE_MAX_VCPUS];
    unsigned n_vcpus;
    const struct machine_cpu_ops *cpu_ops;
    struct vcpu_group *vcpu_group;       /* vcpu.c's own */
    /* Set by who tells of deaths: the vCPU, outside run, died of @cause. [locked, on its thread] */
    void (*died)(void *opaque, struct vcpu *cpu, enum machine_cause cause);
    void *died_opaque;
    struct stops *stops; /* a debugger's (core/accel/debug.h); NULL: nobody debugs */
    const struct x86_model *cpu_model;   /* what every vCPU is; set before the first vcpu_new */
    unsigned cores, threads;             /* vCPUs' cores of a socket, threads of a core; 0 is 1 */
    const struct accel *accel;
    void *accel_data;
    const struct accel *next_accel;      /* goes on where accel cannot; NULL: nobody */
    bool jit_check, jit_perf; /* -accel jit,check=on,perf=on; before the first vcpu_new */
    bool commit_pending;                 /* some space has changes to commit */

    /* What front ends use; NULL when the machine has none. Borrowed from the devices. */
    const struct display_source *display;
    const struct keyboard_sink *keyboard;
    const struct pointer_sink *pointer;
    /* The other way round: a front end sets it to hear the PC speaker. 0 Hz is silence. [locked] */
    void (*speaker_tone)(void *opaque, unsigned hz);
    void *speaker_opaque;

    /* Requests, made by devices and front ends, carried out with all vCPUs outside run. */
    enum machine_cause reset_request, stop_request;
    int stop_status;                     /* process exit status that goes with stop_request */
    bool no_reboot;                      /* a reset request becomes a stop */
    bool no_shutdown;                    /* a guest's stop request pauses instead */
    enum panic_action panic_action;
    bool stop_on_triple_fault;           /* as if no_reboot were set, for this cause */
    bool stop_on_dead_halt;              /* CAUSE_DEAD_HALT is requested; else it halts for ever */
    bool stop_on_halt;                   /* the same for any halt: nothing here could end one */
    uint64_t access_limit;               /* a vCPU's device accesses before it stops; 0: no limit */
    void (*requested)(struct machine *m);/* set by vcpu.c: gets vCPUs out of run */
    enum run_state run_state;            /* kept by vcpu.c */
    struct machine_listener *listeners;
    struct board board;                  /* what front ends may ask of the board */
    struct machine_hook *hooks;          /* what machine_fini undoes, last added first */
};

/* Order of calls: machine_init, machine_ram_init, machine_map_ram, then devices and vCPUs, then
 * machine_reset. */

/* Clock (stopped, at 0), loop, lock and empty spaces, without RAM. */
bool machine_init(struct machine *m, enum clock_driver driver, int64_t wall_start_ns,
                  struct error **err);
void machine_fini(struct machine *m);

/* Reserves the arena and creates ram_low and ram_high as the split rule says. @ram_bytes: 1 MiB to
 * 64 GiB, a multiple of 4 KiB. @low_max: most RAM below 4 GiB (MACHINE_LOW_MAX unless
 * max-ram-below-4g says less). */
bool machine_ram_init(struct machine *m, uint64_t ram_bytes, uint64_t low_max, struct error **err);

/* Maps ram_low at 0 and ram_high at 4 GiB of m->mem with priority 0: boards map over it. */
void machine_map_ram(struct machine *m);

/* Zeroed memory that machine_fini frees, for board structs. */
void *machine_alloc(struct machine *m, size_t bytes);
/* Runs @fn(@opaque) in machine_fini, last added first. */
void machine_on_fini(struct machine *m, void (*fn)(void *opaque), void *opaque);

/* Registers a device; @id is borrowed and unique. */
void machine_add(struct machine *m, const struct device_type *type, const char *id, void *dev);

/* Makes region changes of mem, smm and ports visible. [locked; vCPUs out of run, or the caller's
 * own] */
void machine_commit(struct machine *m);

/* Every device, then every vCPU, to its power-on state; then a commit. [locked, vCPUs out of
 * run] */
void machine_reset(struct machine *m);

/* The first request wins until it has been carried out: whoever does that sets the field back to
 * CAUSE_NONE. The running instruction finishes; no further one starts before. [locked] */
void machine_request_reset(struct machine *m, enum machine_cause cause);
void machine_request_stop(struct machine *m, enum machine_cause cause, int status);

/* Adds a listener; it stays the caller's, until machine_unlisten. [locked] */
void machine_listen(struct machine *m, struct machine_listener *l);
void machine_unlisten(struct machine *m, struct machine_listener *l);
void machine_tell(struct machine *m, enum machine_event event, enum machine_cause cause);

/* See board.h. [locked] */
void machine_add_info(struct machine *m, struct info_provider *p);
void machine_add_slot(struct machine *m, struct media_slot *s);

/* The guest says that it has panicked. [locked] */
void machine_guest_panicked(struct machine *m);

/* All device and vCPU state, one section a device; RAM is not in it. [locked, vCPUs out of run] */
void machine_save_devices(struct machine *m, struct state_buf *out);

/* A hash over device and vCPU state and all of the arena's blocks. [locked, vCPUs out of run] */
uint64_t machine_digest(struct machine *m);

#endif
