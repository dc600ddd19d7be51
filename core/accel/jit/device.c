/*
 * Device accesses of translated code that need less around them than a slow instruction: what they
 * do touches no flags, and cannot fault.
 */
#include "core/accel/jit/jit.h"

#include "core/accel/interp/run.h"

/* As if the interpreter were at this instruction. */
static void be_at(struct interp *e, const struct jit_block *jb, unsigned index)
{
    struct x86_cpu *cpu = &e->cpu;
    e->block = jb->block;
    cpu->cur = &jb->block->insns[index];
    cpu->block_rip = jb->rip;
    interp_trail_block(e, jb->block,
                       (jit_of(e)->contexts[jb->context].cs_base + jb->rip) & cpu->lin_mask);
}

/* Behind the access, which may have done anything to the machine. */
static int go_on(struct interp *e, const struct jit_block *jb, const struct insn *next)
{
    if (unlikely(!interp_goes_on(e))) {
        interp_after_device(&e->cpu);
    }
    if (unlikely(jit_is_stopped(jit_of(e), jb))) {
        e->cpu.cur = next;
        return 1;
    }
    return 0;
}

int jit_io(struct x86_cpu *cpu, struct jit_block *jb, unsigned index, unsigned access)
{
    struct interp *e = interp_of(cpu);
    const struct insn *in = &jb->block->insns[index];
    unsigned port = access & 0xffff, size = access >> IO_SIZE_SHIFT & 7;
    if (unlikely(!x86_io_free(cpu) || cpu->watch_ports || jit_of(e)->check != NULL)) {
        return jit_slow(cpu, jb, index);
    }
    cpu->s.gpr[GPR_OFF_RIP / 8] = jb->rip;
    be_at(e, jb, index);
    if (access & IO_WRITE) {
        uint64_t val = cpu->s.gpr[R_AX] & size_mask(size);
        cpu->host_ops->write(cpu->host, cpu->ports, port, val, size);
    } else {
        uint64_t val = cpu->host_ops->read(cpu->host, cpu->ports, port, size);
        reg_w(cpu, GPR_OFF(R_AX), val, size);
    }
    return go_on(e, jb, in + 1);
}

static uint64_t sign_extended(uint64_t val, unsigned size)
{
    return (uint64_t)((int64_t)(val << (64 - 8 * size)) >> (64 - 8 * size));
}

int jit_device(struct x86_cpu *cpu, struct jit_block *jb, unsigned index, unsigned move)
{
    struct interp *e = interp_of(cpu);
    const struct insn *in = &jb->block->insns[index];
    unsigned size = move >> MOVE_SIZE_SHIFT & 15, seg = in->seg;
    bool store = move & MOVE_STORE;
    cpu->s.gpr[GPR_OFF_RIP / 8] = jb->rip;
    uint64_t off = move & MOVE_ABSOLUTE ? in->imm : insn_ea(cpu, in), phys;
    uint64_t lin = (cpu->s.seg[seg].base + off) & cpu->lin_mask, page = lin & ~PAGE_OFFSET;
    const struct tlb_entry *t = x86_tlb_slot(cpu, lin);
    if (off + size > (store ? cpu->seg_top_w[seg] : cpu->seg_top_r[seg]) ||
        (store ? t->wtag : t->rtag) == page || jit_of(e)->check != NULL ||
        !x86_device_at(cpu, t, lin, size, store ? PERM_W : PERM_R, &phys)) {
        return jit_slow(cpu, jb, index);
    }
    be_at(e, jb, index);
    if (store) {
        uint64_t val = move & MOVE_IMM ? in->imm : reg_r(cpu, move & 0xff, size);
        cpu->host_ops->write(cpu->host, cpu->space, phys, val & size_mask(size), size);
    } else {
        uint64_t val = cpu->host_ops->read(cpu->host, cpu->space, phys, size) & size_mask(size);
        val = move & MOVE_SIGNED ? sign_extended(val, size) : val;
        reg_w(cpu, move & 0xff, val, move >> MOVE_TO_SHIFT & 15);
    }
    return go_on(e, jb, in + 1);
}
