#include "core/main/escape_keys.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <stdlib.h>
#include <string.h>

#define CTRL_A 0x01

struct escape_keys {
    struct chardev c;                 /* what the guest's port sees */
    struct chardev *base;             /* owned */
    bool prefixed;                    /* the last byte was a prefix */
    void (*quit)(void *opaque);
    void *quit_opaque;
};

static const char help[] = "\r\nCtrl-A h  this help\r\n"
                           "Ctrl-A x  end the machine\r\n"
                           "Ctrl-A Ctrl-A  send Ctrl-A\r\n";

/* What follows a prefix; true if the byte is for the guest. */
static bool after_prefix(struct escape_keys *k, uint8_t byte)
{
    switch (byte) {
    case 'x':
        k->quit(k->quit_opaque);
        return false;
    case 'h':
    case '?':
        chardev_write(k->base, (const uint8_t *)help, sizeof(help) - 1);
        return false;
    default:
        return byte == CTRL_A; /* others: the prefix and the key are dropped */
    }
}

static size_t room(void *opaque)
{
    struct escape_keys *k = opaque;
    return k->c.receive != NULL && k->c.can_receive != NULL ? k->c.can_receive(k->c.opaque)
                                                            : SIZE_MAX;
}

static void from_terminal(void *opaque, const uint8_t *buf, size_t len)
{
    struct escape_keys *k = opaque;
    for (size_t i = 0; i < len; i++) {
        bool pass = buf[i] != CTRL_A;
        if (k->prefixed) {
            pass = after_prefix(k, buf[i]);
            k->prefixed = false;
        } else {
            k->prefixed = !pass;
        }
        if (pass) {
            chardev_input(&k->c, &buf[i], 1);
        }
    }
}

static struct escape_keys *of(struct chardev *c)
{
    return container_of(c, struct escape_keys, c);
}

static void keys_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    chardev_write(of(c)->base, buf, len);
}

static void keys_flush(struct chardev *c)
{
    chardev_flush(of(c)->base);
}

static void keys_wants_input(struct chardev *c)
{
    chardev_accepts(of(c)->base);
}

static void keys_fini(struct chardev *c)
{
    struct escape_keys *k = of(c);
    chardev_free(k->base);
    free(k);
}

static const struct chardev_ops keys_ops = {
    .write = keys_write,
    .flush = keys_flush,
    .fini = keys_fini,
    .wants_input = keys_wants_input,
};

struct chardev *escape_keys_new(struct chardev *base, void (*quit)(void *opaque), void *opaque)
{
    struct escape_keys *k = NEW(struct escape_keys);
    *k = (struct escape_keys){
        .c = {.ops = &keys_ops, .label = base->label},
        .base = base,
        .quit = quit,
        .quit_opaque = opaque,
    };
    base->can_receive = room;
    base->receive = from_terminal;
    base->opaque = k;
    return &k->c;
}
