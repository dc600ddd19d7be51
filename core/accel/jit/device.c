/*
 * Device accesses of translated code that need less around them than a slow instruction: what they
 * do touches no flags, and cannot fault.
 */
#include "core/accel/jit/jit.h"

#include "core/accel/interp/run.h"

/* Registers are stored and loaded whole around these functions: a part that is written here alone
 * would make the processor wait for it there. */
static uint64_t part_of(const struct x86_cpu *cpu, unsigned off)
{
    return cpu->s.gpr[off >> 3] >> 8 * (off & 7);
}

static void set_part(struct x86_cpu *cpu, unsigned off, uint64_t val, unsigned size)
{
    uint64_t *reg = &cpu->s.gpr[off >> 3];
    unsigned shift = 8 * (off & 7);
    uint64_t kept = size >= 4 ? 0 : *reg & ~(size_mask(size) << shift);
    *reg = kept | (val & size_mask(size)) << shift;
}

/* As if the interpreter were at this instruction. */
static inline void be_at(struct interp *e, const struct jit_block *jb, const struct insn *in)
{
    struct x86_cpu *cpu = &e->cpu;
    cpu->budget += jb->rest;
    e->block = jb->block;
    cpu->cur = in;
    cpu->block_rip = jb->rip;
    interp_trail_block(e, jb->block, (cpu->s.seg[S_CS].base + jb->rip) & cpu->lin_mask);
}

/* Behind the access, which may have done anything to the machine; @losses: tlb_losses before. */
static inline int go_on(struct interp *e, const struct jit_block *jb, const struct insn *next,
                        uint64_t losses)
{
    if (unlikely(!interp_goes_on(e))) {
        interp_after_device(&e->cpu);
    }
    if (unlikely(!jit_goes_on(jit_of(e), jb, losses))) {
        e->cpu.cur = next;
        return 1;
    }
    e->cpu.budget -= jb->rest;
    return 0;
}

int jit_io(struct x86_cpu *cpu, struct jit_block *jb, unsigned index, unsigned access)
{
    struct interp *e = interp_of(cpu);
    const struct insn *in = &jb->block->insns[index];
    unsigned port = access & 0xffff, size = access >> IO_SIZE_SHIFT & 7;
    if (unlikely(!x86_io_free(cpu) || cpu->watch_ports)) {
        return jit_slow(cpu, jb, index);
    }
    cpu->s.gpr[GPR_OFF_RIP / 8] = jb->rip;
    uint64_t losses = cpu->tlb_losses;
    be_at(e, jb, in);
    if (access & IO_WRITE) {
        uint64_t val = cpu->s.gpr[R_AX] & size_mask(size);
        cpu->host_ops->write(cpu->host, cpu->ports, port, val, size);
    } else {
        uint64_t val = cpu->host_ops->read(cpu->host, cpu->ports, port, size);
        set_part(cpu, GPR_OFF(R_AX), val, size);
    }
    return go_on(e, jb, in + 1, losses);
}

/* The physical address of a move's operand, if it is simply a device's. */
static inline bool device_operand(struct x86_cpu *cpu, const struct jit_block *jb,
                                  const struct insn *in, unsigned move, bool store,
                                  uint64_t *phys)
{
    unsigned size = move >> MOVE_SIZE_SHIFT & 15, seg = in->seg;
    cpu->s.gpr[GPR_OFF_RIP / 8] = jb->rip;
    uint64_t off = move & MOVE_ABSOLUTE ? in->imm : insn_ea(cpu, in);
    uint64_t lin = (cpu->s.seg[seg].base + off) & cpu->lin_mask, page = lin & ~PAGE_OFFSET;
    const struct tlb_entry *t = x86_tlb_slot(cpu, lin);
    return off + size <= (store ? cpu->seg_top_w[seg] : cpu->seg_top_r[seg]) &&
           (store ? t->wtag : t->rtag) != page &&
           x86_device_at(cpu, t, lin, size, store ? PERM_W : PERM_R, phys);
}

int jit_store(struct x86_cpu *cpu, struct jit_block *jb, unsigned index, unsigned move)
{
    struct interp *e = interp_of(cpu);
    const struct insn *in = &jb->block->insns[index];
    unsigned size = move >> MOVE_SIZE_SHIFT & 15;
    uint64_t phys;
    if (!device_operand(cpu, jb, in, move, true, &phys)) {
        return jit_slow(cpu, jb, index);
    }
    uint64_t losses = cpu->tlb_losses;
    be_at(e, jb, in);
    uint64_t val = move & MOVE_IMM ? in->imm : part_of(cpu, move & 0xff);
    cpu->host_ops->write(cpu->host, cpu->space, phys, val & size_mask(size), size);
    return go_on(e, jb, in + 1, losses);
}

static uint64_t sign_extended(uint64_t val, unsigned size)
{
    return (uint64_t)((int64_t)(val << (64 - 8 * size)) >> (64 - 8 * size));
}

int jit_load(struct x86_cpu *cpu, struct jit_block *jb, unsigned index, unsigned move)
{
    struct interp *e = interp_of(cpu);
    const struct insn *in = &jb->block->insns[index];
    unsigned size = move >> MOVE_SIZE_SHIFT & 15;
    uint64_t phys;
    if (!device_operand(cpu, jb, in, move, false, &phys)) {
        return jit_slow(cpu, jb, index);
    }
    uint64_t losses = cpu->tlb_losses;
    be_at(e, jb, in);
    uint64_t val = cpu->host_ops->read(cpu->host, cpu->space, phys, size) & size_mask(size);
    val = move & MOVE_SIGNED ? sign_extended(val, size) : val;
    set_part(cpu, move & 0xff, val, move >> MOVE_TO_SHIFT & 15);
    return go_on(e, jb, in + 1, losses);
}
