/*
 * Random programs: instructions, loops of several blocks, calls and returns of all kinds, and
 * stores into code that was or will be run.
 */
#ifndef TESTS_FUZZ_PROGRAM_CODE_H
#define TESTS_FUZZ_PROGRAM_CODE_H

#include "tests/fuzz/program_asm.h"

/* ---- operands ---- */

static inline unsigned any_size(struct program *p)
{
    static const uint8_t sizes[] = {4, 4, 2, 1, 4, 8};
    unsigned size = sizes[p_below(p, 6)];
    return size == 8 && p->bits != 64 ? 1 : size;
}

/* One that is neither SP nor a counter. */
static inline unsigned any_reg(struct program *p, unsigned size)
{
    unsigned reg;
    do {
        reg = p_below(p, p->bits == 64 ? 16 : 8);
    } while ((reg == R_SP && (size > 1 || p->bits == 64)) || (p->reserved >> reg & 1));
    return reg;
}

static inline void mask_register(struct program *p, unsigned reg, unsigned size, uint32_t mask)
{
    p_op(p, size, 0x81, 4, p_reg(reg));
    p_imm(p, size, mask);
}

/* Memory based on registers that are masked before. */
static inline struct place based_mem(struct program *p)
{
    struct place m = p_at(P_DATA + p_below(p, 0xfe0));
    m.wide = p->bits == 16 && p_below(p, 3) == 0;
    if (p->bits == 16 && !m.wide) {
        static const uint8_t bases[] = {R_BX, R_SI, R_DI};
        m.base = bases[p_below(p, 3)];
        mask_register(p, (unsigned)m.base, 2, 0x1fff);
        return m;
    }
    m.base = (int)any_reg(p, 4);
    mask_register(p, (unsigned)m.base, 4, 0x1fff);
    unsigned index = any_reg(p, 4);
    if (p_below(p, 3) == 0 && index != R_AX && (int)index != m.base) {
        mask_register(p, index, 4, 0x1ff);
        m.scaled = (int)(index | p_below(p, 4) << 4);
    }
    return m;
}

/* Of data, near the stack pointer, of a device, or elsewhere by a segment. */
static inline struct place any_mem(struct program *p)
{
    struct place m = p_at(P_DATA + p_below(p, 0x3fe0));
    uint32_t kind = p_below(p, 32);
    if (kind < 2 && !p->plain) {
        m.disp &= 0xfff;
        m.prefix = 0x64;
        m.wide = p->bits == 16 && p_below(p, 2);
    } else if (kind == 2 && p->bits > 16 && !p->plain) {
        m.disp = P_DEVICE + (m.disp & 0xff);
    } else if (kind < 6 && p->bits > 16) {
        m.base = R_SP;
        m.disp = -32 - p_below(p, 64);
    } else if (kind < 10 && p->bits > 16 && !p->plain) {
        m.disp += p->paged ? P_ALIAS : P_HIGH_DATA;
    } else if (kind < 20) {
        return based_mem(p);
    }
    m.rip = p->bits == 64 && p_below(p, 2);
    return m;
}

static inline struct place any_place(struct program *p, unsigned size)
{
    return p_below(p, 2) ? p_reg(any_reg(p, size)) : any_mem(p);
}

/* ---- sites: immediates that stores may change ---- */

static inline void add_site(struct program *p, uint32_t at, unsigned size)
{
    p->site[p->n_sites % P_SITES].at = at;
    p->site[p->n_sites++ % P_SITES].size = size;
    for (; p->n_holes > 0; p->n_holes--) {
        p_patch(p, p->hole[p->n_holes - 1].at, p->hole[p->n_holes - 1].size, at);
    }
}

static inline void make_site(struct program *p)
{
    unsigned size = p_near(p), reg = any_reg(p, size);
    if (p_below(p, 2)) {
        p_set(p, reg, p_random(p));
    } else {
        p_op(p, size, 0x81, p_below(p, 8), p_reg(reg));
        p_imm(p, size, p_random(p));
    }
    add_site(p, p->at - size, size);
}

/* To one that is there, or to the next one made: ahead in this loop or function. */
static inline void store_to_site(struct program *p)
{
    unsigned n = p->n_sites < P_SITES ? p->n_sites : P_SITES, i = n ? p_below(p, n) : 0;
    unsigned size = p_below(p, 3) ? 1 : 2;
    bool ahead = n == 0 || p_below(p, 2), imm = p_below(p, 2);
    if (ahead && p->n_holes == P_HOLES) {
        return;
    }
    size = !ahead && p_below(p, 2) ? p->site[i].size : size;
    size = size == 4 && p->bits == 16 ? 2 : size;
    p_op(p, size, (imm ? 0xc6 : 0x88) | (size > 1), imm ? 0 : any_reg(p, size),
         p_at(ahead ? 0 : p->site[i].at));
    if (ahead) {
        p->hole[p->n_holes].at = p->at - p_near(p);
        p->hole[p->n_holes++].size = p_near(p);
    }
    if (imm) {
        p_imm(p, size, p_random(p));
    }
}

/* ---- instructions ---- */

static inline void i_alu(struct program *p)
{
    unsigned size = any_size(p), form = p_below(p, 4), op = p_below(p, 8);
    struct place rm = any_place(p, size);
    if (form < 2) {
        p_op(p, size, op * 8 | form << 1 | (size > 1), any_reg(p, size), rm);
    } else if (form == 2 || size == 1) {
        p_op(p, size, 0x80 | (size > 1), op, rm);
        p_imm(p, size, p_random(p));
    } else {
        p_op(p, size, 0x83, op, rm);
        p_byte(p, p_random(p));
    }
}

static inline void i_shift(struct program *p)
{
    static const uint8_t ops[] = {0xc0, 0xd0, 0xd2};
    unsigned size = any_size(p), op = ops[p_below(p, 3)], n = p_below(p, 7);
    p_op(p, size, op | (size > 1), n == 6 ? 7 : n, any_place(p, size));
    if (op == 0xc0) {
        p_byte(p, p_random(p));
    }
}

static inline void i_move(struct program *p)
{
    unsigned size = any_size(p);
    struct place rm = any_place(p, size);
    p_op(p, size, 0x88 | p_below(p, 2) << 1 | (size > 1), any_reg(p, size), rm);
}

static inline void i_extend(struct program *p)
{
    static const uint8_t ops[] = {0xb6, 0xb7, 0xbe, 0xbf};
    unsigned size = p_below(p, 2) ? 4 : 2;
    struct place rm = any_mem(p);
    p_op(p, p->bits == 64 && p_below(p, 3) == 0 ? 8 : size, 0x0f00 | ops[p_below(p, 4)],
         any_reg(p, 2), rm);
}

static inline void i_unary(struct program *p)
{
    unsigned size = any_size(p), n = p_below(p, 6);
    struct place rm = any_place(p, size);
    p_op(p, size, (n < 4 ? 0xf6 : 0xfe) | (size > 1), n < 4 ? 2 + n : n - 4, rm);
}

static inline void i_multiply(struct program *p)
{
    unsigned size = any_size(p), form = p_below(p, 2);
    size = size == 1 ? 4 : size;
    struct place rm = any_place(p, size);
    p_op(p, size, form ? 0x0faf : 0x69, any_reg(p, size), rm);
    if (!form) {
        p_imm(p, size, p_random(p));
    }
}

/* By a number that is not 0, of one not much larger; one in eight by anything. */
static inline void i_divide(struct program *p)
{
    unsigned size = p_below(p, 2) ? 4 : 2;
    if (p->plain || p_below(p, 8)) {
        p_op(p, size, 0x83, 1, p_reg(R_BX));
        p_byte(p, 1);
        p_op(p, size, 0x31, R_DX, p_reg(R_DX));
    }
    p_op(p, size, 0xf7, 6, p_reg(R_BX));
}

static inline void i_condition(struct program *p)
{
    unsigned cc = p_below(p, 16), size = p_below(p, 2) ? 4 : 2;
    if (p_below(p, 2)) {
        p_op(p, 1, 0x0f90 | cc, 0, any_place(p, 1));
    } else {
        struct place rm = any_place(p, size);
        p_op(p, size, 0x0f40 | cc, any_reg(p, size), rm);
    }
}

static inline void i_bit(struct program *p)
{
    unsigned size = p_below(p, 2) ? 4 : 2;
    p_op(p, size, 0x0fba, 4 + p_below(p, 4), any_place(p, size));
    p_byte(p, p_random(p));
}

static inline void i_exchange(struct program *p)
{
    static const uint16_t ops[] = {0x86, 0x0fc0, 0x0fb0};
    unsigned size = any_size(p), op = ops[p_below(p, 3)];
    struct place rm = any_place(p, size);
    if (rm.mem && p_below(p, 2)) {
        p_byte(p, 0xf0);
    }
    p_op(p, size, op | (size > 1), any_reg(p, size), rm);
}

static inline void i_small(struct program *p)
{
    static const char *const bytes[] = {"\xf8", "\xf9", "\xf5", "\x98", "\x99", "\x9f", "\x9e",
                                        "\x0f\x31", "\x90", "\xf3\x90", "\x9c\x9d", "\x0f\xc8",
                                        "\x66\x98"};
    unsigned n = p_below(p, ARRAY_SIZE(bytes));
    p_bytes(p, bytes[n], (unsigned)strlen(bytes[n]));
}

static inline void i_stack(struct program *p)
{
    unsigned form = p_below(p, 4), reg = any_reg(p, 4) & 7;
    if (form == 0 && !(p->reserved & BIT(R_BP))) {
        P_BYTES(p, "\xc8\x20\0\0"); /* enter 32, 0 */
        p->reserved |= BIT(R_BP);
        i_alu(p);
        p->reserved &= ~(uint32_t)BIT(R_BP);
        p_byte(p, 0xc9);
        return;
    }
    reg = reg == R_SP ? R_AX : reg;
    bool half = p_below(p, 4) == 0;
    if (half) {
        p_byte(p, 0x66);
    }
    p_byte(p, 0x50 | reg);
    i_alu(p);
    if (half) {
        p_byte(p, 0x66);
    }
    p_byte(p, 0x58 | (p->reserved >> reg & 1 ? R_AX : reg));
}

static inline void i_string(struct program *p)
{
    static const uint8_t ops[] = {0xa4, 0xaa, 0xac, 0xa6, 0xae};
    unsigned size = any_size(p), op = ops[p_below(p, 5)];
    bool down = p_below(p, 8) == 0;
    p_set(p, R_SI, P_DATA + 0x800 + p_below(p, 0x2800));
    p_set(p, R_DI, P_DATA + 0x800 + p_below(p, 0x2800));
    p_set(p, R_CX, p_below(p, p_below(p, 4) ? 12 : 200));
    if (down) {
        p_byte(p, 0xfd);
    }
    if (p_below(p, 4)) {
        p_byte(p, 0xf2 | p_below(p, 2));
    }
    if (size == (p->bits == 16 ? 4 : 2)) {
        p_byte(p, 0x66);
    }
    if (size == 8) {
        p_byte(p, 0x48);
    }
    p_byte(p, op | (size > 1));
    p_byte(p, 0xfc);
}

/* Without an operand: LODS and its kin once, XLAT, a move by an absolute offset. */
static inline void i_implicit(struct program *p)
{
    static const uint8_t ops[] = {0xa4, 0xaa, 0xac, 0xa6, 0xae, 0xa5, 0xab, 0xad};
    unsigned kind = p_below(p, 3);
    if (kind == 0 && p->bits != 64) {
        unsigned op = 0xa0 | p_below(p, 4);
        p_byte(p, op);
        p_imm(p, p_near(p), P_DATA + p_below(p, 0x3fe0));
    } else if (kind == 1) {
        p_set(p, R_BX, P_DATA + p_below(p, 0x3e00));
        p_byte(p, 0xd7);
    } else {
        p_set(p, R_SI, P_DATA + p_below(p, 0x3ff0));
        p_set(p, R_DI, P_DATA + p_below(p, 0x3ff0));
        p_byte(p, ops[p_below(p, 8)]);
        p_byte(p, ops[p_below(p, 8)]);
    }
}

/* A port, which may ask for an interrupt. */
static inline void i_port(struct program *p)
{
    static const uint8_t ops[] = {0xe4, 0xe6, 0xec, 0xee, 0xed, 0xef};
    unsigned op = ops[p_below(p, 6)];
    if (p->plain || !p->inner) {
        i_alu(p);
        return;
    }
    p_byte(p, op);
    if (op < 0xe8) {
        p_byte(p, p_random(p));
    }
}

static inline void i_vector(struct program *p)
{
    static const uint32_t ops[] = {0x660ffe, 0x660fef, 0xf30f6f, 0xf30f7f, 0x660fd4, 0xf20f58,
                                   0xf20f59, 0x660f6f, 0x660f70};
    uint32_t op = ops[p_below(p, 9)];
    bool load = op == 0xf30f6f || op == 0xf30f7f || p_below(p, 2);
    struct place rm = load ? any_mem(p) : p_reg(p_below(p, 8));
    if (op != 0xf30f6f && op != 0xf30f7f && rm.mem && op < 0xf00000) {
        rm = p_at(P_DATA + p_below(p, 0x300) * 16);     /* aligned */
    }
    p_op(p, p->bits == 16 ? 2 : 4, op, p_below(p, 8), rm);
    if (op == 0x660f70) {
        p_byte(p, p_random(p));
    }
}

static inline void i_x87(struct program *p)
{
    struct place from = p_at(P_DATA + p_below(p, 0x3ff0)), to = p_at(P_DATA + p_below(p, 0x3ff0));
    unsigned size = p->bits == 16 ? 2 : 4;
    p_op(p, size, 0xdd, 0, from);                       /* fld m64 */
    p_op(p, size, 0xd8, p_below(p, 8), from);           /* fadd m32 and so on */
    p_op(p, size, p_below(p, 2) ? 0xdd : 0xd9, 3, to);  /* fstp */
}

static inline void any_insn(struct program *p)
{
    static void (*const kinds[])(struct program *) = {
        i_alu, i_alu, i_alu, i_shift, i_move, i_move, i_move, i_extend, i_unary, i_multiply,
        i_divide, i_condition, i_bit, i_exchange, i_small, i_stack, make_site, store_to_site,
        i_vector, i_x87, i_string, i_implicit, i_port,
    };
    kinds[p_below(p, ARRAY_SIZE(kinds))](p);
}

static inline void some_insns(struct program *p, unsigned most)
{
    for (unsigned n = 1 + p_below(p, most); n > 0 && p->at + 64 < p->end; n--) {
        any_insn(p);
    }
}

/* ---- statements ---- */

static inline void any_statement(struct program *p);

static inline void s_block(struct program *p)
{
    some_insns(p, 6);
}

static inline void s_if(struct program *p)
{
    bool near = p_below(p, 2);
    struct jump over = p_jcc(p, p_below(p, 16), near);
    if (!near) {
        any_insn(p);
        p_here(p, over);
        return;
    }
    any_statement(p);
    if (p_below(p, 2)) {
        struct jump end = p_jmp(p);
        p_here(p, over);
        any_statement(p);
        p_here(p, end);
    } else {
        p_here(p, over);
    }
}

/* The counter is a register or, mostly, in memory. In between ways out and on. */
static inline void s_loop(struct program *p)
{
    unsigned reg = p->bits == 64 ? 8 + p_below(p, 8) : R_BP, size = p_near(p);
    bool in_reg = !(p->reserved >> reg & 1) && p_below(p, 2);
    if (!in_reg && p->n_counters == V_COUNTERS_MAX) {
        return;
    }
    struct place counter = in_reg ? p_reg(reg) : p_at(V_COUNTERS + 8 * p->n_counters++);
    unsigned times = 2 + p_below(p, 40);
    p->reserved |= in_reg ? BIT(reg) : 0;
    p_op(p, size, 0xc7, 0, counter);
    p_imm(p, size, times);
    uint32_t top = p->at;
    any_statement(p);
    struct jump on = p_jcc(p, p_below(p, 16), true);
    any_statement(p);
    p_here(p, on);
    p_op(p, size, 0xff, 1, counter);
    if (p_below(p, 4) == 0) {
        struct jump out = p_jcc(p, 4, true);
        some_insns(p, 3);
        p_branch(p, 0xe9, top);
        p_here(p, out);
    } else {
        p_branch(p, 0x0f85, top);
    }
    p->reserved &= in_reg ? ~(uint32_t)BIT(reg) : ~0u;
}

/* A variable that names a function made before the one being made. */
static inline struct place own_slot(struct program *p)
{
    return p_at(V_TABLE + 16 * (p->n_functions - 1) + 8 * p_below(p, 2));
}

/* LOOP and its kin, around instructions that leave CX alone. */
static inline void s_short_loop(struct program *p)
{
    static void (*const kinds[])(struct program *) = {i_alu, i_shift, i_move, i_condition, i_unary};
    uint32_t saved = p->reserved;
    p_set(p, R_CX, 1 + p_below(p, 100));
    p->reserved |= BIT(R_CX) | BIT(R_BP); /* CH has BP's number */
    struct jump out = {0};
    uint32_t top = p->at;
    if (p_below(p, 4) == 0) {
        p_byte(p, 0xe3);
        p_byte(p, 0);
        out = (struct jump){p->at, 1};
    }
    for (unsigned n = 1 + p_below(p, 3); n > 0; n--) {
        kinds[p_below(p, ARRAY_SIZE(kinds))](p);
    }
    p_byte(p, p_below(p, 4) ? 0xe2 : 0xe0 | p_below(p, 2));
    p_byte(p, top - (p->at + 1));
    if (out.behind) {
        p_here(p, out);
    }
    p->reserved = saved;
}

static inline void s_call(struct program *p)
{
    if (p->n_functions == 0) {
        s_block(p);
        return;
    }
    uint32_t to = p->function[p_below(p, p->n_functions)];
    unsigned form = p_below(p, 4);
    uint32_t saved = p->reserved;
    for (unsigned r = 0; r < 16; r++) {
        if (saved >> r & 1) {
            p_op(p, p_near(p), 0xff, 6, p_reg(r)); /* push */
        }
    }
    if (form < 2) {
        p_branch(p, 0xe8, to);
    } else if (form == 2) {
        p_set(p, R_AX, to);
        P_BYTES(p, "\xff\xd0");
    } else {
        p_op(p, p_near(p), 0xff, 2, own_slot(p));
    }
    for (unsigned r = 16; r-- > 0;) {
        if (saved >> r & 1) {
            p_op(p, p_near(p), 0x8f, 0, p_reg(r)); /* pop */
        }
    }
}

/* Which function an indirect call leads to. */
static inline void s_table(struct program *p)
{
    if (p->n_functions > 0) {
        p_op(p, p_near(p), 0xc7, 0, own_slot(p));
        p_imm(p, p_near(p), p->function[p_below(p, p->n_functions)]);
    }
    any_insn(p);
}

/* Returns without a call, calls without a return, RET n. */
static inline void s_return(struct program *p)
{
    unsigned size = p_near(p), hole;
    switch (p_below(p, 4)) {
    case 0:
        p_push(p, 0);
        hole = p->at - size;
        p_byte(p, 0xc3);
        some_insns(p, 2);
        p_patch(p, hole, size, p->at);
        break;
    case 1:
        p_branch(p, 0xe8, p->at + 1 + size);
        p_byte(p, 0x58);
        break;
    case 2: /* push; call f; jmp over; f: ret n; over: */
        p_push(p, p_random(p));
        p_branch(p, 0xe8, p->at + 2 * (1 + size));
        p_branch(p, 0xe9, p->at + 1 + size + 3);
        p_byte(p, 0xc2);
        p_word(p, p->bits / 8);
        break;
    default:
        some_insns(p, 2);
        break;
    }
}

/* One of four places by a register. */
static inline void s_switch(struct program *p)
{
    struct jump end[4];
    unsigned hole[4];
    for (unsigned i = 0; i < 4; i++) {
        p_op(p, p_near(p), 0xc7, 0, p_at(V_SWITCH + 8 * i));
        hole[i] = p->at;
        p_imm(p, p_near(p), 0);
    }
    p_op(p, p_near(p), 0x83, 4, p_reg(R_BX));
    p_byte(p, 0x18);
    struct place to = {.mem = true, .base = R_BX, .disp = V_SWITCH};
    p_op(p, p_near(p), 0xff, 4, to);
    for (unsigned i = 0; i < 4; i++) {
        p_patch(p, hole[i], p_near(p), p->at);
        some_insns(p, 3);
        end[i] = p_jmp(p);
    }
    for (unsigned i = 0; i < 4; i++) {
        p_here(p, end[i]);
    }
}

/* Made by program_kernel.h: what leaves the program for a while. */
static inline void s_elsewhere(struct program *p);

static inline void any_statement(struct program *p)
{
    static void (*const kinds[])(struct program *) = {
        s_block, s_block, s_loop, s_loop, s_short_loop, s_if, s_call, s_call, s_table, s_return,
        s_switch, s_elsewhere, s_elsewhere,
    };
    if (p->depth >= 3 || p->plain || p->at + 0x200 > p->end) {
        s_block(p);
        return;
    }
    p->depth++;
    kinds[p_below(p, ARRAY_SIZE(kinds))](p);
    p->depth--;
}

/* At most @P_FUNCTIONS. */
static inline void make_function(struct program *p)
{
    uint32_t start = p->at;
    for (unsigned n = 1 + p_below(p, 4); n > 0; n--) {
        any_statement(p);
    }
    make_site(p);
    if (p_below(p, 4) == 0 && p->n_functions > 0) {
        p_branch(p, 0xe9, p->function[p_below(p, p->n_functions)]);
    } else {
        p_byte(p, 0xc3);
    }
    for (unsigned i = 0; i < 2; i++) { /* for the next one */
        st32le(p->ram + V_TABLE + 16 * p->n_functions + 8 * i,
               start);
    }
    p->function[p->n_functions++] = start;
}

#endif
