/*
 * String compares of SSE4.2. Source: [SDM2] "Imm8 Control Byte Operation for PCMPESTRI /
 * PCMPESTRM / PCMPISTRI / PCMPISTRM".
 */
#include "core/accel/interp/vec.h"

enum { AGG_ANY, AGG_RANGES, AGG_EACH, AGG_ORDERED };

/* Operands in terms of elements: the needle is the first, text the second. */
struct strings {
    const union vec *needle, *text;
    int needle_len, text_len, n; /* valid elements; elements in a register: 8 or 16 */
    unsigned imm;
};

static int element(const struct strings *s, const union vec *v, int i)
{
    switch (s->imm & 3) {
    case 0: return v->b[i];
    case 1: return v->w[i];
    case 2: return v->sb[i];
    default: return v->sw[i];
    }
}

static bool any_equal(const struct strings *s, int j)
{
    bool found = false;
    for (int i = 0; i < s->needle_len; i++) {
        found = found || element(s, s->needle, i) == element(s, s->text, j);
    }
    return found && j < s->text_len;
}

static bool in_a_range(const struct strings *s, int j)
{
    bool found = false;
    int v = element(s, s->text, j);
    for (int i = 0; i + 1 < s->needle_len; i += 2) {
        found = found || (element(s, s->needle, i) <= v && v <= element(s, s->needle, i + 1));
    }
    return found && j < s->text_len;
}

static bool each_equal(const struct strings *s, int j)
{
    bool in_needle = j < s->needle_len, in_text = j < s->text_len;
    return in_needle && in_text ? element(s, s->needle, j) == element(s, s->text, j)
                                : in_needle == in_text;
}

/* The needle stands at @j, as far as the register shows. */
static bool stands_at(const struct strings *s, int j)
{
    for (int i = 0; i < s->needle_len && i + j < s->n; i++) {
        if (i + j >= s->text_len || element(s, s->needle, i) != element(s, s->text, i + j)) {
            return false;
        }
    }
    return true;
}

/* IntRes2 */
static uint32_t compare_strings(const struct strings *s)
{
    uint32_t result = 0;
    for (int j = 0; j < s->n; j++) {
        bool hit;
        switch (s->imm >> 2 & 3) {
        case AGG_ANY: hit = any_equal(s, j); break;
        case AGG_RANGES: hit = in_a_range(s, j); break;
        case AGG_EACH: hit = each_equal(s, j); break;
        default: hit = stands_at(s, j); break;
        }
        bool invert = (s->imm & 0x10) && (!(s->imm & 0x20) || j < s->text_len);
        result |= (uint32_t)(hit != invert) << j;
    }
    return result;
}

static int explicit_length(const struct x86_cpu *cpu, const struct insn *in, unsigned r, int n)
{
    int64_t v = (int64_t)cpu->s.gpr[r];
    v = in->w ? v : (int32_t)v;
    return v > n || v < -n ? n : (int)(v < 0 ? -v : v);
}

static int implicit_length(const struct strings *s, const union vec *v)
{
    int len = 0;
    while (len < s->n && element(s, v, len) != 0) {
        len++;
    }
    return len;
}

/* Compares, sets the flags and returns IntRes2. *n: elements in a register. */
static uint32_t run_compare(struct x86_cpu *cpu, const struct insn *in, bool explicit, int *n)
{
    union vec tmp;
    vec_begin(cpu, in);
    const union vec *b = vec_e_n(cpu, in, &tmp, 16);
    struct strings s = {
        .needle = vec_g(cpu, in), .text = b, .n = in->imm & 1 ? 8 : 16, .imm = (unsigned)in->imm,
    };
    s.needle_len = explicit ? explicit_length(cpu, in, R_AX, s.n) : implicit_length(&s, s.needle);
    s.text_len = explicit ? explicit_length(cpu, in, R_DX, s.n) : implicit_length(&s, s.text);
    uint32_t result = compare_strings(&s);
    lf_set(cpu, (result ? FL_CF : 0) | (s.text_len < s.n ? FL_ZF : 0) |
                    (s.needle_len < s.n ? FL_SF : 0) | (result & 1 ? FL_OF : 0));
    *n = s.n;
    return result;
}

static void give_index(struct x86_cpu *cpu, const struct insn *in, bool explicit)
{
    int n;
    uint32_t result = run_compare(cpu, in, explicit, &n), index = (uint32_t)n;
    if (result) {
        index = (uint32_t)(in->imm & 0x40 ? 31 - __builtin_clz(result) : __builtin_ctz(result));
    }
    cpu->s.gpr[R_CX] = index;
}

/* Into XMM0: bits, or all ones in each element. */
static void give_mask(struct x86_cpu *cpu, const struct insn *in, bool explicit)
{
    int n;
    uint32_t result = run_compare(cpu, in, explicit, &n);
    union vec r = {.q = {result}};
    if (in->imm & 0x40) {
        for (int i = 0; i < 16; i++) {
            r.b[i] = result >> (n == 8 ? i / 2 : i) & 1 ? 0xff : 0;
        }
    }
    vec_set(cpu, in, 0, &r, 16);
}

OP(pcmpestri)
{
    give_index(cpu, in, true);
}

OP(pcmpistri)
{
    give_index(cpu, in, false);
}

OP(pcmpestrm)
{
    give_mask(cpu, in, true);
}

OP(pcmpistrm)
{
    give_mask(cpu, in, false);
}
