/*
 * Segment registers: limits and types of accesses, loads in every mode, stacks.
 *
 * Source: [SDM3] "Protection" (limit, type and privilege checking), "Segment Registers"; [SDM2]
 *         "MOV", "POP", "PUSH"; [SDM3] "Switching Back to Real-Address Mode" for what stays in the
 *         caches.
 * Model:  real-address mode changes base and selector only: limit and attributes stay as they were.
 *         Types count there too, except that CS can always be read and written.
 */
#include "core/cpu/decode.h"
#include "core/cpu/mech.h"

/* ---- access checks ---- */

static bool may(const struct x86_cpu *cpu, unsigned seg, bool write)
{
    uint32_t attr = cpu->s.seg[seg].attr;
    if (attr & AR_UNUSABLE) {
        return false;
    }
    if (!cpu->pe && seg == S_CS) {
        return true;
    }
    return write ? attr_writable_data(attr) : !attr_code(attr) || (attr & AR_READABLE);
}

static bool expands_down(const struct x86_seg *s)
{
    return (s->attr & (AR_S | AR_CODE | AR_DOWN)) == (AR_S | AR_DOWN);
}

/* [SDM3] "Limit Checking". @size is at least 1. */
static bool in_limit(const struct x86_seg *s, uint64_t off, unsigned size)
{
    uint64_t last = off + size - 1;
    if (expands_down(s)) {
        return off > s->limit && last <= (s->attr & AR_DB ? 0xffffffffu : 0xffffu);
    }
    /* [SDM3] "Limit Checking": whether a segment of 4 GiB faults where an access wraps is up to the
     * implementation; Intel's do not. */
    return last <= s->limit || s->limit == 0xffffffff;
}

void x86_derive_seg(struct x86_cpu *cpu, unsigned seg)
{
    const struct x86_seg *s = &cpu->s.seg[seg];
    uint8_t based = cpu->seg_based & (uint8_t)(1u << seg);
    uint64_t r, w;
    if (cpu->mode & MODE_CS64) {
        /* No limits; what is not canonical misses the TLB, and the walk refuses it. */
        bool plain = s->base == 0 || seg == S_FS || seg == S_GS;
        r = w = plain && !cpu->align_check ? ~0ull : 0;
    } else {
        uint64_t top = expands_down(s) || cpu->align_check ? 0 : (uint64_t)s->limit + 1;
        r = may(cpu, seg, false) ? top : 0;
        w = may(cpu, seg, true) ? top : 0;
        based = (uint8_t)((s->base != 0) << seg);
    }
    cpu->seg_changes += r != cpu->seg_top_r[seg] || w != cpu->seg_top_w[seg] ||
                        based != (cpu->seg_based & 1u << seg);
    cpu->seg_based = (uint8_t)((cpu->seg_based & ~(1u << seg)) | based);
    cpu->seg_top_r[seg] = r;
    cpu->seg_top_w[seg] = w;
}

_Noreturn static void bad_address(struct x86_cpu *cpu, unsigned seg)
{
    x86_fault(cpu, seg == S_SS ? X86_SS : X86_GP, 0);
}

/* An access relative to RSP, or to RBP for ENTER and LEAVE, that the instruction does by itself. */
static bool implicit_stack(const struct x86_cpu *cpu, uint64_t lin)
{
    return (insn_info[cpu->cur->row].attr & A_STACK) &&
           (lin - cpu->s.gpr[R_SP] + 256 < 512 || lin - cpu->s.gpr[R_BP] + 256 < 512);
}

/* An access to the memory operand of the instruction. */
static bool at_operand(const struct x86_cpu *cpu, const struct insn *in, uint64_t lin)
{
    bool based = in->seg == S_FS || in->seg == S_GS;
    return in->mem && lin - insn_ea(cpu, in) - (based ? cpu->s.seg[in->seg].base : 0) < 32;
}

void x86_not_canonical(struct x86_cpu *cpu, uint64_t lin)
{
    const struct insn *in = cpu->cur;
    bool operand = in && in->mem && (at_operand(cpu, in, lin) || !implicit_stack(cpu, lin));
    bool stack = operand ? in->seg == S_SS : in && implicit_stack(cpu, lin);
    bad_address(cpu, stack ? S_SS : S_DS);
}

/* [SDM3] "Interrupt 17 - Alignment Check Exception (#AC)". Unsure: here it comes before a page
 * fault. */
void x86_align_check(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned align)
{
    bool based = !(cpu->mode & MODE_CS64) || seg == S_FS || seg == S_GS;
    uint64_t lin = off + (based ? cpu->s.seg[seg].base : 0);
    if (unlikely(cpu->align_check) && (lin & (align - 1))) {
        x86_fault(cpu, X86_AC, 0);
    }
}

static uint64_t linear_64(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned size)
{
    uint64_t lin = off + (seg == S_FS || seg == S_GS ? cpu->s.seg[seg].base : 0);
    if (!x86_canonical(lin) || !x86_canonical(lin + size - 1)) {
        bad_address(cpu, seg);
    }
    return lin;
}

uint64_t x86_seg_check(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned size, bool write)
{
    const struct x86_seg *s = &cpu->s.seg[seg];
    if (cpu->mode & MODE_CS64) {
        return linear_64(cpu, seg, off, size);
    }
    if (!may(cpu, seg, write) || !in_limit(s, off, size)) {
        bad_address(cpu, seg);
    }
    return (uint32_t)(s->base + off);
}

static uint64_t check_words(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned size,
                            bool write)
{
    uint64_t lin = x86_seg_check(cpu, seg, off, size, write);
    if (size == 2 || size == 4 || size == 8) {
        x86_align_check(cpu, seg, off, size);
    }
    return lin;
}

uint64_t x86_seg_read_check(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned size)
{
    return check_words(cpu, seg, off, size, false);
}

uint64_t x86_seg_write_check(struct x86_cpu *cpu, unsigned seg, uint64_t off, unsigned size)
{
    return check_words(cpu, seg, off, size, true);
}

/* ---- loads ---- */

void x86_put_seg(struct x86_cpu *cpu, unsigned seg, const struct x86_seg *val)
{
    cpu->s.seg[seg] = *val;
    if (seg == S_CS || seg == S_SS) {
        x86_code_changed(cpu);
    } else {
        x86_derive_seg(cpu, seg);
    }
}

struct x86_seg x86_v86_seg(uint16_t sel)
{
    return (struct x86_seg){
        .sel = sel, .base = (uint32_t)sel << 4, .limit = 0xffff,
        .attr = AR_P | AR_DPL | AR_S | AR_WRITABLE | AR_ACCESSED,
    };
}

static void load_real(struct x86_cpu *cpu, unsigned seg, uint16_t sel)
{
    struct x86_seg *s = &cpu->s.seg[seg];
    s->sel = sel;
    s->base = (uint32_t)sel << 4;
    if (unlikely(s->attr & AR_UNUSABLE)) {
        /* A null selector from protected mode: its cache has no limit either; unsure. */
        *s = x86_v86_seg(sel);
        s->attr &= ~(uint32_t)AR_DPL;
        x86_mode_changed(cpu);
    }
}

void x86_stack_desc(struct x86_cpu *cpu, uint16_t sel, unsigned cpl, unsigned vector,
                    struct x86_desc *d)
{
    if (sel_null(sel)) {
        x86_fault(cpu, vector, 0);
    }
    x86_desc_need(cpu, sel, d, vector);
    if (sel_rpl(sel) != cpl || !attr_writable_data(d->attr) || attr_dpl(d->attr) != cpl) {
        x86_fault(cpu, vector, SEL_ERR(sel));
    }
    if (!(d->attr & AR_P)) {
        x86_fault(cpu, X86_SS, SEL_ERR(sel));
    }
}

/* [SDM2] "MOV": loading DS, ES, FS, GS. */
static void data_desc(struct x86_cpu *cpu, uint16_t sel, struct x86_desc *d)
{
    x86_desc_need(cpu, sel, d, X86_GP);
    bool code = attr_code(d->attr);
    if (!(d->attr & AR_S) || (code && !(d->attr & AR_READABLE)) ||
        (!attr_conforming(d->attr) &&
         (sel_rpl(sel) > attr_dpl(d->attr) || cpu->cpl > attr_dpl(d->attr)))) {
        x86_fault(cpu, X86_GP, SEL_ERR(sel));
    }
    if (!(d->attr & AR_P)) {
        x86_fault(cpu, X86_NP, SEL_ERR(sel));
    }
}

void x86_load_seg(struct x86_cpu *cpu, unsigned seg, uint16_t sel)
{
    struct x86_desc d;
    struct x86_seg val;
    if (!cpu->pe) {
        load_real(cpu, seg, sel);
        return;
    }
    if (cpu->vm) {
        val = x86_v86_seg(sel);
    } else if (seg == S_SS && sel_null(sel) && (cpu->mode & MODE_CS64) && cpu->cpl < 3 &&
               sel_rpl(sel) == cpu->cpl) {
        val = x86_null_seg(sel);
        val.attr |= (uint32_t)cpu->cpl << AR_DPL_SHIFT; /* CPL lives there */
    } else if (seg != S_SS && sel_null(sel)) {
        val = x86_null_seg(sel);
    } else {
        if (seg == S_SS) {
            x86_stack_desc(cpu, sel, cpu->cpl, X86_GP, &d);
        } else {
            data_desc(cpu, sel, &d);
        }
        x86_desc_accessed(cpu, &d);
        val = x86_desc_seg(&d);
    }
    x86_put_seg(cpu, seg, &val);
}

struct x86_seg x86_code_seg(struct x86_cpu *cpu, const struct x86_desc *d, unsigned cpl)
{
    if (cpu->lma && (d->attr & (AR_L | AR_DB)) == (AR_L | AR_DB)) {
        x86_fault(cpu, X86_GP, SEL_ERR(d->sel));
    }
    if (!(d->attr & AR_P)) {
        x86_fault(cpu, X86_NP, SEL_ERR(d->sel));
    }
    struct x86_seg cs = x86_desc_seg(d);
    cs.base = attr_code64(cpu, d->attr) ? 0 : cs.base; /* not used there */
    cs.sel = (uint16_t)((cs.sel & ~3u) | cpl);
    cs.attr |= AR_ACCESSED;
    return cs;
}

void x86_check_rip(struct x86_cpu *cpu, const struct x86_seg *cs, uint64_t rip)
{
    if (attr_code64(cpu, cs->attr)) {
        if (!x86_canonical(rip)) {
            x86_fault(cpu, X86_GP, 0);
        }
    } else if (rip > cs->limit) {
        x86_fault(cpu, X86_GP, 0);
    }
}

/* [SDM2] "RET", "IRET": RETURN-TO-OUTER-PRIVILEGE-LEVEL. What becomes or is null has selector 0,
 * without an RPL. The base, which may have come from an MSR, stays: 64-bit code uses that of FS and
 * GS. */
void x86_drop_segs(struct x86_cpu *cpu, unsigned cpl)
{
    static const uint8_t data[] = {S_ES, S_FS, S_GS, S_DS};
    for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
        struct x86_seg *s = &cpu->s.seg[data[i]];
        if (sel_null(s->sel)) {
            s->sel = 0;
        } else if (!attr_conforming(s->attr) && !(s->attr & AR_UNUSABLE) &&
                   attr_dpl(s->attr) < cpl) {
            s->sel = 0;
            s->attr = AR_UNUSABLE;
            x86_derive_seg(cpu, data[i]);
        }
    }
}

/* ---- stacks ---- */

void x86_set_sp(struct x86_cpu *cpu, uint64_t sp)
{
    if (cpu->stack_mask == 0xffff) {
        cpu->s.gpr[R_SP] = (cpu->s.gpr[R_SP] & ~0xffffull) | (sp & 0xffff);
    } else {
        cpu->s.gpr[R_SP] = sp & cpu->stack_mask;
    }
}

void x86_push(struct x86_cpu *cpu, uint64_t val, unsigned size)
{
    uint64_t sp = (cpu->s.gpr[R_SP] - size) & cpu->stack_mask;
    x86_lin_write(cpu, x86_lin_w(cpu, S_SS, sp, size), val, size, cpu->cpl == 3);
    x86_set_sp(cpu, sp);
}

uint64_t x86_stack_peek(struct x86_cpu *cpu, unsigned at, unsigned size)
{
    uint64_t off = (cpu->s.gpr[R_SP] + at) & cpu->stack_mask;
    return size == 8   ? x86_ld64(cpu, S_SS, off)
           : size == 4 ? x86_ld32(cpu, S_SS, off)
                       : x86_ld16(cpu, S_SS, off);
}

void x86_stack_drop(struct x86_cpu *cpu, unsigned bytes)
{
    x86_set_sp(cpu, cpu->s.gpr[R_SP] + bytes);
}

uint64_t x86_pop(struct x86_cpu *cpu, unsigned size)
{
    uint64_t val = x86_stack_peek(cpu, 0, size);
    x86_stack_drop(cpu, size);
    return val;
}

void x86_stack_current(struct x86_cpu *cpu, struct x86_stack *st)
{
    st->seg = cpu->s.seg[S_SS];
    st->mask = cpu->stack_mask;
    st->sp = cpu->s.gpr[R_SP];
    st->user = cpu->cpl == 3;
    st->error = 0;
    st->n = 0;
}

void x86_stack_new(struct x86_stack *st, const struct x86_seg *seg, uint64_t sp, unsigned cpl)
{
    st->seg = *seg;
    st->mask = seg->attr & AR_DB ? 0xffffffff : 0xffff;
    st->sp = sp;
    st->user = cpl == 3;
    st->error = SEL_ERR(seg->sel);
    st->n = 0;
}

void x86_stack_long(struct x86_cpu *cpu, struct x86_stack *st, unsigned cpl, uint64_t rsp)
{
    x86_stack_current(cpu, st);
    if (cpl != cpu->cpl) {
        st->seg = x86_null_seg((uint16_t)cpl);
        st->seg.attr |= cpl << AR_DPL_SHIFT; /* CPL lives there */
    }
    st->mask = ~0ull;
    st->sp = rsp;
    st->user = cpl == 3;
}

static uint64_t stack_linear(struct x86_cpu *cpu, const struct x86_stack *st, uint64_t off,
                             unsigned size)
{
    if (st->mask == ~0ull) {
        if (!x86_canonical(off) || !x86_canonical(off + size - 1)) {
            x86_fault(cpu, X86_SS, st->error);
        }
        return off;
    }
    if (!in_limit(&st->seg, off, size)) {
        x86_fault(cpu, X86_SS, st->error);
    }
    return (uint32_t)(st->seg.base + off);
}

/* The host address of what all items take up together, if the TLB has it and nothing can fault. */
static uint8_t *stack_at_hand(struct x86_cpu *cpu, const struct x86_stack *st, unsigned size)
{
    unsigned total = st->n * size;
    uint64_t off = (st->sp - total) & st->mask, last = off + total - 1;
    bool wide = st->mask == ~0ull;
    if (unlikely(last < off || last > st->mask || (cpu->align_check && st->user) ||
                 !(wide || in_limit(&st->seg, off, total)))) {
        return NULL;
    }
    return x86_at_hand(cpu, wide ? off : (uint32_t)(st->seg.base + off), total, true,
                       st->user ? TLB_USER : cpu->super_tlb);
}

void x86_stack_check(struct x86_cpu *cpu, const struct x86_stack *st, unsigned size)
{
    if (likely(stack_at_hand(cpu, st, size) != NULL)) {
        return;
    }
    uint64_t sp = st->sp, checked = 1; /* page address; 1 is none */
    for (unsigned i = 0; i < st->n; i++) {
        sp = (sp - size) & st->mask;
        uint64_t lin = stack_linear(cpu, st, sp, size);
        if (cpu->align_check && st->user && (lin & (size - 1))) {
            x86_fault(cpu, X86_AC, 0);
        }
        if ((lin & ~PAGE_OFFSET) != checked || (lin & PAGE_OFFSET) + size > PAGE_BYTES) {
            x86_lin_probe_write(cpu, lin, size, st->user);
            checked = lin & ~PAGE_OFFSET;
        }
    }
}

static void put_item(uint8_t *to, uint64_t item, unsigned size)
{
    if (size == 8) {
        st64le(to, item);
    } else if (size == 4) {
        st32le(to, (uint32_t)item);
    } else {
        st16le(to, (uint16_t)item);
    }
}

void x86_stack_write(struct x86_cpu *cpu, struct x86_stack *st, unsigned size)
{
    unsigned total = st->n * size;
    uint8_t *host = stack_at_hand(cpu, st, size);
    if (likely(host)) {
        for (unsigned i = 0; i < st->n; i++) {
            put_item(host + total - (i + 1) * size, st->item[i], size);
        }
        x86_stored(cpu, host, total);
        st->sp = (st->mask == 0xffff ? st->sp & ~0xffffull : 0) | ((st->sp - total) & st->mask);
        return;
    }
    for (unsigned i = 0; i < st->n; i++) {
        st->sp = (st->mask == 0xffff ? st->sp & ~0xffffull : 0) | ((st->sp - size) & st->mask);
        x86_lin_write(cpu, stack_linear(cpu, st, st->sp & st->mask, size), st->item[i], size,
                      st->user);
    }
}
