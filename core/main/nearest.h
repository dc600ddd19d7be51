/* Which of some names a mistyped one was probably meant to be. */
#ifndef CORE_MAIN_NEAREST_H
#define CORE_MAIN_NEAREST_H

#include "core/base/error.h"

/* Edit distance: insertions, deletions, replacements and swaps of neighbours. Names longer than 63
 * characters count as unrelated to everything. */
unsigned edit_distance(const char *a, const char *b);

struct nearest {
    const char *wanted, *best;
    unsigned distance;
};

/* Shows the search one candidate; the first of equally near ones stays. */
void nearest_offer(struct nearest *n, const char *candidate);

/* Sets err to the text and, if there were candidates, the nearest with @prefix. Always false. */
bool nearest_error(const struct nearest *n, const char *prefix, struct error **err,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
