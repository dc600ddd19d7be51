/* See emit.h. */
#include "core/accel/jit/emit.h"

#include <string.h>

void emit_u8(struct emit *e, unsigned byte)
{
    if (e->at == e->end) {
        e->full = true;
        return;
    }
    *e->at++ = (uint8_t)byte;
}

void emit_imm(struct emit *e, uint64_t val, unsigned bytes)
{
    for (; bytes > 0; bytes--, val >>= 8) {
        emit_u8(e, val & 0xff);
    }
}

static bool high_byte(enum host_reg r)
{
    return r >= HOST_AH && r <= HOST_BH;
}

/* What the three bits of an encoding hold; AH is encoded as SP without REX. */
static unsigned low3(enum host_reg r)
{
    return high_byte(r) ? r - HOST_AH + 4u : r & 7u;
}

static unsigned rex_bit(enum host_reg r)
{
    return r >= HOST_8 && r <= HOST_15;
}

/* SPL, BPL, SIL and DIL are told from AH and its like by any REX. */
static bool low_byte(enum host_reg r)
{
    return r >= HOST_SP && r <= HOST_DI;
}

static bool byte_source(unsigned op, unsigned size)
{
    return size == 1 || op == 0x0fb6 || op == 0x0fbe;
}

/* Prefixes and opcode; @bare: a REX even if it says nothing. */
static void head(struct emit *e, unsigned op, unsigned size, bool bare, unsigned r, unsigned x,
                 unsigned b)
{
    unsigned rex = (size == 8 ? 8u : 0) | r << 2 | x << 1 | b;
    if (size == 2) {
        emit_u8(e, 0x66);
    }
    if (op >> 24) {
        emit_u8(e, op >> 24);
    }
    if (rex || bare) {
        emit_u8(e, 0x40 | rex);
    }
    if (op & 0xff0000) {
        emit_u8(e, op >> 16 & 0xff);
    }
    if (op & 0xffff00) {
        emit_u8(e, op >> 8 & 0xff);
    }
    emit_u8(e, op & 0xff);
}

void emit_rr(struct emit *e, unsigned op, unsigned size, enum host_reg reg, enum host_reg rm)
{
    bool bare = (byte_source(op, size) && low_byte(rm)) ||
                (size == 1 && low_byte(reg) && !high_byte(rm));
    head(e, op, size, bare, rex_bit(reg), 0, rex_bit(rm));
    emit_u8(e, 0xc0 | low3(reg) << 3 | low3(rm));
}

/* ModRM, SIB and displacement. */
static void memory_at(struct emit *e, enum host_reg reg, const struct host_mem *m)
{
    bool no_base = m->base == HOST_NONE, no_index = m->index == HOST_NONE;
    /* Without a base the displacement has 32 bits; BP and R13 as a base need one. */
    bool disp8 = !no_base && m->disp == (int8_t)m->disp;
    bool disp0 = disp8 && m->disp == 0 && low3(m->base) != 5;
    unsigned mod = no_base || disp0 ? 0 : disp8 ? 1 : 2;
    if (no_index && !no_base && low3(m->base) != 4) {
        emit_u8(e, mod << 6 | low3(reg) << 3 | low3(m->base));
    } else {
        emit_u8(e, mod << 6 | low3(reg) << 3 | 4);
        emit_u8(e, (unsigned)m->scale << 6 | (no_index ? 4 : low3(m->index)) << 3 |
                       (no_base ? 5 : low3(m->base)));
    }
    if (no_base || mod == 2) {
        emit_imm(e, (uint32_t)m->disp, 4);
    } else if (mod == 1) {
        emit_imm(e, (uint8_t)m->disp, 1);
    }
}

static void memory(struct emit *e, enum host_reg reg, const struct host_mem *m)
{
    struct host_mem at = *m;
    if (m->base == HOST_CONTEXT) {
        at.base = e->context ? HOST_NONE : HOST_14;
        at.disp += (int32_t)e->context;
    }
    memory_at(e, reg, &at);
}

static unsigned index_bit(const struct host_mem *m)
{
    return m->index != HOST_NONE && rex_bit(m->index);
}

static unsigned base_bit(const struct emit *e, const struct host_mem *m)
{
    return m->base == HOST_CONTEXT ? e->context == 0 : m->base != HOST_NONE && rex_bit(m->base);
}

void emit_rm(struct emit *e, unsigned op, unsigned size, enum host_reg reg,
             const struct host_mem *m)
{
    head(e, op, size, size == 1 && low_byte(reg), rex_bit(reg), index_bit(m), base_bit(e, m));
    memory(e, reg, m);
}

/* Three-byte VEX and opcode ([SDM2] 2.3.5 "The VEX Prefix"). */
static void vex_head(struct emit *e, const struct host_vex *v, unsigned r, unsigned x, unsigned b)
{
    unsigned prefix = v->op >> 24, pp = prefix == 0x66 ? 1 : prefix == 0xf3 ? 2 : prefix ? 3 : 0;
    unsigned map = (v->op & 0xffff00) == 0x0f3800 ? 2 : (v->op & 0xffff00) == 0x0f3a00 ? 3 : 1;
    emit_u8(e, 0xc4);
    emit_u8(e, (r ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | map);
    emit_u8(e, (unsigned)v->w << 7 | (v->vvvv ^ 15u) << 3 | (unsigned)v->l << 2 | pp);
    emit_u8(e, v->op & 0xff);
}

void emit_vex_rr(struct emit *e, struct host_vex v, enum host_reg reg, enum host_reg rm)
{
    vex_head(e, &v, rex_bit(reg), 0, rex_bit(rm));
    emit_u8(e, 0xc0 | low3(reg) << 3 | low3(rm));
}

void emit_vex_rm(struct emit *e, struct host_vex v, enum host_reg reg, const struct host_mem *m)
{
    vex_head(e, &v, rex_bit(reg), index_bit(m), base_bit(e, m));
    memory(e, reg, m);
}

void emit_o(struct emit *e, unsigned op, unsigned size, enum host_reg reg)
{
    head(e, op | low3(reg), size, false, 0, 0, rex_bit(reg));
}

void emit_mov_imm(struct emit *e, enum host_reg reg, uint64_t val)
{
    if (val == (uint32_t)val) {
        emit_o(e, 0xb8, 4, reg);
        emit_imm(e, val, 4);
    } else if ((int64_t)val == (int32_t)val) {
        emit_rr(e, 0xc7, 8, 0, reg);
        emit_imm(e, val, 4);
    } else {
        emit_o(e, 0xb8, 8, reg);
        emit_imm(e, val, 8);
    }
}

uint8_t *emit_jcc(struct emit *e, unsigned cc)
{
    emit_u8(e, 0x0f);
    emit_u8(e, 0x80 | cc);
    emit_imm(e, 0, 4);
    return e->at - 4;
}

uint8_t *emit_jcc_short(struct emit *e, unsigned cc)
{
    emit_u8(e, 0x70 | cc);
    emit_u8(e, 0);
    return e->at - 1;
}

uint8_t *emit_jmp(struct emit *e)
{
    emit_u8(e, 0xe9);
    emit_imm(e, 0, 4);
    return e->at - 4;
}

uint8_t *emit_call_to(struct emit *e)
{
    emit_u8(e, 0xe8);
    emit_imm(e, 0, 4);
    return e->at - 4;
}

uint8_t *emit_lea_code(struct emit *e, enum host_reg reg)
{
    head(e, 0x8d, 8, false, rex_bit(reg), 0, 0);
    emit_u8(e, low3(reg) << 3 | 5);                     /* RIP + disp32 */
    emit_imm(e, 0, 4);
    return e->at - 4;
}

void emit_link(uint8_t *at, const uint8_t *to)
{
    int32_t disp = (int32_t)(to - (at + 4));
    memcpy(at, &disp, 4);
}

uint8_t *emit_jrcxz(struct emit *e, unsigned size)
{
    if (size == 4) {
        emit_u8(e, 0x67);
    }
    emit_u8(e, 0xe3);
    emit_u8(e, 0);
    return e->at - 1;
}

void emit_link_short(uint8_t *at, const uint8_t *to)
{
    *at = (uint8_t)(to - (at + 1));
}
