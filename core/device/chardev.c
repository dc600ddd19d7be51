/* What all character devices share, the choice of a back end, and the one that does nothing. */
#include "core/device/chardev.h"

#include "core/base/alloc.h"
#include "core/device/chardev_fd.h"

#include <stdlib.h>
#include <string.h>

static void null_write(struct chardev *c, const uint8_t *buf, size_t len)
{
}

static void null_fini(struct chardev *c)
{
    free(c);
}

static const struct chardev_ops null_ops = {.write = null_write, .fini = null_fini};

struct chardev *chardev_new(const char *spec, struct loop *loop, struct error **err)
{
    static const char file[] = "file:";
    if (strcmp(spec, "null") == 0) {
        struct chardev *c = NEW(struct chardev);
        *c = (struct chardev){.ops = &null_ops, .label = "null"};
        return c;
    }
    if (strcmp(spec, "stdio") == 0) {
        return chardev_stdio_new(loop, err);
    }
    if (strncmp(spec, file, sizeof(file) - 1) == 0) {
        return chardev_file_new(spec + sizeof(file) - 1, loop, err);
    }
    error_set(err, "'%s' is none of null, stdio, file:PATH", spec);
    return NULL;
}

void chardev_free(struct chardev *c)
{
    if (c != NULL) {
        c->ops->fini(c);
    }
}

void chardev_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    if (c == NULL) {
        return;
    }
    for (struct chardev_tap *t = c->taps; t != NULL; t = t->next) {
        t->seen(t->opaque, buf, len);
    }
    c->ops->write(c, buf, len);
}

void chardev_flush(struct chardev *c)
{
    if (c != NULL && c->ops->flush != NULL) {
        c->ops->flush(c);
    }
}

void chardev_tap(struct chardev *c, struct chardev_tap *tap)
{
    struct chardev_tap **at = &c->taps;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    tap->next = NULL;
    *at = tap;
}

void chardev_accepts(struct chardev *c)
{
    if (c != NULL && c->ops->wants_input != NULL) {
        c->ops->wants_input(c);
    }
}

size_t chardev_input(struct chardev *c, const uint8_t *buf, size_t len)
{
    if (c->receive == NULL) {
        return len; /* nobody listens: dropped, so that the back end does not wait */
    }
    size_t room = c->can_receive != NULL ? c->can_receive(c->opaque) : len;
    size_t n = len < room ? len : room;
    if (n != 0) {
        c->receive(c->opaque, buf, n);
    }
    return n;
}
