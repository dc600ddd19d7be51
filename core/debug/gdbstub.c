/*
 * The protocol's frame: packets, checksums, acknowledgements, connections.
 *
 * Source: [GDB] "Remote Protocol Overview", "Packets", "Interrupts".
 */
#include "core/debug/gdbstub.h"

#include "core/base/alloc.h"
#include "core/debug/gdb_server.h"

#include <stdlib.h>
#include <string.h>

#define OUTPUT_LIMIT  (8u * 1024 * 1024)
#define OUTPUT_ENOUGH (256u * 1024)   /* with so much waiting nothing further is read */
#define CONSOLE_CHUNK 512u

/* ---- sending --------------------------------------------------------------------------------- */

static void write_last(struct gdb *g)
{
    chardev_write(g->chardev, (const uint8_t *)text_str(&g->last), g->last.len);
    chardev_flush(g->chardev);
}

void gdb_send(struct gdb *g, const char *data, size_t len)
{
    uint8_t sum = 0;
    text_cut(&g->last, 0);
    text_putc(&g->last, '$');
    for (size_t i = 0; i < len; i++) {
        char c = data[i];
        if (memchr("#$}*", c, 4) != NULL) {
            text_putc(&g->last, '}');
            sum += '}';
            c ^= 0x20;
        }
        text_putc(&g->last, c);
        sum += (uint8_t)c;
    }
    text_printf(&g->last, "#%02x", sum);
    write_last(g);
}

void gdb_put_hex(struct text *out, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        text_printf(out, "%02x", ((const uint8_t *)bytes)[i]);
    }
}

void gdb_console(struct gdb *g, const char *text, size_t len)
{
    struct text out = {0};
    while (len != 0) {
        size_t n = len < CONSOLE_CHUNK ? len : CONSOLE_CHUNK;
        text_cut(&out, 0);
        text_putc(&out, 'O');
        gdb_put_hex(&out, text, n);
        gdb_send(g, text_str(&out), out.len);
        text += n;
        len -= n;
    }
    text_free(&out);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void send_char(struct gdb *g, uint8_t c)
{
    chardev_write(g->chardev, &c, 1);
    chardev_flush(g->chardev);
}

static void packet_done(struct gdb *g)
{
    bool answer = true;
    text_cut(&g->reply, 0);
    if (g->too_long) {
        text_puts(&g->reply, "E22");
    } else {
        g->packet[g->len] = '\0';
        gdb_handle(g, &answer);
    }
    debug_thaw(g->monitor.debug);
    if (answer) {
        gdb_send(g, text_str(&g->reply), g->reply.len);
    }
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void body(struct gdb *g, uint8_t c)
{
    if (g->len == GDB_PACKET) {
        g->too_long = true;
    } else {
        g->packet[g->len++] = c;
    }
}

static void sum_done(struct gdb *g, uint8_t c)
{
    int high = hex_digit(g->sum_high), low = hex_digit(c);
    bool good = high >= 0 && low >= 0 && (high << 4 | low) == g->sum;
    g->rx = RX_IDLE;
    if (!g->no_ack) {
        send_char(g, good ? '+' : '-');
    }
    if (good) {
        packet_done(g);
    }
}

/* Between packets: acknowledgements, an interrupt, or a packet's start. */
static void idle(struct gdb *g, uint8_t c)
{
    if (c == '$') {
        g->rx = RX_BODY;
        g->len = 0;
        g->sum = 0;
        g->too_long = false;
    } else if (c == '-' && !g->no_ack && g->last.len != 0) {
        write_last(g);
    } else if (c == 0x03) {
        machine_stop(g->monitor.debug->machine);
    }
}

static void take_byte(struct gdb *g, uint8_t c)
{
    switch (g->rx) {
    case RX_IDLE:
        idle(g, c);
        break;
    case RX_BODY:
    case RX_ESCAPE:
        if (c == '#') {
            g->rx = RX_SUM_HIGH;
            break;
        }
        if (c == '$') { /* the packet before was cut off */
            idle(g, c);
            break;
        }
        g->sum += c;
        if (c == '}' && g->rx == RX_BODY) {
            g->rx = RX_ESCAPE;
        } else {
            body(g, g->rx == RX_ESCAPE ? c ^ 0x20 : c);
            g->rx = RX_BODY;
        }
        break;
    case RX_SUM_HIGH:
        g->sum_high = c;
        g->rx = RX_SUM_LOW;
        break;
    case RX_SUM_LOW:
        sum_done(g, c);
        break;
    }
}

static size_t can_receive(void *opaque)
{
    struct gdb *g = opaque;
    return chardev_pending(g->chardev) < OUTPUT_ENOUGH ? 4096 : 0;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        take_byte(opaque, buf[i]);
    }
}

/* ---- connections ----------------------------------------------------------------------------- */

static void forget_client(struct gdb *g)
{
    gdb_drop_points(g);
    g->rx = RX_IDLE;
    g->no_ack = g->multiprocess = g->exec_events = g->swbreak = g->hwbreak = false;
    g->waits = g->physical = false;
    g->cpu_g = g->cpu_c = 0;
    g->sstep = SSTEP_ENABLE | SSTEP_NO_IRQ | SSTEP_NO_TIMER;
    text_cut(&g->held, 0);
    text_cut(&g->last, 0);
}

static void event(void *opaque, enum chardev_event what)
{
    struct gdb *g = opaque;
    if (what == CHARDEV_OPENED) {
        g->connected = true;
        machine_stop(g->monitor.debug->machine);
        forget_client(g);
        g->arch = gdb_arch_of(debug_state(g->monitor.debug, 0));
        debug_thaw(g->monitor.debug);
    } else if (what == CHARDEV_CLOSED) {
        g->connected = false;
        machine_stop(g->monitor.debug->machine);
        forget_client(g);
    }
}

static void gdb_fini(struct monitor *m)
{
    struct gdb *g = (struct gdb *)m;
    gdb_run_fini(g);
    g->chardev->can_receive = NULL;
    g->chardev->receive = NULL;
    g->chardev->event = NULL;
    text_free(&g->last);
    text_free(&g->xml);
    text_free(&g->held);
    text_free(&g->reply);
    free(g);
}

bool gdbstub_new(struct debug *d, struct chardev *c, struct error **err)
{
    static const struct monitor_ops ops = {.fini = gdb_fini};
    struct stops *stops = stops_get(d->machine);
    if (stops == NULL) {
        return error_set(err, "-accel %s cannot be debugged", d->machine->accel->name);
    }
    struct gdb *g = NEW(struct gdb);
    g->monitor.ops = &ops;
    g->chardev = c;
    g->stops = stops;
    debug_add_monitor(d, &g->monitor);
    gdb_run_init(g);
    forget_client(g);
    c->limit = OUTPUT_LIMIT;
    c->can_receive = can_receive;
    c->receive = receive;
    c->event = event;
    c->opaque = g;
    if (c->open) {
        event(g, CHARDEV_OPENED);
    }
    return true;
}

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

char *gdbstub_spec(const char *device)
{
    device = device != NULL ? device : "tcp::1234";
    bool socket = begins(device, "tcp:") || begins(device, "unix:") || begins(device, "telnet:");
    bool waits = strstr(device, ",wait") != NULL || strstr(device, ",nowait") != NULL;
    return xasprintf("%s%s%s", device,
                     socket && strstr(device, ",server") == NULL ? ",server=on" : "",
                     socket && !waits ? ",wait=off" : "");
}
