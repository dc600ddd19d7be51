/* Conditions of breaks: `ah == 2 and value & 0x10`. See breaks.h. */
#ifndef CORE_DEBUG_BREAK_COND_H
#define CORE_DEBUG_BREAK_COND_H

#include "core/base/error.h"
#include "core/cpu/x86_state.h"

#define COND_PARTS 4

struct cond_term {
    enum { TERM_NUMBER, TERM_VALUE, TERM_REG } kind;
    uint64_t number;
    char reg[12];
};

struct cond {
    struct {
        struct cond_term left, right;
        enum { COND_EQ, COND_NE, COND_LT, COND_LE, COND_GT, COND_GE, COND_AND } op;
    } part[COND_PARTS];
    unsigned n;                  /* all must hold; 0: always true */
};

/* Reads a number at *text: 0x10, 10h, 16, or with @hex also 10 for 16. Moves behind it. */
bool cond_number(const char **text, bool hex, uint64_t *out);

/* Reads all of @text. */
bool cond_parse(struct cond *c, const char *text, struct error **err);

bool cond_holds(const struct cond *c, const struct x86_state *s, uint64_t value);

#endif
