/*
 * Where accesses will probably be: what the registers had when the part of the translation began,
 * and what its instructions make of them, where that is easily told.
 *
 * Model:  a guess only decides which way an access tries first. Of a register that is not known
 *         any more nothing is added to an address: what is left is where a table begins.
 */
#include "core/accel/jit/translate.h"

static bool is_sure(const struct trans *t, unsigned offset)
{
    return offset > GPR_OFF(R_15) || !(t->unsure >> (offset >> 3) & 1);
}

bool trans_is_unsure(const struct trans *t)
{
    return t->in->mem && !(is_sure(t, t->in->base) && is_sure(t, t->in->index));
}

static bool is_derived(const struct trans *t, unsigned offset)
{
    return offset <= GPR_OFF(R_15) && (t->derived >> (offset >> 3) & 1);
}

bool trans_is_derived(const struct trans *t)
{
    return t->in->mem && (is_derived(t, t->in->base) || is_derived(t, t->in->index));
}

uint64_t trans_guess_ea(const struct trans *t)
{
    return insn_ea_by(t->regs, t->in);
}

void trans_guess_begin(struct trans *t, const uint64_t gpr[16])
{
    memcpy(t->regs, gpr, 16 * sizeof(gpr[0]));
    t->regs[GPR_OFF_ZERO / 8] = 0;
    t->regs[GPR_OFF_RIP / 8] = t->jb->rip;
    t->unsure = 0;
}

/* What memory has there now, if the TLB leads to it. */
static bool peek(const struct trans *t, uint64_t lin, unsigned size, uint64_t *val)
{
    const struct tlb_entry *e =
        &t->j->e->cpu.tlbs[t->context->tlb][lin >> PAGE_BITS & (TLB_SIZE - 1)];
    const uint8_t *at = (const uint8_t *)(uintptr_t)(lin + e->addend);
    if (e->rtag != (lin & ~PAGE_OFFSET) || (lin & PAGE_OFFSET) + size > PAGE_BYTES) {
        return false;
    }
    *val = size == 8 ? ld64le(at) : size == 4 ? ld32le(at) : size == 2 ? ld16le(at) : *at;
    return true;
}

/* The operand that is not the first one. */
static bool second_operand(const struct trans *t, unsigned size, uint64_t *val)
{
    struct trans_operands o = trans_operands_of(t->in);
    if (o.imm) {
        *val = t->in->imm;
        return true;
    }
    if (t->in->mem) {
        return !trans_is_unsure(t) && trans_is_plain(t, t->in->seg, 0) &&
               peek(t, trans_guess_ea(t), size, val);
    }
    *val = t->regs[o.from >> 3];
    return is_sure(t, o.from) && !(o.from & 7);
}

static bool alu_result(const struct trans *t, unsigned to, uint64_t b, uint64_t *val)
{
    uint64_t a = t->regs[to];
    switch (trans_alu_op(t->in)) {
    case 0: *val = a + b; break;
    case 1: *val = a | b; break;
    case 4: *val = a & b; break;
    case 5: *val = a - b; break;
    case 6: *val = a ^ b; break;
    default: return false;
    }
    return is_sure(t, GPR_OFF(to));
}

/* What the instruction makes of register *@to. */
static bool result(const struct trans *t, unsigned *to, uint64_t *val)
{
    const struct insn *in = t->in;
    trans_emitter emitter = trans_emitters[in->row];
    unsigned opcode = t->info->opcode, size = in->opsize;
    struct trans_operands o = trans_operands_of(in);
    uint64_t b;
    *to = o.to >> 3;
    if (size < 4 || (in->mem && !o.g)) {
        return false;
    }
    if (emitter == emit_lea_insn) {
        *val = trans_guess_ea(t);
        return !trans_is_unsure(t);
    }
    if (emitter == emit_movx) {
        unsigned from = opcode & 1 ? 2 : 1;
        uint64_t sign = opcode < 0xb8 ? 0 : 1ull << (8 * from - 1);
        bool known = second_operand(t, from, &b);
        *val = known ? ((b & (~0ull >> (64 - 8 * from))) ^ sign) - sign : 0;
        return known;
    }
    if (emitter == emit_movsxd) {
        bool known = second_operand(t, 4, &b);
        *val = known ? (uint64_t)(int64_t)(int32_t)b : 0;
        return known;
    }
    if (emitter == emit_alu && trans_alu_op(in) == 6 && o.to == o.from) {
        *val = 0;
        return !in->mem;
    }
    if ((emitter != emit_move && emitter != emit_alu) || !second_operand(t, size, &b)) {
        return false;
    }
    *val = b;
    return emitter == emit_move || alu_result(t, *to, b, val);
}

/* The stack stays where it is. */
static bool is_stack(const struct trans *t, unsigned reg)
{
    return reg == R_SP || (reg == R_BP && !t->wide);
}

void trans_guess_over(struct trans *t)
{
    uint32_t writes = trans_writes(t->in);
    unsigned to = 0;
    uint64_t val = 0;
    bool known = writes && result(t, &to, &val);
    for (; writes; writes &= writes - 1) {
        unsigned reg = (unsigned)__builtin_ctz(writes);
        int32_t by;
        if (trans_moves_by(t, t->in, GPR_OFF(reg), &by)) {
            t->regs[reg] += (uint64_t)(int64_t)by;
            continue;
        }
        t->derived |= (uint16_t)(is_stack(t, reg) ? 0 : 1u << reg);
        if (known && reg == to) {
            t->regs[reg] = t->in->opsize == 8 ? val : (uint32_t)val;
            t->unsure &= (uint16_t)~(1u << reg);
        } else if (!is_stack(t, reg)) {
            t->regs[reg] = t->context->paged ? 0 : t->regs[reg];
            t->unsure |= (uint16_t)(1u << reg);
        }
    }
}
