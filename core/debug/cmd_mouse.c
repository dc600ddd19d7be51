/* Commands about the mouse, as far as there is one. */
#include "core/debug/commands.h"

#include "core/ui/input.h"

#define MOVE_MAX 10000 /* counts of one command */

static const struct pointer_sink *mouse(struct command_call *c, struct error **err)
{
    const struct pointer_sink *p = c->debug->machine->pointer;
    if (p == NULL) {
        error_set(err, "This machine has no mouse");
    }
    return p;
}

static bool counts(const struct command_call *c, const char *arg, int *out, struct error **err)
{
    const struct command_value *v = command_arg(c, arg);
    if (v->given && (v->num < -MOVE_MAX || v->num > MOVE_MAX)) {
        return error_set(err, "%s must be within %d of 0", arg, MOVE_MAX);
    }
    *out = v->given ? (int)v->num : 0;
    return true;
}

COMMAND(cmd_mouse_move)
{
    const struct pointer_sink *p = mouse(c, err);
    int dx, dy, dz;
    if (p == NULL || !counts(c, "dx", &dx, err) || !counts(c, "dy", &dy, err) ||
        !counts(c, "dz", &dz, err)) {
        return false;
    }
    p->move(p->dev, dx, dy, dz);
    return true;
}

/* Bits as QEMU has them: 1 left, 2 middle, 4 right. */
COMMAND(cmd_mouse_button)
{
    const struct pointer_sink *p = mouse(c, err);
    int64_t state = command_arg(c, "button_state")->num;
    if (p == NULL) {
        return false;
    }
    c->debug->buttons = (state & 1 ? POINTER_LEFT : 0) | (state & 2 ? POINTER_MIDDLE : 0) |
                        (state & 4 ? POINTER_RIGHT : 0);
    p->buttons(p->dev, c->debug->buttons);
    return true;
}

COMMAND(cmd_mouse_set)
{
    if (mouse(c, err) == NULL) {
        return false;
    }
    if (command_arg(c, "index")->num != 0) {
        return error_set(err, "Mouse at index '%lld' not found",
                         (long long)command_arg(c, "index")->num);
    }
    return true;
}

COMMAND(info_mice)
{
    text_puts(c->out, c->debug->machine->pointer != NULL ? "* Mouse #0: PS/2 Mouse\n"
                                                         : "No mouse devices connected\n");
    return true;
}

COMMAND(query_mice)
{
    jout_array(c->json, NULL);
    if (c->debug->machine->pointer != NULL) {
        jout_object(c->json, NULL);
        jout_string(c->json, "name", "PS/2 Mouse");
        jout_u64(c->json, "index", 0);
        jout_bool(c->json, "current", true);
        jout_bool(c->json, "absolute", false);
        jout_end(c->json);
    }
    jout_end(c->json);
    return true;
}
