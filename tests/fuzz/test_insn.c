/*
 * Random code in random modes on the interpreter: real, virtual-8086, protected 16 and 32 bits,
 * 32-bit, PAE and 4-level paging, compatibility and 64-bit mode, CPL 0 to 3, with tables, stacks
 * and page tables that are partly nonsense, interrupts in between, and code that overwrites itself
 * and them. Nothing a guest does may crash or hang, or leave a state that does not fit together;
 * with SAN=1 the sanitizers look on.
 *
 * Usage: test_insn [-n ROUNDS] [-s SEED]
 */
#include "tests/insn/encode.h"
#include "tests/unit/interp_long.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    RAM_BYTES = 1 << 20,
    GDT = 0x1000,
    LDT = 0x2000,
    IDT = 0x3000,
    TSS = 0x5000,
    PAGES = 0x10000, /* PML4 or PD, PDPT, PD, PT: a page each */
    CODE = 0x20000,
    CODE_BYTES = 0x2000,
    STACK = 0x30000,
    SLICE = 64, /* instructions between interrupts */
    SLICES = 8,
    LIMIT_S = 600,
};
enum mode { REAL, V86, PROTECTED, PAGED_32, PAGED_PAE, LONG, MODES };

struct fuzz {
    struct interp_bench *b;
    struct x86_model model;
    struct random r;
    uint64_t instructions;
    unsigned exits[EXIT_ERROR + 1];
};

static uint64_t below(struct fuzz *f, uint64_t n)
{
    return (rnd(&f->r) >> 16) % n;
}

/* ---- what the guest finds in memory ---- */

static void random_code(struct fuzz *f, enum decode_mode mode)
{
    uint8_t code[CODE_BYTES + 32];
    unsigned at = 0;
    while (at < CODE_BYTES) {
        unsigned row = 1 + (unsigned)below(f, ROW_COUNT - 1);
        uint8_t *p = put_opcode(&f->r, &insn_info[row], mode, code + at);
        if (insn_info[row].has_modrm) {
            *p++ = random_modrm(&f->r, &insn_info[row]);
        }
        for (unsigned i = 0; i < 8; i++) {
            p[i] = (uint8_t)random_integer(&f->r);
        }
        struct insn in;
        bool known = decode(code + at, INSN_MAX_BYTES, mode, &in) == DECODE_OK;
        at = known ? at + in.len : (unsigned)(p - code);
    }
    ibench_poke(f->b, CODE, code, CODE_BYTES);
}

static uint64_t random_descriptor(struct fuzz *f)
{
    static const uint16_t good[] = {0xc09b, 0xc093, 0xc0fb, 0xc0f3, 0xa09b, 0xa0fb, 0x009b, 0x0093,
                                    0x00fb, 0x00f3, 0x409f, 0x40ff, 0x4097, 0xc0f7, 0xc0bb, 0xc0d3};
    static const uint16_t system[] = {0x89, 0x8b, 0x81, 0x82, 0x8c, 0xec, 0x84, 0xe5, 0x8e, 0xee};
    uint64_t v = rnd(&f->r) >> 8;
    uint64_t attr =
        v & 7 ? good[(v >> 8) % ARRAY_SIZE(good)] : system[(v >> 8) % ARRAY_SIZE(system)];
    uint64_t base = v & 0x30000 ? 0 : (v >> 20 & 0xfffff), limit = v & 0xc0000 ? 0xfffff : v >> 40;
    if ((v & 0xf0000000) == 0) {
        return rnd(&f->r);
    }
    return (limit & 0xffff) | (base & 0xffffff) << 16 | (attr & 0xff) << 40 |
           (limit >> 16 & 15) << 48 | (attr >> 12) << 52;
}

static uint16_t random_selector(struct fuzz *f)
{
    return (uint16_t)(rnd(&f->r) & 7 ? below(f, 32) * 8 | below(f, 8) : rnd(&f->r) >> 40);
}

/* Mostly a code and a data segment of level 0 for the handlers, and stacks for them. */
static void sane_tables(struct fuzz *f, bool wide, enum decode_mode size)
{
    uint64_t code = size == DECODE_64 || wide ? 0x00af9b000000ffff
                    : size == DECODE_32       ? 0x00cf9b000000ffff
                                              : 0x00009b020000ffff;
    if (below(f, 8)) {
        st64le(ibench_mem(f->b, GDT) + 8, code);
        st64le(ibench_mem(f->b, GDT) + 16, 0x00cf93000000ffff);
    }
    if (below(f, 8)) {
        for (unsigned i = 4; i < 0x64; i += 8) {
            st64le(ibench_mem(f->b, TSS) + i,
                   wide ? STACK + 0x4000 : 0x1000000000 | (STACK + 0x4000));
        }
    }
}

static void random_tables(struct fuzz *f, bool wide)
{
    static const uint8_t gates[] = {0x8e, 0xee, 0x8f, 0xef, 0x86, 0x87, 0x85, 0xe5};
    for (unsigned i = 0; i < 32; i++) {
        st64le(ibench_mem(f->b, GDT) + 8 * i, random_descriptor(f));
        st64le(ibench_mem(f->b, LDT) + 8 * i, random_descriptor(f));
    }
    for (unsigned v = 0; v < 256; v++) {
        uint64_t to = CODE + below(f, CODE_BYTES), type = gates[below(f, ARRAY_SIZE(gates))];
        uint64_t gate = (to & 0xffff) | (uint64_t)(below(f, 4) ? 8 : random_selector(f)) << 16 |
                        (wide ? below(f, 4) << 32 : 0) | type << 40 | (to >> 16) << 48;
        st64le(ibench_mem(f->b, IDT) + v * (wide ? 16 : 8), below(f, 16) ? gate : rnd(&f->r));
        if (wide) {
            st64le(ibench_mem(f->b, IDT) + v * 16 + 8, 0);
        }
    }
    for (unsigned i = 0; i < 0x100; i += 4) {
        st32le(ibench_mem(f->b, TSS) + i,
               (uint32_t)(below(f, 2) ? random_selector(f) : STACK + below(f, 0x1000)));
    }
}

static uint64_t random_entry(struct fuzz *f, uint64_t to)
{
    return to | 7 | (below(f, 24) ? 0 : rnd(&f->r) & 0x80000000000001ff);
}

/* The first megabyte and a bit, one to one. */
static void random_pages(struct fuzz *f, enum mode mode)
{
    uint8_t *top = ibench_mem(f->b, PAGES);
    memset(top, 0, 0x4000);
    if (mode == PAGED_32) {
        st32le(top, (uint32_t)random_entry(f, PAGES + 0x1000) & ~0x80u);
        for (unsigned i = 0; i < 1024; i++) {
            st32le(top + 0x1000 + 4 * i, (uint32_t)random_entry(f, (uint64_t)i << 12));
        }
        return;
    }
    st64le(top, mode == LONG ? PAGES + 0x1007 : PAGES + 0x2001);
    st64le(top + 0x1000, PAGES + 0x2007);
    st64le(top + 0x2000, random_entry(f, PAGES + 0x3000) & ~0x80ull);
    for (unsigned i = 0; i < 512; i++) {
        st64le(top + 0x3000 + 8 * i, random_entry(f, (uint64_t)i << 12));
    }
}

/* ---- the processor ---- */

static struct x86_seg flat_seg(unsigned cpl, unsigned type, bool wide, bool is_long)
{
    uint32_t size = is_long ? AR_L : wide ? AR_DB : 0;
    return (struct x86_seg){.sel = (uint16_t)(8 | cpl),
                            .limit = wide ? 0xffffffff : 0xffff,
                            .attr = AR_P | AR_S | AR_ACCESSED | type | cpl << AR_DPL_SHIFT | size |
                                    (wide ? AR_G : 0)};
}

static void random_segs(struct fuzz *f, enum mode mode, enum decode_mode size)
{
    struct x86_state *s = &f->b->cpu->s;
    unsigned cpl = mode == V86 ? 3 : mode == REAL ? 0 : (unsigned)below(f, 4);
    for (unsigned i = 0; i < 6; i++) {
        if (mode == REAL || mode == V86) {
            s->seg[i] = (struct x86_seg){.sel = 0x2000,
                                         .base = 0x20000,
                                         .limit = 0xffff,
                                         .attr = AR_P | AR_S | AR_WRITABLE | AR_ACCESSED |
                                                 cpl << AR_DPL_SHIFT};
            continue;
        }
        bool wide = size != DECODE_16 && below(f, 8);
        s->seg[i] = flat_seg(cpl, AR_WRITABLE, wide, false);
        s->seg[i].base = wide ? 0 : 0x20000;
        if (i > S_SS && below(f, 8) == 0) {
            s->seg[i] = (struct x86_seg){.attr = AR_UNUSABLE};
        }
    }
    if (mode != REAL && mode != V86) {
        s->seg[S_CS] = flat_seg(cpl, AR_CODE | AR_READABLE, size != DECODE_16, size == DECODE_64);
        s->seg[S_CS].base = size == DECODE_16 ? CODE : 0;
    }
}

static void random_controls(struct fuzz *f, enum mode mode)
{
    static const uint64_t cr4 = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PGE | CR4_PCE |
                                CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE |
                                CR4_OSXSAVE | CR4_SMEP | CR4_SMAP;
    struct x86_state *s = &f->b->cpu->s;
    s->cr0 = CR0_ET | (mode != REAL ? CR0_PE : 0) | (mode >= PAGED_32 ? CR0_PG : 0);
    s->cr0 |= (rnd(&f->r) & (CR0_MP | CR0_NE | CR0_WP | CR0_AM)) |
              (below(f, 16) ? 0 : rnd(&f->r) & (CR0_EM | CR0_TS));
    s->cr4 = (rnd(&f->r) & cr4) | (below(f, 4) ? CR4_OSFXSR | CR4_OSXSAVE : 0);
    s->cr4 |= mode >= PAGED_PAE ? CR4_PAE : 0;
    if (below(f, 4)) {
        s->cr4 &= ~(uint64_t)(CR4_SMEP | CR4_SMAP);
    }
    s->cr3 = PAGES;
    s->efer = (mode == LONG ? EFER_LME | EFER_LMA : 0) | (rnd(&f->r) & (EFER_SCE | EFER_NXE));
    s->pdpte[0] = PAGES + 0x2001;
    s->xcr0 = below(f, 4) ? 7 : 3;
    s->gdtr = (struct x86_dtr){.base = GDT, .limit = 0xff};
    s->idtr = (struct x86_dtr){.base = IDT, .limit = 0xfff};
    s->ldtr = (struct x86_seg){.sel = 0x18, .base = LDT, .limit = 0xff, .attr = 0x82};
    s->tr = (struct x86_seg){.sel = 0x20,
                             .base = TSS,
                             .limit = below(f, 4) ? 0xff : 0x67,
                             .attr = below(f, 8) ? 0x8b : 0x83};
}

static void random_state(struct fuzz *f, enum mode mode, enum decode_mode size)
{
    struct x86_state *s = &f->b->cpu->s;
    x86_state_reset(s, f->model.signature, false);
    s->a20 = true;
    random_controls(f, mode);
    random_segs(f, mode, size);
    for (unsigned i = 0; i < 16; i++) {
        s->gpr[i] = below(f, 2) ? STACK + below(f, 0x8000) : random_integer(&f->r);
        random_vector(&f->r, s->ymm[i], 32);
    }
    for (unsigned i = 0; i < 8; i++) {
        s->fpr[i] = random_extended(&f->r);
    }
    s->fcw = (uint16_t)((rnd(&f->r) & 0xf3f) | 0x40);
    s->ftag = (uint8_t)rnd(&f->r);
    s->mxcsr = (uint32_t)rnd(&f->r) & 0xffff;
    s->gpr[R_SP] = size == DECODE_16 ? 0x8000 : STACK + 0x8000;
    s->rip = (size == DECODE_16 ? 0 : CODE) + below(f, CODE_BYTES);
    s->rflags = (rnd(&f->r) & (FL_OSZAPC | FL_IF | FL_DF | FL_IOPL | FL_AC)) | FL_1 |
                (mode == V86 ? FL_VM : 0) | (below(f, 16) ? 0 : FL_TF);
    if (below(f, 16) == 0) {
        s->dr[7] = rnd(&f->r) & 0xffff03ff;
        s->dr[0] = CODE + below(f, CODE_BYTES);
        s->dr[1] = STACK + below(f, 0x1000);
    }
    x86_state_loaded(f->b->cpu);
}

/* ---- runs ---- */

/* What is derived from the state fits it. */
static void check_derived(struct fuzz *f)
{
    static struct x86_cpu fresh;
    const struct x86_cpu *cpu = f->b->cpu;
    memset(&fresh, 0, sizeof(fresh));
    fresh.s = cpu->s;
    fresh.model = cpu->model;
    x86_mode_changed(&fresh);
    if (fresh.cpl != cpu->cpl || fresh.mode != cpu->mode || fresh.stack_mask != cpu->stack_mask ||
        memcmp(fresh.seg_top_r, cpu->seg_top_r, sizeof(fresh.seg_top_r)) != 0 ||
        memcmp(fresh.seg_top_w, cpu->seg_top_w, sizeof(fresh.seg_top_w)) != 0 ||
        !(cpu->s.rflags & FL_1) || cpu->s.gpr[16] != 0) {
        printf("the derived state does not fit, cr0 %llx rflags %llx cs %x\n",
               (unsigned long long)cpu->s.cr0, (unsigned long long)cpu->s.rflags,
               cpu->s.seg[S_CS].sel);
        abort();
    }
}

static void one_round(struct fuzz *f)
{
    enum mode mode = (enum mode)below(f, MODES);
    enum decode_mode size =
        mode <= V86 ? DECODE_16 : (enum decode_mode)below(f, mode == LONG ? 3 : 2);
    random_tables(f, mode == LONG);
    sane_tables(f, mode == LONG, size);
    random_pages(f, mode);
    random_code(f, size);
    random_state(f, mode, size);
    for (unsigned i = 0; i < SLICES; i++) {
        uint64_t before = interp_icount(f->b->cpu);
        f->b->stop_at = before + SLICE;
        enum vcpu_exit_reason reason = ibench_run(f->b);
        f->exits[reason]++;
        f->instructions += interp_icount(f->b->cpu) - before;
        if (reason == EXIT_SHUTDOWN || reason == EXIT_ERROR) {
            return;
        }
        check_derived(f);
        f->b->vector = (int)(below(f, 4) ? 32 + below(f, 8) : below(f, 256));
        atomic_fetch_or(f->b->cpu->pending, below(f, 4) ? PEND_INTR : PEND_NMI);
    }
}

int main(int argc, char **argv)
{
    static struct fuzz f;
    const char *set = getenv("COLDBOOT_TEST_SET");
    unsigned long rounds = set != NULL && !strcmp(set, "reduced") ? 1500 : 4000, seed = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        rounds = !strcmp(argv[i], "-n") ? strtoul(argv[i + 1], NULL, 0) : rounds;
        seed = !strcmp(argv[i], "-s") ? strtoul(argv[i + 1], NULL, 0) : seed;
    }
    alarm(LIMIT_S + (unsigned)(rounds / 100)); /* a hang ends the test */
    f.b = ibench_new(RAM_BYTES, "max");
    f.model = *x86_model_find("max");
    memset(f.model.features, 0xff, sizeof(f.model.features));
    f.b->cpu->model = &f.model;
    for (unsigned long i = 0; i < rounds; i++) {
        f.r = random_begin(seed, i);
        one_round(&f);
    }
    printf("%lu rounds, %llu instructions, %u halts, %u shutdowns\n", rounds,
           (unsigned long long)f.instructions, f.exits[EXIT_HALT], f.exits[EXIT_SHUTDOWN]);
    ibench_free(f.b);
    return f.instructions == 0;
}
