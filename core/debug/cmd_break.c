/* Commands about breaks. */
#include "core/debug/breaks.h"
#include "core/debug/commands.h"

#include <stdlib.h>
#include <string.h>

COMMAND(cmd_break)
{
    const char *what = command_text(c, "what");
    unsigned id;
    if (what == NULL || strcmp(what, "list") == 0) {
        breaks_list(c->debug, c->out);
        return true;
    }
    if (!breaks_add(c->debug, what, &id, err)) {
        return false;
    }
    text_printf(c->out, "break %u: %s\n", id, what);
    if (c->json != NULL) {
        jout_object(c->json, NULL);
        jout_u64(c->json, "id", id);
        jout_end(c->json);
    }
    return true;
}

COMMAND(cmd_delete)
{
    const struct command_value *id = command_arg(c, "id");
    if (id->given && (id->num < 1 || id->num > UINT32_MAX)) {
        return error_set(err, "there is no such break");
    }
    return breaks_delete(c->debug, id->given ? (unsigned)id->num : 0, err);
}

COMMAND(info_breaks)
{
    breaks_list(c->debug, c->out);
    return true;
}

static void query_one(void *opaque, unsigned id, const char *what, uint64_t hits)
{
    struct json_out *out = opaque;
    jout_object(out, NULL);
    jout_u64(out, "id", id);
    jout_string(out, "what", what);
    jout_u64(out, "hits", hits);
    jout_end(out);
}

COMMAND(query_breaks)
{
    jout_array(c->json, NULL);
    breaks_each(c->debug, query_one, c->json);
    jout_end(c->json);
    return true;
}
