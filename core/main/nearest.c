#include "core/main/nearest.h"

#include "core/base/bits.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 63
#define UNRELATED    1000u

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned edit_distance(const char *a, const char *b)
{
    unsigned row[3][NAME_MAX_LEN + 1];
    size_t na = strlen(a), nb = strlen(b);
    if (na > NAME_MAX_LEN || nb > NAME_MAX_LEN) {
        return UNRELATED;
    }
    for (unsigned j = 0; j <= nb; j++) {
        row[0][j] = j;
    }
    for (unsigned i = 1; i <= na; i++) {
        unsigned *now = row[i % 3], *above = row[(i - 1) % 3], *above2 = row[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= nb; j++) {
            now[j] = least(above[j], now[j - 1]) + 1;
            now[j] = least(now[j], above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], above2[j - 2] + 1);
            }
        }
    }
    return row[na % 3][nb];
}

void nearest_offer(struct nearest *n, const char *candidate)
{
    unsigned d = edit_distance(n->wanted, candidate);
    if (n->best == NULL || d < n->distance) {
        n->best = candidate;
        n->distance = d;
    }
}

bool nearest_error(const struct nearest *n, const char *prefix, struct error **err,
                   const char *fmt, ...)
{
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n->best == NULL) {
        return error_set(err, "%s", text);
    }
    return error_set(err, "%s; the nearest that exists is %s%s", text, prefix, n->best);
}
