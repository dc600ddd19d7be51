/* The human monitor on a character device. */
#include "core/debug/hmp.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/debug/command.h"
#include "core/debug/line_edit.h"

#include <stdlib.h>
#include <string.h>

#define OUTPUT_LIMIT  (64 * MiB) /* what may wait for a slow reader */
#define OUTPUT_ENOUGH (1 * MiB)  /* with so much waiting no further command is read */

struct hmp {
    struct monitor monitor;
    struct chardev *chardev; /* borrowed */
    struct line_edit edit;
};

static void hmp_write(void *opaque, const char *bytes, size_t len)
{
    struct hmp *h = opaque;
    chardev_write(h->chardev, (const uint8_t *)bytes, len);
}

static void entered(void *opaque, const char *line)
{
    struct hmp *h = opaque;
    struct text out = {0}, crlf = {0};
    command_line(&h->monitor, line, &out);
    text_crlf(&crlf, text_str(&out), out.len);
    hmp_write(h, text_str(&crlf), crlf.len);
    text_free(&out);
    text_free(&crlf);
    if (h->monitor.debug->machine->stop_request != CAUSE_HOST_QUIT) { /* nobody asks any more */
        line_edit_prompt(&h->edit);
    }
}

/* Names of commands, of topics behind "info", of trace points behind "trace-event". */
static void complete(void *opaque, const char *line, struct text *words)
{
    line += strspn(line, " \t");
    unsigned where = CMD_HMP;
    if (strncmp(line, "info ", 5) == 0 || strncmp(line, "help ", 5) == 0) {
        where = line[0] == 'i' ? CMD_INFO : CMD_HMP;
        line += 5 + strspn(line + 5, " \t");
    }
    size_t len = strlen(line);
    for (const struct command *c = commands; c->name != NULL && strpbrk(line, " \t") == NULL; c++) {
        for (const char *name = c->name; (c->where & where) != 0;) {
            size_t n = strcspn(name, "|");
            if (n >= len && memcmp(name, line, len) == 0) {
                text_add(words, name, n);
                text_putc(words, '\n');
            }
            if (name[n] == '\0') {
                break;
            }
            name += n + 1;
        }
    }
}

static void greet(struct hmp *h)
{
    char *hello = xasprintf("%s monitor - type 'help' for more information\r\n",
                            h->monitor.debug->id.version);
    hmp_write(h, hello, strlen(hello));
    free(hello);
    line_edit_prompt(&h->edit);
    chardev_flush(h->chardev);
}

static size_t can_receive(void *opaque)
{
    struct hmp *h = opaque;
    return chardev_pending(h->chardev) < OUTPUT_ENOUGH ? 64 : 0;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    struct hmp *h = opaque;
    for (size_t i = 0; i < len; i++) {
        line_edit_byte(&h->edit, (char)buf[i]);
    }
    chardev_flush(h->chardev);
}

static void event(void *opaque, enum chardev_event event)
{
    if (event == CHARDEV_OPENED) {
        greet(opaque);
    }
}

static void hmp_fini(struct monitor *m)
{
    struct hmp *h = container_of(m, struct hmp, monitor);
    h->chardev->receive = NULL;
    h->chardev->can_receive = NULL;
    h->chardev->event = NULL;
    line_edit_fini(&h->edit);
    free(h);
}

static const struct monitor_ops hmp_ops = {.fini = hmp_fini};

void hmp_new(struct debug *d, struct chardev *c)
{
    struct hmp *h = NEW(struct hmp);
    h->monitor.ops = &hmp_ops;
    h->chardev = c;
    h->edit.prompt = "(qemu) ";
    h->edit.write = hmp_write;
    h->edit.entered = entered;
    h->edit.complete = complete;
    h->edit.opaque = h;
    c->can_receive = can_receive;
    c->receive = receive;
    c->event = event;
    c->opaque = h;
    c->limit = OUTPUT_LIMIT;
    debug_add_monitor(d, &h->monitor);
    if (c->open) {
        greet(h);
    }
    chardev_accepts(c);
}
