/* Conditions of breaks. */
#include "core/debug/break_cond.h"

#include "core/base/bits.h"
#include "core/debug/expr.h"

#include <ctype.h>
#include <string.h>

/* ---- terms ----------------------------------------------------------------------------------- */

bool cond_number(const char **text, bool hex, uint64_t *out)
{
    const char *p = *text;
    bool marked = p[0] == '0' && (p[1] | 0x20) == 'x';
    p += marked ? 2 : 0;
    size_t n = strspn(p, "0123456789abcdefABCDEF");
    bool suffix = !marked && (p[n] | 0x20) == 'h';
    unsigned base = marked || suffix || hex ? 16 : 10;
    uint64_t val = 0;
    if (n == 0 || n > 16) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        bool decimal = isdigit((unsigned char)p[i]);
        unsigned digit = (unsigned)(decimal ? p[i] - '0' : (p[i] | 0x20) - 'a' + 10);
        if (digit >= base || __builtin_mul_overflow(val, base, &val)) {
            return false;
        }
        val += digit;
    }
    *out = val;
    *text = p + n + suffix;
    return true;
}

/* al, ah... are parts that expr_register does not know. */
static bool register_value(const struct x86_state *s, const char *name, uint64_t *out)
{
    static const char letters[] = "acdb"; /* in the order of enum x86_gpr */
    const char *letter = name[0] != '\0' ? strchr(letters, name[0]) : NULL;
    if (letter != NULL && (name[1] == 'l' || name[1] == 'h') && name[2] == '\0') {
        *out = s->gpr[letter - letters] >> (name[1] == 'h' ? 8 : 0) & 0xff;
        return true;
    }
    return expr_register(s, name, out);
}

static bool parse_term(const char **text, struct cond_term *t, struct error **err)
{
    static const struct x86_state any;
    const char *p = expr_skip_blanks(*text);
    size_t n = strcspn(p, " \t=!<>&");
    uint64_t ignored;
    bool all_hex = n != 0 && isdigit((unsigned char)p[0]);
    *text = p + n;
    if (all_hex) {
        const char *end = p;
        t->kind = TERM_NUMBER;
        if (cond_number(&end, false, &t->number) && end == p + n) {
            return true;
        }
    } else if (n != 0 && n < sizeof(t->reg)) {
        for (size_t i = 0; i < n; i++) {
            t->reg[i] = (char)tolower((unsigned char)p[i]);
        }
        t->reg[n] = '\0';
        t->kind = strcmp(t->reg, "value") == 0 ? TERM_VALUE : TERM_REG;
        if (t->kind == TERM_VALUE || register_value(&any, t->reg, &ignored)) {
            return true;
        }
    }
    return error_set(err, "'%.*s' is no register, number or \"value\"", (int)(n < 40 ? n : 40), p);
}

static bool parse_op(const char **text, unsigned *op, struct error **err)
{
    static const struct {
        const char *text;
        unsigned op;
    } ops[] = {
        /* longer ones first */
        {"==", COND_EQ}, {"!=", COND_NE}, {"<=", COND_LE}, {">=", COND_GE},
        {"=", COND_EQ},  {"<", COND_LT},  {">", COND_GT},  {"&", COND_AND},
    };
    const char *p = expr_skip_blanks(*text);
    for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
        size_t n = strlen(ops[i].text);
        if (strncmp(p, ops[i].text, n) == 0) {
            *op = ops[i].op;
            *text = p + n;
            return true;
        }
    }
    return error_set(err, "one of == != < <= > >= & is expected at '%.20s'", p);
}

/* ---- conditions ------------------------------------------------------------------------------ */

bool cond_parse(struct cond *c, const char *text, struct error **err)
{
    c->n = 0;
    for (;;) {
        unsigned op = 0;
        if (c->n == COND_PARTS) {
            return error_set(err, "more than %d conditions", COND_PARTS);
        }
        if (!parse_term(&text, &c->part[c->n].left, err) || !parse_op(&text, &op, err) ||
            !parse_term(&text, &c->part[c->n].right, err)) {
            return false;
        }
        c->part[c->n++].op = op;
        text = expr_skip_blanks(text);
        if (*text == '\0') {
            return true;
        }
        if (strncmp(text, "and ", 4) != 0 && strncmp(text, "&& ", 3) != 0) {
            return error_set(err, "'and' is expected at '%.20s'", text);
        }
        text += strcspn(text, " ");
    }
}

static uint64_t term_value(const struct cond_term *t, const struct x86_state *s, uint64_t value)
{
    uint64_t val = t->kind == TERM_VALUE ? value : t->number;
    if (t->kind == TERM_REG) {
        register_value(s, t->reg, &val);
    }
    return val;
}

bool cond_holds(const struct cond *c, const struct x86_state *s, uint64_t value)
{
    for (unsigned i = 0; i < c->n; i++) {
        uint64_t a = term_value(&c->part[i].left, s, value),
                 b = term_value(&c->part[i].right, s, value);
        bool holds = false;
        switch (c->part[i].op) {
        case COND_EQ:
            holds = a == b;
            break;
        case COND_NE:
            holds = a != b;
            break;
        case COND_LT:
            holds = a < b;
            break;
        case COND_LE:
            holds = a <= b;
            break;
        case COND_GT:
            holds = a > b;
            break;
        case COND_GE:
            holds = a >= b;
            break;
        case COND_AND:
            holds = (a & b) != 0;
            break;
        }
        if (!holds) {
            return false;
        }
    }
    return true;
}
