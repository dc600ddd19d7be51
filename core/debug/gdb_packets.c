/*
 * gdb's server: what the packets ask for. What is not known gets an empty answer, what makes no
 * sense an error; no packet is trusted.
 *
 * Source: [GDB] "Packets", "General Query Packets"; qqemu and Qqemu are QEMU's additions.
 */
#include "core/debug/gdb_server.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/debug/command.h"
#include "core/debug/walk.h"

#include <stdlib.h>
#include <string.h>

#define E_INVALID "E22"
#define E_MEMORY  "E14"

static struct machine *machine_of(const struct gdb *g)
{
    return g->monitor.debug->machine;
}

static void put(struct gdb *g, const char *s)
{
    text_puts(&g->reply, s);
}

/* ---- reading a packet ------------------------------------------------------------------------ */

bool gdb_take(struct gdb_in *in, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(in->end - in->p) < n || memcmp(in->p, word, n) != 0) {
        return false;
    }
    in->p += n;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool gdb_take_hex(struct gdb_in *in, uint64_t *out)
{
    uint64_t val = 0;
    unsigned n = 0;
    while (in->p < in->end && hex_digit(*in->p) >= 0) {
        if (n++ == 16) {
            return false;
        }
        val = val << 4 | (uint64_t)hex_digit(*in->p++);
    }
    *out = val;
    return n != 0;
}

/* Exactly @len bytes as digits. */
static bool take_bytes(struct gdb_in *in, uint8_t *out, size_t len)
{
    if ((size_t)(in->end - in->p) < len * 2) {
        return false;
    }
    for (size_t i = 0; i < len; i++, in->p += 2) {
        int high = hex_digit(in->p[0]), low = hex_digit(in->p[1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool take_id(struct gdb_in *in, int64_t *out)
{
    uint64_t val;
    if (gdb_take(in, "-1")) {
        *out = GDB_ALL;
        return true;
    }
    if (!gdb_take_hex(in, &val) || val > INT32_MAX) {
        return false;
    }
    *out = val == 0 ? GDB_ANY : (int64_t)val;
    return true;
}

/* pPID.TID, pPID or TID; -1 is all, 0 any. There is one process, number 1. */
bool gdb_take_thread(struct gdb *g, struct gdb_in *in, int *out)
{
    int64_t id = GDB_ALL;
    if (gdb_take(in, "p")) {
        if (!take_id(in, &id) || id > 1) {
            return false;
        }
        id = GDB_ALL;
        if (gdb_take(in, ".") && !take_id(in, &id)) {
            return false;
        }
    } else if (!take_id(in, &id)) {
        return false;
    }
    if (id > (int64_t)machine_of(g)->n_vcpus) {
        return false;
    }
    *out = id > 0 ? (int)id - 1 : (int)id;
    return true;
}

void gdb_put_thread(struct gdb *g, struct text *out, unsigned cpu)
{
    text_printf(out, g->multiprocess ? "p01.%02x" : "%02x", cpu + 1);
}

/* ---- registers ------------------------------------------------------------------------------- */

static const struct x86_state *state_of(struct gdb *g)
{
    return debug_state(g->monitor.debug, g->cpu_g);
}

static void put_reg(struct gdb *g, unsigned n)
{
    uint8_t bytes[GDB_REG_BYTES];
    gdb_put_hex(&g->reply, bytes, gdb_reg_read(g->arch, state_of(g), n, bytes));
}

static void read_regs(struct gdb *g, struct gdb_in *in)
{
    for (unsigned n = 0; n < gdb_reg_count(g->arch); n++) {
        put_reg(g, n);
    }
}

static void read_reg(struct gdb *g, struct gdb_in *in)
{
    uint64_t n;
    if (!gdb_take_hex(in, &n) || n >= gdb_reg_count(g->arch)) {
        put(g, E_INVALID);
    } else {
        put_reg(g, (unsigned)n);
    }
}

static void store_state(struct gdb *g, const struct x86_state *s)
{
    struct machine *m = machine_of(g);
    m->accel->set_state(m->vcpus[g->cpu_g], s);
    put(g, "OK");
}

static void write_regs(struct gdb *g, struct gdb_in *in)
{
    struct x86_state s = *state_of(g);
    uint8_t bytes[GDB_REG_BYTES];
    for (unsigned n = 0; n < gdb_reg_count(g->arch) && in->p < in->end; n++) {
        if (!take_bytes(in, bytes, gdb_reg_bytes(g->arch, n))) {
            put(g, E_INVALID);
            return;
        }
        gdb_reg_write(g->arch, &s, n, bytes); /* what cannot be written stays */
    }
    store_state(g, &s);
}

static void write_reg(struct gdb *g, struct gdb_in *in)
{
    struct x86_state s = *state_of(g);
    uint8_t bytes[GDB_REG_BYTES];
    uint64_t n;
    if (!gdb_take_hex(in, &n) || n >= gdb_reg_count(g->arch) || !gdb_take(in, "=") ||
        !take_bytes(in, bytes, gdb_reg_bytes(g->arch, (unsigned)n)) ||
        !gdb_reg_write(g->arch, &s, (unsigned)n, bytes)) {
        put(g, E_INVALID);
        return;
    }
    store_state(g, &s);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* The part of [addr, addr+len) that one page holds; false: nothing is mapped. */
static bool translate(struct gdb *g, uint64_t addr, size_t len, uint64_t *phys, size_t *n)
{
    const struct x86_state *s = state_of(g);
    uint64_t room = 4096 - (addr & 4095);
    *n = len < room ? len : (size_t)room;
    *phys = addr;
    return g->physical || walk_translate(s, debug_memory(g->monitor.debug, g->cpu_g), addr, phys);
}

static bool access_memory(struct gdb *g, uint64_t addr, uint8_t *buf, size_t len, bool write,
                          size_t *done)
{
    uint64_t phys;
    size_t n;
    for (*done = 0; *done < len; *done += n) {
        if (!translate(g, addr + *done, len - *done, &phys, &n)) {
            return false;
        }
        struct space *mem = debug_memory(g->monitor.debug, g->cpu_g);
        if (write) {
            space_write_bytes(mem, phys, buf + *done, n);
        } else {
            space_peek_bytes(mem, phys, buf + *done, n);
        }
    }
    return true;
}

static bool take_range(struct gdb_in *in, uint64_t *addr, uint64_t *len)
{
    return gdb_take_hex(in, addr) && gdb_take(in, ",") && gdb_take_hex(in, len);
}

static void read_memory(struct gdb *g, struct gdb_in *in)
{
    uint8_t buf[GDB_PACKET / 2];
    uint64_t addr, len;
    size_t done;
    if (!take_range(in, &addr, &len) || in->p != in->end) {
        put(g, E_INVALID);
        return;
    }
    len = len < sizeof(buf) - 8 ? len : sizeof(buf) - 8;
    access_memory(g, addr, buf, (size_t)len, false, &done);
    if (done == 0 && len != 0) {
        put(g, E_MEMORY);
    } else {
        gdb_put_hex(&g->reply, buf, done);
    }
}

static void write_memory(struct gdb *g, struct gdb_in *in, bool binary)
{
    uint8_t buf[GDB_PACKET];
    uint64_t addr, len;
    size_t done;
    bool good = take_range(in, &addr, &len) && gdb_take(in, ":") && len <= sizeof(buf);
    if (good && binary) {
        good = (size_t)(in->end - in->p) == len;
        memcpy(buf, in->p, good ? (size_t)len : 0);
    } else if (good) {
        good = take_bytes(in, buf, (size_t)len) && in->p == in->end;
    }
    if (!good) {
        put(g, E_INVALID);
    } else {
        put(g, access_memory(g, addr, buf, (size_t)len, true, &done) ? "OK" : E_MEMORY);
    }
}

static void write_hex(struct gdb *g, struct gdb_in *in)
{
    write_memory(g, in, false);
}

static void write_binary(struct gdb *g, struct gdb_in *in)
{
    write_memory(g, in, true);
}

/* ---- breakpoints, watchpoints ---------------------------------------------------------------- */

/* The point of `Z` or `z` TYPE,ADDR,KIND. */
static bool take_point(struct gdb *g, struct gdb_in *in, struct stop_point *p, uint8_t *type)
{
    static const uint8_t on[] = {POINT_CODE, POINT_CODE, POINT_WRITE, POINT_READ,
                                 POINT_READ | POINT_WRITE};
    uint64_t kind;
    if (in->p == in->end || *in->p < '0' || *in->p > '4') {
        return false;
    }
    *type = (uint8_t)(*in->p++ - '0');
    if (!gdb_take(in, ",") || !take_range(in, &p->addr, &kind)) {
        return false;
    }
    p->on = on[*type];
    p->len = p->on & POINT_CODE ? 1 : kind;
    p->physical = g->physical && !(p->on & POINT_CODE);
    return p->len != 0 && p->len <= 4096;
}

static int find_point(const struct gdb *g, const struct stop_point *p, uint8_t type)
{
    for (unsigned i = 0; i < g->n_points; i++) {
        const struct stop_point *q = &g->points[i].point;
        if (g->points[i].type == type && q->addr == p->addr && q->len == p->len &&
            q->physical == p->physical) {
            return (int)i;
        }
    }
    return -1;
}

/* Inserting twice is inserting once: gdb does so after an exec. */
static void insert_point(struct gdb *g, struct gdb_in *in)
{
    struct stop_point p = {0};
    uint8_t type;
    if (!take_point(g, in, &p, &type)) {
        put(g, E_INVALID);
        return;
    }
    debug_freeze(g->monitor.debug);
    if (find_point(g, &p, type) < 0) {
        if (g->n_points == GDB_POINTS || !stops_add(g->stops, &p)) {
            put(g, E_INVALID);
            return;
        }
        g->points[g->n_points].point = p;
        g->points[g->n_points++].type = type;
    }
    put(g, "OK");
}

static void remove_point(struct gdb *g, struct gdb_in *in)
{
    struct stop_point p = {0};
    uint8_t type;
    if (!take_point(g, in, &p, &type)) {
        put(g, E_INVALID);
        return;
    }
    debug_freeze(g->monitor.debug);
    int i = find_point(g, &p, type);
    if (i >= 0) {
        stops_remove(g->stops, &p);
        g->points[i] = g->points[--g->n_points];
    }
    put(g, "OK");
}

void gdb_drop_points(struct gdb *g)
{
    debug_freeze(g->monitor.debug);
    while (g->n_points != 0) {
        stops_remove(g->stops, &g->points[--g->n_points].point);
    }
    debug_thaw(g->monitor.debug);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void choose_thread(struct gdb *g, struct gdb_in *in)
{
    bool for_run = gdb_take(in, "c");
    int thread;
    if ((!for_run && !gdb_take(in, "g")) || !gdb_take_thread(g, in, &thread)) {
        put(g, E_INVALID);
        return;
    }
    unsigned *chosen = for_run ? &g->cpu_c : &g->cpu_g;
    *chosen = thread >= 0 ? (unsigned)thread : *chosen;
    put(g, "OK");
}

static void thread_alive(struct gdb *g, struct gdb_in *in)
{
    int thread;
    put(g, gdb_take_thread(g, in, &thread) ? "OK" : E_INVALID);
}

static void current_thread(struct gdb *g, struct gdb_in *in)
{
    put(g, "QC");
    gdb_put_thread(g, &g->reply, g->cpu_g);
}

static void first_threads(struct gdb *g, struct gdb_in *in)
{
    for (unsigned i = 0; i < machine_of(g)->n_vcpus; i++) {
        text_putc(&g->reply, i == 0 ? 'm' : ',');
        gdb_put_thread(g, &g->reply, i);
    }
}

static void next_threads(struct gdb *g, struct gdb_in *in)
{
    put(g, "l");
}

static void thread_extra(struct gdb *g, struct gdb_in *in)
{
    int thread;
    if (!gdb_take(in, ",") || !gdb_take_thread(g, in, &thread) || thread < 0) {
        put(g, E_INVALID);
        return;
    }
    const struct x86_state *s = debug_state(g->monitor.debug, (unsigned)thread);
    char *text =
        xasprintf("CPU#%d [%s, %s]", thread, s->activity == ACT_RUNNING ? "running" : "halted",
                  cpu_mode_names[cpu_mode_of(s)]);
    gdb_put_hex(&g->reply, text, strlen(text));
    free(text);
}

static void attached(struct gdb *g, struct gdb_in *in)
{
    put(g, "1");
}

/* ---- what the two can do --------------------------------------------------------------------- */

static void supported(struct gdb *g, struct gdb_in *in)
{
    g->multiprocess = g->exec_events = g->swbreak = g->hwbreak = false;
    gdb_take(in, ":");
    while (in->p < in->end) {
        const char *end = memchr(in->p, ';', (size_t)(in->end - in->p));
        size_t n = (size_t)((end != NULL ? end : in->end) - in->p);
        const struct {
            const char *name;
            bool *on;
        } features[] = {
            {"multiprocess+", &g->multiprocess},
            {"exec-events+", &g->exec_events},
            {"swbreak+", &g->swbreak},
            {"hwbreak+", &g->hwbreak},
        };
        for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
            if (strlen(features[i].name) == n && memcmp(features[i].name, in->p, n) == 0) {
                *features[i].on = true;
            }
        }
        in->p += end != NULL ? n + 1 : n;
    }
    text_printf(&g->reply,
                "PacketSize=%x;qXfer:features:read+;vContSupported+;multiprocess+;"
                "QStartNoAckMode+;exec-events+;swbreak+;hwbreak+",
                GDB_PACKET);
}

static void no_ack(struct gdb *g, struct gdb_in *in)
{
    g->no_ack = true;
    put(g, "OK");
}

static void read_target(struct gdb *g, struct gdb_in *in)
{
    uint64_t at, len;
    if (!take_range(in, &at, &len)) {
        put(g, E_INVALID);
        return;
    }
    if (at == 0) {
        text_cut(&g->xml, 0);
        gdb_target_xml(g->arch, &g->xml);
    }
    if (at > g->xml.len) {
        put(g, E_INVALID);
        return;
    }
    uint64_t left = g->xml.len - at, most = GDB_PACKET / 2;
    uint64_t n = len < left ? len : left;
    n = n < most ? n : most;
    text_putc(&g->reply, n < left ? 'm' : 'l');
    text_add(&g->reply, text_str(&g->xml) + at, (size_t)n);
}

static void vcont_actions(struct gdb *g, struct gdb_in *in)
{
    put(g, "vCont;c;C;s;S");
}

static void step_bits(struct gdb *g, struct gdb_in *in)
{
    put(g, "ENABLE=1,NOIRQ=2,NOTIMER=4");
}

static void get_step(struct gdb *g, struct gdb_in *in)
{
    text_printf(&g->reply, "0x%x", g->sstep);
}

static void set_step(struct gdb *g, struct gdb_in *in)
{
    uint64_t val;
    gdb_take(in, "0x");
    if (!gdb_take_hex(in, &val) || val > (SSTEP_ENABLE | SSTEP_NO_IRQ | SSTEP_NO_TIMER)) {
        put(g, E_INVALID);
        return;
    }
    g->sstep = (unsigned)val;
    put(g, "OK");
}

static void get_physical(struct gdb *g, struct gdb_in *in)
{
    put(g, g->physical ? "1" : "0");
}

static void set_physical(struct gdb *g, struct gdb_in *in)
{
    uint64_t val;
    if (!gdb_take_hex(in, &val)) {
        put(g, E_INVALID);
        return;
    }
    g->physical = val != 0;
    put(g, "OK");
}

/* ---- the machine as a whole ------------------------------------------------------------------ */

static void why_stopped(struct gdb *g, struct gdb_in *in)
{
    machine_stop(machine_of(g));
    gdb_stop_reply(g, g->cpu_g, 5, &(struct debug_hit){.kind = HIT_NONE});
}

static void monitor_command(struct gdb *g, struct gdb_in *in)
{
    size_t len = (size_t)(in->end - in->p) / 2;
    char *line = xcalloc(len + 1, 1);
    struct text out = {0};
    if (!take_bytes(in, (uint8_t *)line, len) || in->p != in->end) {
        put(g, E_INVALID);
    } else {
        g->monitor.cpu = g->cpu_g;
        command_line(&g->monitor, line, &out);
        gdb_console(g, text_str(&out), out.len);
        put(g, "OK");
    }
    text_free(&out);
    free(line);
}

static void detach(struct gdb *g, struct gdb_in *in)
{
    gdb_release(g);
    put(g, "OK");
}

static void kill_machine(struct gdb *g, struct gdb_in *in)
{
    machine_request_stop(machine_of(g), CAUSE_HOST_QUIT, 0);
    put(g, "OK");
}

static void no_history(struct gdb *g, struct gdb_in *in)
{
    put(g, E_INVALID);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct packet {
    const char *name; /* what it begins with, or all of it */
    void (*handle)(struct gdb *g, struct gdb_in *in);
    bool exact;
} packets[] = {
    {"?", why_stopped, true},
    {"g", read_regs, true},
    {"G", write_regs, false},
    {"p", read_reg, false},
    {"P", write_reg, false},
    {"m", read_memory, false},
    {"M", write_hex, false},
    {"X", write_binary, false},
    {"Z", insert_point, false},
    {"z", remove_point, false},
    {"H", choose_thread, false},
    {"T", thread_alive, false},
    {"D", detach, false},
    {"k", kill_machine, true},
    {"vKill", kill_machine, false},
    {"vCont?", vcont_actions, true},
    {"bs", no_history, true},
    {"bc", no_history, true},
    {"qSupported", supported, false},
    {"qXfer:features:read:target.xml:", read_target, false},
    {"QStartNoAckMode", no_ack, true},
    {"qC", current_thread, true},
    {"qfThreadInfo", first_threads, true},
    {"qsThreadInfo", next_threads, true},
    {"qThreadExtraInfo", thread_extra, false},
    {"qAttached", attached, false},
    {"qRcmd,", monitor_command, false},
    {"qqemu.sstepbits", step_bits, true},
    {"qqemu.sstep", get_step, true},
    {"Qqemu.sstep=", set_step, false},
    {"qqemu.PhyMemMode", get_physical, true},
    {"Qqemu.PhyMemMode:", set_physical, false},
};

void gdb_handle(struct gdb *g, bool *answer)
{
    struct gdb_in all = {(const char *)g->packet, (const char *)g->packet + g->len}, in = all;
    if (gdb_take(&in, "vCont;")) {
        *answer = !gdb_vcont(g, &in);
        return;
    }
    if (gdb_take(&in, "c") || gdb_take(&in, "s")) {
        *answer = !gdb_resume_at(g, &in, g->packet[0] == 's');
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(packets); i++) {
        in = all;
        if (gdb_take(&in, packets[i].name) && (!packets[i].exact || in.p == in.end)) {
            packets[i].handle(g, &in);
            return;
        }
    }
}
