/* What -d and the monitor's `log` switch: classes of messages and groups of trace points. */
#ifndef CORE_DEBUG_LOG_ITEMS_H
#define CORE_DEBUG_LOG_ITEMS_H

#include "core/base/text.h"

#include <stdbool.h>

struct log_item {
    const char *name;
    const char *points; /* shell patterns of trace points, with blanks between; NULL: none */
    unsigned class;     /* a LOG_ bit, or 0 */
    const char *help;
};

/* Ends with a name of NULL. */
extern const struct log_item log_items[];

/* The item of @name; NULL: there is none. */
const struct log_item *log_item_find(const char *name);

/* One line an item, `trace:PATTERN` included. */
void log_items_list(struct text *out);

/* Calls @each with every pattern of @item. */
void log_item_points(const struct log_item *item, void (*each)(void *opaque, const char *pattern),
                     void *opaque);

#endif
