/* Inside the gdb server: gdbstub.c speaks the protocol, gdb_packets.c answers packets, gdb_run.c
 * lets the machine run and reports why it stopped. */
#ifndef CORE_DEBUG_GDB_SERVER_H
#define CORE_DEBUG_GDB_SERVER_H

#include "core/accel/debug.h"
#include "core/debug/debug.h"
#include "core/debug/gdb_target.h"

#define GDB_PACKET 0x4000 /* bytes of the longest packet, as qSupported tells */
#define GDB_POINTS 64

/* Bits of Qqemu.sstep. */
enum { SSTEP_ENABLE = 1, SSTEP_NO_IRQ = 2, SSTEP_NO_TIMER = 4 };

struct gdb {
    struct monitor monitor; /* first: what `monitor` commands run under */
    struct chardev *chardev;
    struct stops *stops;
    struct stops_listener stop_listener;
    struct machine_listener machine_listener;

    /* the packet being received */
    enum { RX_IDLE, RX_BODY, RX_ESCAPE, RX_SUM_HIGH, RX_SUM_LOW } rx;
    uint8_t packet[GDB_PACKET + 1];
    size_t len;
    bool too_long;
    uint8_t sum, sum_high;
    struct text last; /* the packet sent last, for a request to send it again */

    /* what the client is and wants */
    bool connected, no_ack, multiprocess, exec_events, swbreak, hwbreak;
    bool waits;            /* for a stop reply */
    unsigned cpu_g, cpu_c; /* threads of H: vCPU numbers */
    bool physical;
    unsigned sstep;
    enum gdb_arch arch; /* of the description that the client has */
    struct text xml;
    struct text held; /* the stop that follows when the client goes on after an exec */
    struct {
        struct stop_point point;
        uint8_t type;
    } points[GDB_POINTS];
    unsigned n_points;
    struct text reply;
};

/* What is left of a packet. */
struct gdb_in {
    const char *p, *end;
};

/* ---- gdbstub.c ---- */

/* Sends one packet. */
void gdb_send(struct gdb *g, const char *data, size_t len);
/* Text for the user, as `O` packets. */
void gdb_console(struct gdb *g, const char *text, size_t len);
void gdb_put_hex(struct text *out, const void *bytes, size_t len);

/* ---- gdb_packets.c ---- */

/* Carries out g->packet; the answer, if there is one now, is in g->reply and *answer is true. */
void gdb_handle(struct gdb *g, bool *answer);
bool gdb_take(struct gdb_in *in, const char *word);
/* 1 to 16 digits. */
bool gdb_take_hex(struct gdb_in *in, uint64_t *out);
void gdb_put_thread(struct gdb *g, struct text *out, unsigned cpu);
/* A thread: a vCPU number, or GDB_ANY, GDB_ALL. False: no thread at all, or there is none such. */
enum { GDB_ANY = -1, GDB_ALL = -2 };
bool gdb_take_thread(struct gdb *g, struct gdb_in *in, int *out);
void gdb_drop_points(struct gdb *g);

/* ---- gdb_run.c ---- */

/* vCont, c, s. True: the machine runs, and the answer comes when it stops. */
bool gdb_vcont(struct gdb *g, struct gdb_in *in);
bool gdb_resume_at(struct gdb *g, struct gdb_in *in, bool step);
/* What `?` answers. */
void gdb_stop_reply(struct gdb *g, unsigned cpu, unsigned signal, const struct debug_hit *hit);
void gdb_run_init(struct gdb *g);
void gdb_run_fini(struct gdb *g);
/* Lets the machine run freely. */
void gdb_release(struct gdb *g);

#endif
