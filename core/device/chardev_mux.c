/* One line for several front ends. */
#include "core/device/chardev_mux.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/event/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CTRL_A 0x01

struct mux_port {
    struct chardev c; /* what the front end has */
    struct chardev_mux *mux;
};

struct chardev_mux {
    struct chardev *base;                      /* owned */
    struct mux_port *ports[CHARDEV_MUX_PORTS]; /* NULL: ended */
    unsigned n_ports, n_live;
    unsigned focus;
    bool prefixed;            /* the last byte was Ctrl-A */
    bool stamps, line_begins; /* Ctrl-A t: a time in front of each line */
    int64_t stamps_from_ns;
    void (*quit)(void *opaque);
    void *quit_opaque;
};

static void put(struct chardev_mux *m, const char *text)
{
    chardev_write(m->base, (const uint8_t *)text, strlen(text));
}

static void print_help(struct chardev_mux *m)
{
    put(m, "\r\n"
           "Ctrl-A h  this help\r\n"
           "Ctrl-A x  end the machine\r\n"
           "Ctrl-A b  send a break\r\n"
           "Ctrl-A t  times in front of lines, on or off\r\n");
    if (m->n_ports > 1) {
        put(m, "Ctrl-A c  switch between serial line and monitor\r\n");
    }
    put(m, "Ctrl-A Ctrl-A  send Ctrl-A\r\n");
}

/* ---- input ----------------------------------------------------------------------------------- */

static struct chardev *focused(struct chardev_mux *m)
{
    return m->ports[m->focus] != NULL ? &m->ports[m->focus]->c : NULL;
}

static void next_port(struct chardev_mux *m)
{
    unsigned next = m->focus;
    do {
        next = (next + 1) % m->n_ports;
    } while (m->ports[next] == NULL && next != m->focus);
    if (next != m->focus) {
        if (focused(m) != NULL) {
            chardev_send_event(focused(m), CHARDEV_CLOSED);
        }
        m->focus = next;
        chardev_send_event(focused(m), CHARDEV_OPENED);
    }
}

/* What follows a prefix; true if the byte is for the front end. */
static bool after_prefix(struct chardev_mux *m, uint8_t byte)
{
    switch (byte) {
    case 'x':
        m->quit(m->quit_opaque);
        return false;
    case 'h':
    case '?':
        print_help(m);
        return false;
    case 'c':
        next_port(m);
        return false;
    case 'b':
        if (focused(m) != NULL) {
            chardev_send_event(focused(m), CHARDEV_BREAK);
        }
        return false;
    case 't':
        m->stamps = !m->stamps;
        m->line_begins = m->stamps;
        m->stamps_from_ns = host_now_ns();
        return false;
    default:
        return byte == CTRL_A; /* others: the prefix and the key are dropped */
    }
}

static size_t room(void *opaque)
{
    struct chardev_mux *m = opaque;
    struct chardev *c = focused(m);
    return c != NULL && c->receive != NULL && c->can_receive != NULL ? c->can_receive(c->opaque)
                                                                     : SIZE_MAX;
}

static void from_base(void *opaque, const uint8_t *buf, size_t len)
{
    struct chardev_mux *m = opaque;
    for (size_t i = 0; i < len; i++) {
        bool pass = buf[i] != CTRL_A;
        if (m->prefixed) {
            pass = after_prefix(m, buf[i]);
            m->prefixed = false;
        } else {
            m->prefixed = !pass;
        }
        if (pass && focused(m) != NULL) {
            chardev_input(focused(m), &buf[i], 1);
        }
    }
}

static void base_event(void *opaque, enum chardev_event event)
{
    struct chardev_mux *m = opaque;
    if (focused(m) != NULL) {
        chardev_send_event(focused(m), event);
    }
}

/* ---- ports ----------------------------------------------------------------------------------- */

static struct mux_port *of(struct chardev *c)
{
    return container_of(c, struct mux_port, c);
}

static void write_stamped(struct chardev_mux *m, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (m->line_begins) {
            char stamp[32];
            int64_t ms = (host_now_ns() - m->stamps_from_ns) / NS_PER_MS;
            snprintf(stamp, sizeof(stamp), "[%02d:%02d:%02d.%03d] ", (int)(ms / 3600000),
                     (int)(ms / 60000 % 60), (int)(ms / 1000 % 60), (int)(ms % 1000));
            put(m, stamp);
        }
        m->line_begins = buf[i] == '\n';
        chardev_write(m->base, &buf[i], 1);
    }
}

static void port_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    struct chardev_mux *m = of(c)->mux;
    m->base->limit = c->limit > m->base->limit ? c->limit : m->base->limit;
    if (m->stamps) {
        write_stamped(m, buf, len);
    } else {
        chardev_write(m->base, buf, len);
    }
}

static void port_flush(struct chardev *c)
{
    chardev_flush(of(c)->mux->base);
}

static size_t port_pending(struct chardev *c)
{
    return chardev_pending(of(c)->mux->base);
}

static void port_wants_input(struct chardev *c)
{
    chardev_accepts(of(c)->mux->base);
}

static void port_fini(struct chardev *c)
{
    struct mux_port *p = of(c);
    struct chardev_mux *m = p->mux;
    for (unsigned i = 0; i < m->n_ports; i++) {
        m->ports[i] = m->ports[i] == p ? NULL : m->ports[i];
    }
    free(p);
    if (--m->n_live == 0) {
        chardev_free(m->base);
        free(m);
    }
}

static const struct chardev_ops port_ops = {
    .write = port_write,
    .flush = port_flush,
    .fini = port_fini,
    .wants_input = port_wants_input,
    .pending = port_pending,
};

struct chardev_mux *chardev_mux_new(struct chardev *base, void (*quit)(void *opaque), void *opaque)
{
    struct chardev_mux *m = NEW(struct chardev_mux);
    *m = (struct chardev_mux){.base = base, .quit = quit, .quit_opaque = opaque};
    base->can_receive = room;
    base->receive = from_base;
    base->event = base_event;
    base->opaque = m;
    return m;
}

struct chardev *chardev_mux_port(struct chardev_mux *m, const char *label, struct error **err)
{
    if (m->n_ports == CHARDEV_MUX_PORTS) {
        error_set(err, "%s: has %d users already", m->base->label, CHARDEV_MUX_PORTS);
        return NULL;
    }
    struct mux_port *p = NEW(struct mux_port);
    *p = (struct mux_port){
        .c = {.ops = &port_ops, .label = label, .open = m->n_ports == 0 && m->base->open},
        .mux = m,
    };
    m->ports[m->n_ports++] = p;
    m->n_live++;
    return &p->c;
}
