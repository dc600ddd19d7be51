/* Expressions of the monitor: recursive descent with a bound on the nesting. */
#include "core/debug/expr.h"

#include "core/base/bits.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH     64
#define REGISTER_NAME 16

struct expr {
    struct debug *debug;
    unsigned cpu;
    const char *p;
    unsigned depth;
    struct error **err;
};

const char *expr_skip_blanks(const char *p)
{
    while (isspace((unsigned char)*p)) {
        p++;
    }
    return p;
}

/* ---- registers ------------------------------------------------------------------------------- */

#define FIELD(name, field)                                                                         \
    {                                                                                              \
        name, offsetof(struct x86_state, field), sizeof(((struct x86_state *)0)->field)            \
    }
#define GPR(name, n)                                                                               \
    {                                                                                              \
        name, offsetof(struct x86_state, gpr[n]), 8                                                \
    }
#define SEG(name, n)                                                                               \
    {                                                                                              \
        name, offsetof(struct x86_state, seg[n].sel), 2                                            \
    }

static const struct {
    const char *name;
    size_t offset, bytes;
} registers[] = {
    GPR("rax", R_AX),
    GPR("rcx", R_CX),
    GPR("rdx", R_DX),
    GPR("rbx", R_BX),
    GPR("rsp", R_SP),
    GPR("rbp", R_BP),
    GPR("rsi", R_SI),
    GPR("rdi", R_DI),
    GPR("r8", R_8),
    GPR("r9", R_9),
    GPR("r10", R_10),
    GPR("r11", R_11),
    GPR("r12", R_12),
    GPR("r13", R_13),
    GPR("r14", R_14),
    GPR("r15", R_15),
    FIELD("rip", rip),
    FIELD("rflags", rflags),
    SEG("es", S_ES),
    SEG("cs", S_CS),
    SEG("ss", S_SS),
    SEG("ds", S_DS),
    SEG("fs", S_FS),
    SEG("gs", S_GS),
    FIELD("cr0", cr0),
    FIELD("cr2", cr2),
    FIELD("cr3", cr3),
    FIELD("cr4", cr4),
    FIELD("cr8", cr8),
    FIELD("efer", efer),
    FIELD("gdtr", gdtr.base),
    FIELD("idtr", idtr.base),
    FIELD("tr", tr.sel),
    FIELD("ldtr", ldtr.sel),
    FIELD("cs_base", seg[S_CS].base),
    FIELD("ds_base", seg[S_DS].base),
    FIELD("es_base", seg[S_ES].base),
    FIELD("ss_base", seg[S_SS].base),
    FIELD("fs_base", seg[S_FS].base),
    FIELD("gs_base", seg[S_GS].base),
};

static bool find_register(const struct x86_state *s, const char *name, uint64_t *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
        if (strcmp(name, registers[i].name) == 0) {
            *out = 0;
            memcpy(out, (const char *)s + registers[i].offset, registers[i].bytes);
            return true;
        }
    }
    return false;
}

bool expr_register(const struct x86_state *s, const char *name, uint64_t *out)
{
    char wide[REGISTER_NAME + 1];
    if (strcmp(name, "pc") == 0) { /* the linear address, as x wants it */
        *out = s->rip + s->seg[S_CS].base;
        return true;
    }
    if (find_register(s, name, out)) {
        return true;
    }
    /* eax, eip, eflags and ax, ip, flags are parts of the 64-bit ones */
    bool e = name[0] == 'e';
    snprintf(wide, sizeof(wide), "r%s", e ? name + 1 : name);
    if (name[0] == '\0' || (e && isdigit((unsigned char)name[1])) ||
        isdigit((unsigned char)name[0]) || !find_register(s, wide, out)) {
        return false;
    }
    *out &= e ? 0xffffffff : 0xffff;
    return true;
}

static bool take_register(struct expr *e, int64_t *out)
{
    char name[REGISTER_NAME];
    size_t n = 0;
    for (e->p++; isalnum((unsigned char)*e->p) || *e->p == '_' || *e->p == '.'; e->p++) {
        if (n < sizeof(name) - 1) {
            name[n++] = (char)tolower((unsigned char)*e->p);
        }
    }
    name[n] = '\0';
    const struct x86_state *s = debug_state(e->debug, e->cpu);
    uint64_t val;
    if (s == NULL || !expr_register(s, name, &val)) {
        return error_set(e->err, "unknown register");
    }
    *out = (int64_t)val;
    return true;
}

/* ---- operators ------------------------------------------------------------------------------- */

static bool take_bits(struct expr *e, int64_t *out);

static bool take_number(struct expr *e, int64_t *out)
{
    if (*e->p == '\0') {
        return error_set(e->err, "unexpected end of expression");
    }
    if (!isdigit((unsigned char)*e->p)) {
        return error_set(e->err, "invalid char '%c' in expression", *e->p);
    }
    uint64_t val = 0;
    unsigned base = e->p[0] != '0'                                                ? 10
                    : (e->p[1] | 0x20) == 'x' && isxdigit((unsigned char)e->p[2]) ? 16
                                                                                  : 8;
    for (e->p += base == 16 ? 2 : 0; isxdigit((unsigned char)*e->p); e->p++) {
        unsigned digit = isdigit((unsigned char)*e->p) ? (unsigned)(*e->p - '0')
                                                       : (unsigned)((*e->p | 0x20) - 'a' + 10);
        if (digit >= base) {
            break;
        }
        if (__builtin_mul_overflow(val, base, &val) || __builtin_add_overflow(val, digit, &val)) {
            return error_set(e->err, "number too large");
        }
    }
    *out = (int64_t)val;
    return true;
}

static bool take_char(struct expr *e, int64_t *out)
{
    e->p++;
    if (*e->p == '\0') {
        return error_set(e->err, "character constant expected");
    }
    *out = (unsigned char)*e->p++;
    if (*e->p != '\'') {
        return error_set(e->err, "missing terminating \' character");
    }
    e->p++;
    return true;
}

static bool take_unary(struct expr *e, int64_t *out)
{
    e->p = expr_skip_blanks(e->p);
    char op = *e->p;
    bool ok;
    if (op == '+' || op == '-' || op == '~' || op == '(') {
        if (++e->depth > MAX_DEPTH) {
            return error_set(e->err, "expression nested too deep");
        }
        e->p++;
        ok = op == '(' ? take_bits(e, out) : take_unary(e, out);
        e->depth--;
        if (ok && op == '(' && *e->p++ != ')') {
            e->p--;
            return error_set(e->err, "')' expected");
        }
        *out = !ok ? 0 : op == '-' ? (int64_t)(0 - (uint64_t)*out) : op == '~' ? ~*out : *out;
    } else {
        ok = op == '\''  ? take_char(e, out)
             : op == '$' ? take_register(e, out)
                         : take_number(e, out);
    }
    e->p = expr_skip_blanks(e->p);
    return ok;
}

static bool divide(struct expr *e, char op, int64_t *a, int64_t b)
{
    if (b == 0) {
        return error_set(e->err, "division by zero");
    }
    if (b == -1) { /* the one quotient that has no room wraps */
        *a = op == '/' ? (int64_t)(0 - (uint64_t)*a) : 0;
    } else {
        *a = op == '/' ? *a / b : *a % b;
    }
    return true;
}

/* No operand begins with a letter, so "pmemsave 0 16 /tmp/x" is no division. */
static bool take_product(struct expr *e, int64_t *out)
{
    if (!take_unary(e, out)) {
        return false;
    }
    while (*e->p == '*' || (*e->p == '/' && !isalpha((unsigned char)e->p[1])) || *e->p == '%') {
        char op = *e->p++;
        int64_t b;
        if (!take_unary(e, &b)) {
            return false;
        }
        if (op == '*') {
            *out = (int64_t)((uint64_t)*out * (uint64_t)b);
        } else if (!divide(e, op, out, b)) {
            return false;
        }
    }
    return true;
}

static bool take_sum(struct expr *e, int64_t *out)
{
    if (!take_product(e, out)) {
        return false;
    }
    while (*e->p == '+' || *e->p == '-') {
        char op = *e->p++;
        int64_t b;
        if (!take_product(e, &b)) {
            return false;
        }
        *out = (int64_t)(op == '+' ? (uint64_t)*out + (uint64_t)b : (uint64_t)*out - (uint64_t)b);
    }
    return true;
}

static bool take_bits(struct expr *e, int64_t *out)
{
    if (!take_sum(e, out)) {
        return false;
    }
    while (*e->p == '&' || *e->p == '|' || *e->p == '^') {
        char op = *e->p++;
        int64_t b;
        if (!take_sum(e, &b)) {
            return false;
        }
        *out = op == '&' ? *out & b : op == '|' ? *out | b : *out ^ b;
    }
    return true;
}

bool expr_parse(struct debug *d, unsigned cpu, const char **text, int64_t *out, struct error **err)
{
    struct expr e = {.debug = d, .cpu = cpu, .p = *text, .err = err};
    *out = 0;
    bool ok = take_bits(&e, out);
    *text = e.p;
    return ok;
}
