/*
 * Descriptors in the GDT and the LDT, and the instructions that look at them: LAR, LSL, VERR, VERW,
 * LLDT, LTR.
 *
 * Source: [SDM3] "Segment Descriptors", "System Descriptor Types", "Busy Flag"; [SDM2] "LAR",
 *         "LSL", "VERR/VERW", "LLDT", "LTR".
 */
#include "core/cpu/mech.h"

static bool table_of(const struct x86_cpu *cpu, uint16_t sel, uint64_t *lin)
{
    uint32_t limit = cpu->s.gdtr.limit;
    uint64_t base = cpu->s.gdtr.base;
    if (sel & 4) {
        if (cpu->s.ldtr.attr & AR_UNUSABLE) {
            return false;
        }
        limit = cpu->s.ldtr.limit;
        base = cpu->s.ldtr.base;
    }
    *lin = x86_linear(cpu, base + (sel & 0xfff8));
    return (uint32_t)(sel | 7) <= limit;
}

bool x86_desc_read(struct x86_cpu *cpu, uint16_t sel, struct x86_desc *d)
{
    uint64_t lin;
    if (!table_of(cpu, sel, &lin)) {
        return false;
    }
    uint64_t raw = sys_read(cpu, lin, 8);
    *d = (struct x86_desc){
        .raw = raw, .lin = lin, .attr = (uint32_t)(raw >> 40) & 0xf0ff, .sel = sel,
    };
    return true;
}

void x86_desc_need(struct x86_cpu *cpu, uint16_t sel, struct x86_desc *d, unsigned vector)
{
    if (!x86_desc_read(cpu, sel, d)) {
        x86_fault(cpu, vector, SEL_ERR(sel));
    }
}

/* Stores @val in the byte with the type of the descriptor at @lin if that is @old, as one operation
 * for all other processors ([SDM3] "Automatic Locking"). */
static bool type_cas(struct x86_cpu *cpu, uint64_t lin, uint64_t old, uint64_t val)
{
    uint8_t explicit = cpu->super_tlb;
    uint64_t seen = old;
    lin = x86_linear(cpu, lin + 5);
    cpu->super_tlb = TLB_SUPER; /* as sys_write */
    uint8_t *p = x86_lin_host(cpu, lin, 1, false);
    if (likely(p)) {
        seen = x86_host_cas(cpu, p, old, val, 1);
    } else {
        x86_lin_write(cpu, lin, val, 1, false);
    }
    cpu->super_tlb = explicit;
    return seen == old;
}

void x86_desc_accessed(struct x86_cpu *cpu, struct x86_desc *d)
{
    uint64_t type = d->attr & 0xff;
    while (!(type & AR_ACCESSED) && !type_cas(cpu, d->lin, type, type | AR_ACCESSED)) {
        type = sys_read(cpu, d->lin + 5, 1);
    }
    d->attr |= AR_ACCESSED;
}

bool x86_desc_take(struct x86_cpu *cpu, const struct x86_desc *d)
{
    return type_cas(cpu, d->lin, d->attr & 0xff, (d->attr & 0xff) | TSS_BUSY);
}

void x86_desc_release(struct x86_cpu *cpu, uint16_t sel)
{
    uint64_t lin, type;
    if (table_of(cpu, sel, &lin)) {
        do {
            type = sys_read(cpu, lin + 5, 1);
        } while (!type_cas(cpu, lin, type, type & ~(uint64_t)TSS_BUSY));
    }
}

struct x86_seg x86_desc_seg(const struct x86_desc *d)
{
    uint32_t limit = (uint32_t)(d->raw & 0xffff) | ((uint32_t)(d->raw >> 32) & 0xf0000);
    return (struct x86_seg){
        .sel = d->sel,
        .attr = d->attr,
        .limit = d->attr & AR_G ? limit << 12 | 0xfff : limit,
        .base = (d->raw >> 16 & 0xffffff) | (d->raw >> 56) << 24,
    };
}

void x86_desc_high(struct x86_cpu *cpu, struct x86_desc *d)
{
    uint32_t limit = d->sel & 4 ? cpu->s.ldtr.limit : cpu->s.gdtr.limit;
    if ((uint32_t)((d->sel & 0xfff8) + 15) > limit) {
        x86_fault(cpu, X86_GP, SEL_ERR(d->sel));
    }
    d->high = sys_read(cpu, d->lin + 8, 8);
    if (d->high >> 40 & 0x1f) { /* the type there must be 0 */
        x86_fault(cpu, X86_GP, SEL_ERR(d->sel));
    }
    d->high &= 0xffffffff;
}

/* Bits 63:32 of the base of an LDT or TSS: descriptors of 16 bytes in 64-bit mode. */
static uint64_t high_base(struct x86_cpu *cpu, struct x86_desc *d)
{
    if (!(cpu->mode & MODE_CS64)) {
        return 0;
    }
    x86_desc_high(cpu, d);
    if (!x86_canonical(x86_desc_seg(d).base | d->high << 32)) {
        x86_fault(cpu, X86_GP, SEL_ERR(d->sel));
    }
    return d->high << 32;
}

void x86_lldt(struct x86_cpu *cpu, uint16_t sel)
{
    struct x86_desc d;
    if (sel_null(sel)) {
        cpu->s.ldtr = x86_null_seg(sel);
        return;
    }
    if (sel & 4) {
        x86_fault(cpu, X86_GP, SEL_ERR(sel));
    }
    x86_desc_need(cpu, sel, &d, X86_GP);
    if (attr_system(d.attr) != SYS_LDT) {
        x86_fault(cpu, X86_GP, SEL_ERR(sel));
    }
    if (!(d.attr & AR_P)) {
        x86_fault(cpu, X86_NP, SEL_ERR(sel));
    }
    uint64_t high = high_base(cpu, &d);
    cpu->s.ldtr = x86_desc_seg(&d);
    cpu->s.ldtr.base |= high;
}

/* A TSS that is there and available. */
static void available_tss(struct x86_cpu *cpu, uint16_t sel, struct x86_desc *d)
{
    x86_desc_need(cpu, sel, d, X86_GP);
    unsigned type = attr_system(d->attr);
    if (type != SYS_TSS32 && (type != SYS_TSS16 || cpu->lma)) {
        x86_fault(cpu, X86_GP, SEL_ERR(sel));
    }
    if (!(d->attr & AR_P)) {
        x86_fault(cpu, X86_NP, SEL_ERR(sel));
    }
}

void x86_ltr(struct x86_cpu *cpu, uint16_t sel)
{
    struct x86_desc d;
    uint64_t high;
    if (sel_null(sel)) {
        x86_fault(cpu, X86_GP, 0);
    }
    if (sel & 4) {
        x86_fault(cpu, X86_GP, SEL_ERR(sel));
    }
    do {
        available_tss(cpu, sel, &d);
        high = high_base(cpu, &d);
    } while (!x86_desc_take(cpu, &d));
    d.attr |= TSS_BUSY;
    cpu->s.tr = x86_desc_seg(&d);
    cpu->s.tr.base |= high;
}

/* [SDM2] "LAR", "LSL": CPL and RPL must not be less privileged than DPL, but for conforming
 * code. */
static bool visible(const struct x86_cpu *cpu, const struct x86_desc *d)
{
    unsigned dpl = attr_dpl(d->attr);
    return attr_conforming(d->attr) || (cpu->cpl <= dpl && sel_rpl(d->sel) <= dpl);
}

bool x86_lar(struct x86_cpu *cpu, uint16_t sel, uint32_t *out)
{
    static const uint16_t legacy = BIT(SYS_TSS16) | BIT(SYS_LDT) | BIT(SYS_TSS16_BUSY) |
                                   BIT(SYS_CALL16) | BIT(SYS_TASK) | BIT(SYS_TSS32) |
                                   BIT(SYS_TSS32_BUSY) | BIT(SYS_CALL32);
    static const uint16_t wide =
        BIT(SYS_LDT) | BIT(SYS_TSS32) | BIT(SYS_TSS32_BUSY) | BIT(SYS_CALL32);
    struct x86_desc d;
    if (sel_null(sel) || !x86_desc_read(cpu, sel, &d)) {
        return false;
    }
    if (!(d.attr & AR_S) && !((cpu->lma ? wide : legacy) >> (d.attr & AR_TYPE) & 1)) {
        return false;
    }
    *out = (uint32_t)(d.raw >> 32) & 0x00ffff00; /* bits 19:16 are undefined: those of the limit */
    return visible(cpu, &d);
}

bool x86_lsl(struct x86_cpu *cpu, uint16_t sel, uint32_t *out)
{
    static const uint16_t legacy = BIT(SYS_TSS16) | BIT(SYS_LDT) | BIT(SYS_TSS16_BUSY) |
                                   BIT(SYS_TSS32) | BIT(SYS_TSS32_BUSY);
    static const uint16_t wide = BIT(SYS_LDT) | BIT(SYS_TSS32) | BIT(SYS_TSS32_BUSY);
    struct x86_desc d;
    if (sel_null(sel) || !x86_desc_read(cpu, sel, &d)) {
        return false;
    }
    if (!(d.attr & AR_S) && !((cpu->lma ? wide : legacy) >> (d.attr & AR_TYPE) & 1)) {
        return false;
    }
    *out = x86_desc_seg(&d).limit;
    return visible(cpu, &d);
}

bool x86_ver(struct x86_cpu *cpu, uint16_t sel, bool write)
{
    struct x86_desc d;
    if (sel_null(sel) || !x86_desc_read(cpu, sel, &d) || !(d.attr & AR_S)) {
        return false;
    }
    if (write) {
        return attr_writable_data(d.attr) && visible(cpu, &d);
    }
    return (!attr_code(d.attr) || (d.attr & AR_READABLE)) && visible(cpu, &d);
}
