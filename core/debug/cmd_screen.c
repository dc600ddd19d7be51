/* Commands that look at the screen. */
#include "core/debug/commands.h"

#include "core/base/alloc.h"
#include "core/ui/png.h"
#include "core/ui/surface.h"

#include <stdlib.h>
#include <string.h>

COMMAND(cmd_screendump)
{
    const struct display_source *display = c->debug->machine->display;
    const char *path = command_text(c, "filename"), *format = command_text(c, "format");
    bool png = format != NULL && strcmp(format, "png") == 0;
    if (display == NULL) {
        return error_set(err, "There is no display");
    }
    if (format != NULL && !png && strcmp(format, "ppm") != 0) {
        return error_set(err, "Parameter 'format' does not accept value '%s'", format);
    }
    struct surface s = {0};
    display->render(display->dev, &s);
    bool ok = png ? png_write(path, &s, err) : ppm_write(path, &s, err);
    surface_fini(&s);
    return ok;
}

bool screen_text(struct debug *d, struct text *out)
{
    const struct display_source *display = d->machine->display;
    struct text_screen *t = NEW(struct text_screen);
    bool ok = display != NULL && display->text(display->dev, t);
    if (ok) {
        size_t size = 3 * (size_t)(t->cols + 1) * t->rows + 1;
        char *buf = xcalloc(size, 1);
        size_t len = text_screen_utf8(t, buf, size);
        text_add(out, buf, len);
        free(buf);
    }
    free(t);
    return ok;
}

COMMAND(cmd_screentext)
{
    struct text screen = {0};
    if (!screen_text(c->debug, &screen)) {
        text_free(&screen);
        return error_set(err, "The screen shows no text");
    }
    text_puts(c->out, text_str(&screen));
    if (c->json != NULL) {
        jout_object(c->json, NULL);
        jout_string(c->json, "text", text_str(&screen));
        jout_end(c->json);
    }
    text_free(&screen);
    return true;
}
