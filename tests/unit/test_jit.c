/*
 * The JIT against the interpreter: random programs on both, in slices of random length; registers,
 * flags, segments and the instruction count must be equal after each slice, and memory after each
 * program. Programs loop, so that they are translated, overwrite themselves, fault and wrap.
 *
 * Usage: test_jit [PROGRAMS [SEED]]
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/interp_bench.h"
#include "tests/unit/jit_fpu.h"
#include "tests/unit/random.h"

#include "core/accel/jit/jit.h"
#include "core/cpu/disasm.h"

#include <stdio.h>
#include <unistd.h>

enum {
    CODE = 0x1000, PROG_BYTES = 160, HANDLER = 0x600, IDT = 0x0, GDT = 0x800, TSS = 0x880,
    DATA = 0x20000, HIGH_DATA = 0x120000, STACK = 0x8000, FAULT_STACK = 0x9000,
    PROGRAM_INSNS = 6000, TABLES = 0x50000, TABLES_BYTES = 0x4000, ALIAS = 0x200000,
    INTERRUPT = 32,
};
#define HIGH_ALIAS 0xffff800000000000ull

/* What kind of programs. */
struct kind {
    unsigned bits;
    bool paged, user;
    bool fpu;                    /* mostly x87, MMX and SSE */
};

struct pair {
    struct interp_bench *interp, *jit;
    uint64_t seed, first;
    struct kind kind;
    bool early;                  /* blocks soon become translations, and those units */
    uint8_t code[PROG_BYTES];
};

static unsigned programs = 200;
static uint64_t first_seed = 1;

static uint32_t next_random(struct pair *p)
{
    return random_32(&p->seed);
}

static uint32_t below(struct pair *p, uint32_t n)
{
    return next_random(p) % n;
}

static uint32_t below_opaque(void *p, uint32_t n)
{
    return below(p, n);
}

static struct interp_bench *new_bench(const struct kind *kind)
{
    return ibench_new(2 * MiB, kind->fpu ? "max" : "qemu64");
}

/* ---- programs ---- */

/* Segment registers but SS, and CLI: of the class that is for the system, but harmless. */
static bool harmless(const struct insn_info *info, const struct insn *in)
{
    uint8_t op = info->opcode;
    return info->map == MAP_M1 && (op == 0x8c || (op == 0x8e && in->reg != S_SS) || op == 0xfa ||
                                   ((op & 0xe6) == 0x06 && op != 0x17 && op < 0x20));
}

/* Neither ports nor HLT, which would end a slice early. */
static bool wanted(const struct insn_info *info, const struct insn *in)
{
    return !(info->attr & (A_IO | A_FAR | A_FPU)) && info->map <= MAP_M0F &&
           (info->test == TEST_N || info->test == TEST_T || info->test == TEST_J ||
            harmless(info, in));
}

static enum decode_mode decode_mode(const struct pair *p)
{
    return p->kind.bits == 16 ? DECODE_16 : p->kind.bits == 32 ? DECODE_32 : DECODE_64;
}

/* Random bytes with more prefixes than chance gives. */
static void random_bytes(struct pair *p, uint8_t bytes[16])
{
    unsigned at = 0;
    for (unsigned i = 0; i < 16; i++) {
        bytes[i] = (uint8_t)next_random(p);
    }
    if (below(p, 8) == 0) {
        bytes[at++] = 0x66;
    } else if (below(p, 16) == 0) {
        bytes[at++] = 0x67;
    }
    if (p->kind.bits == 64 && below(p, 3)) {
        bytes[at++] = (uint8_t)(0x40 | below(p, 16));
    }
    if (below(p, 4) == 0) {
        bytes[at] = 0x0f;
    }
}

/* Where there are 2 MiB only, a displacement of 32 bits leads into the data. */
static void tame_displacement(struct pair *p, const struct insn *in, uint8_t *bytes)
{
    bool rip = in->base == GPR_OFF_RIP;
    if (!p->kind.paged || !in->mem || (in->disp == (int8_t)in->disp && !rip)) {
        return;
    }
    for (unsigned i = 1; i + 4 <= in->len; i++) {
        if (ld32le(bytes + i) == (uint32_t)in->disp) {
            uint32_t none = in->base == GPR_OFF_ZERO ? DATA : 0;
            st32le(bytes + i, below(p, 0x3000) + (rip ? DATA - CODE : none));
            return;
        }
    }
}

static bool random_insn(struct pair *p, uint8_t bytes[16], struct insn *in)
{
    random_bytes(p, bytes);
    bool fpu = p->kind.fpu && below(p, 4);
    if (fpu) {
        fpu_bytes(bytes, p->kind.bits == 64, below_opaque, p);
    }
    if (decode(bytes, 15, decode_mode(p), in) != DECODE_OK) {
        return false;
    }
    const struct insn_info *info = &insn_info[in->row];
    if (fpu && fpu_wanted(info)) {
        fpu_align(bytes, in, below_opaque, p);
        return true;
    }
    return !fpu && wanted(info, in);
}

/* A string instruction with REP, of a small count: PUSH, POP CX. Rare: whatever jumps behind those
 * may have it do what takes long. */
static unsigned random_rep(struct pair *p, uint8_t *code)
{
    static const uint8_t ops[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf};
    unsigned n = 0;
    code[n++] = 0x6a;
    code[n++] = (uint8_t)below(p, 40);
    code[n++] = 0x59;
    if (below(p, 4) == 0) {
        code[n++] = 0x66;
    }
    code[n++] = (uint8_t)(0xf2 | below(p, 2));
    code[n++] = ops[below(p, sizeof(ops))];
    return n;
}

/* Random instructions behind each other, and a jump back to the first. */
static void make_code(struct pair *p)
{
    unsigned at = 0, most = 10 + below(p, PROG_BYTES - 40);
    memset(p->code, 0x90, sizeof(p->code));
    while (at < most) {
        uint8_t bytes[16];
        struct insn in;
        if (below(p, 800) == 0) {
            at += random_rep(p, p->code + at);
            continue;
        }
        if (!random_insn(p, bytes, &in) ||
            (in.adsize == 4 && p->kind.bits < 64 && below(p, 4))) {
            continue;
        }
        if (insn_info[in.row].attr & A_JUMP) {          /* near ones stay near */
            if (in.len > 2 || below(p, 2)) {
                continue;
            }
            bool backward = below(p, 8) == 0;
            uint8_t by = (uint8_t)(backward ? 0 - below(p, 24) : below(p, 24));
            bytes[1] = bytes[0] < 0x70 || bytes[0] == 0xff ? bytes[1] : by;
        }
        tame_displacement(p, &in, bytes);
        memcpy(p->code + at, bytes, in.len);
        at += in.len;
    }
    unsigned back = -PROG_BYTES;
    if (p->kind.bits > 16) {
        st32le(p->code + PROG_BYTES - 5 + 1, back);
        p->code[PROG_BYTES - 5] = 0xe9;
    } else {
        st16le(p->code + PROG_BYTES - 3 + 1, (uint16_t)back);
        p->code[PROG_BYTES - 3] = 0xe9;
    }
}

/* ---- handlers: they send the program back to its start with a sound stack and addresses ---- */

static unsigned push_number(uint8_t *to, uint32_t number)
{
    to[0] = 0x68;
    st32le(to + 1, number);
    return 5;
}

static void handler_64(struct interp_bench *b, const struct kind *kind)
{
    static const uint8_t refreshed[] = {R_BX, R_BP, R_SI, R_DI, R_8, R_9, R_12, R_13, R_15};
    bool user = kind->user;
    uint8_t code[160];
    unsigned n = kind->fpu ? fpu_handler(code, 64) : 0;
    for (unsigned i = 0; i < sizeof(refreshed); i++) {
        uint8_t reg = refreshed[i];
        code[n++] = 0x40 | reg >> 3;
        code[n++] = 0xb8 | (reg & 7);
        st32le(code + n, DATA + (kind->fpu ? 0x110u : 0x108u) * reg);
        n += 4;
    }
    n += push_number(code + n, user ? 0x23 : 0x10);
    n += push_number(code + n, STACK);
    code[n++] = 0x9c;                                   /* pushfq */
    n += push_number(code + n, user ? 0x2b : 8);
    n += push_number(code + n, CODE);
    code[n++] = 0x48;                                   /* iretq */
    code[n++] = 0xcf;
    ibench_poke(b, HANDLER, code, n);
    for (unsigned v = 0; v <= INTERRUPT; v++) {
        uint8_t gate[16] = {HANDLER & 0xff, HANDLER >> 8, 8, 0, 1, 0x8e};
        ibench_poke(b, IDT + v * 16, gate, sizeof(gate));
    }
}

static void make_handlers(struct interp_bench *b, const struct kind *kind)
{
    static const uint8_t handler16[] = {
        0xbc, STACK & 0xff, STACK >> 8,                 /* mov sp, STACK */
        0x9c, 0x0e, 0x68, CODE & 0xff, CODE >> 8, 0xcf, /* pushf; push cs; push CODE; iret */
    };
    static const uint8_t handler32[] = {
        0xbc, 0, STACK >> 8, 0, 0, 0x9c, 0x0e, 0x68, 0, CODE >> 8, 0, 0, 0xcf,
    };
    bool wide = kind->bits == 32;
    if (kind->bits == 64) {
        handler_64(b, kind);
        return;
    }
    uint8_t code[64];
    unsigned n = kind->fpu ? fpu_handler(code, kind->bits) : 0;
    ibench_poke(b, HANDLER, code, n);
    ibench_poke(b, HANDLER + n, wide ? handler32 : handler16,
                wide ? sizeof(handler32) : sizeof(handler16));
    for (unsigned v = 0; v <= INTERRUPT; v++) {
        uint8_t real[] = {HANDLER & 0xff, HANDLER >> 8, 0, 0};
        uint8_t gate[] = {HANDLER & 0xff, HANDLER >> 8, 8, 0, 0, 0x8e, 0, 0};
        ibench_poke(b, IDT + v * (wide ? 8 : 4), wide ? gate : real, wide ? 8 : 4);
    }
}

static void protected_mode(struct interp_bench *b)
{
    static const uint8_t gdt[] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x93, 0xcf,
        0,
        0xff, 0xff, 0, 0, 2, 0x93, 0, 0,                /* 64 KiB at DATA */
    };
    struct x86_state *s = &b->cpu->s;
    ibench_poke(b, GDT, gdt, sizeof(gdt));
    s->gdtr = (struct x86_dtr){.base = GDT, .limit = sizeof(gdt) - 1};
    s->idtr = (struct x86_dtr){.base = IDT, .limit = 8 * INTERRUPT + 7};
    ibench_flat(b);
}

static void put_entry(struct interp_bench *b, unsigned bytes, uint64_t table, unsigned i,
                      uint64_t val)
{
    st_le(ibench_mem(b, table + (uint64_t)i * bytes), val, bytes);
}

/* One to one for 2 MiB, with a page that cannot be written and one that is not there; the same
 * memory once more in large pages, and in 64-bit mode in the upper half. */
static void make_page_tables(struct interp_bench *b, unsigned bits)
{
    unsigned bytes = bits == 64 ? 8 : 4;
    uint64_t table = TABLES;
    if (bits == 64) {
        put_entry(b, 8, TABLES, 0, (TABLES + 0x1000) | 7);
        put_entry(b, 8, TABLES, 256, (TABLES + 0x1000) | 7);
        put_entry(b, 8, TABLES + 0x1000, 0, (TABLES + 0x2000) | 7);
        table = TABLES + 0x2000;
    }
    put_entry(b, bytes, table, 0, (TABLES + 0x3000) | 7);
    put_entry(b, bytes, table, 1, 0x87);
    for (unsigned i = 0; i < 512; i++) {
        bool read_only = (i & 0xff) == (DATA >> 12) + 2, none = (i & 0xff) == (DATA >> 12) + 3;
        put_entry(b, bytes, TABLES + 0x3000, i, i << 12 | (none ? 6 : read_only ? 5 : 7));
    }
    b->cpu->s.cr3 = TABLES;
    b->cpu->s.cr4 |= CR4_PSE | (bits == 64 ? CR4_PAE : 0);
    b->cpu->s.cr0 |= CR0_PG | CR0_WP;
}

static void long_mode(struct interp_bench *b, bool user)
{
    static const uint64_t gdt[] = {
        0, 0x00209b0000000000, 0x00cf93000000ffff, 0x000093020000ffff, 0x00cff3000000ffff,
        0x0020fb0000000000,
    };
    struct x86_state *s = &b->cpu->s;
    ibench_poke(b, GDT, gdt, sizeof(gdt));
    st64le(ibench_mem(b, TSS + 36), FAULT_STACK);       /* IST 1 */
    s->gdtr = (struct x86_dtr){.base = GDT, .limit = sizeof(gdt) - 1};
    s->idtr = (struct x86_dtr){.base = IDT, .limit = 16 * INTERRUPT + 15};
    s->tr = (struct x86_seg){.attr = 0x8b, .base = TSS, .limit = 0x67};
    uint32_t dpl = user ? AR_DPL : 0;
    for (unsigned i = 0; i < 6; i++) {
        s->seg[i] = (struct x86_seg){
            .sel = user ? 0x23 : 0x10, .attr = 0xc093 | dpl, .limit = 0xffffffff,
        };
    }
    s->seg[S_CS] = (struct x86_seg){
        .sel = user ? 0x2b : 8, .attr = 0xa09b | dpl, .limit = 0xffffffff,
    };
    s->seg[S_GS].base = 0x100;
    s->efer = EFER_LME | EFER_LMA;
    s->cr0 |= CR0_PE;
}

static void start(struct pair *p, struct interp_bench *b)
{
    struct x86_state *s = &b->cpu->s;
    uint64_t seed = p->seed;
    memset(ibench_mem(b, 0), 0, 2 * MiB);
    block_invalidate(b->e, 0, 2 * MiB);
    ibench_real(b, CODE);
    make_handlers(b, &p->kind);
    for (unsigned i = 0; i < 0x4000; i++) {
        *ibench_mem(b, DATA + i) = *ibench_mem(b, HIGH_DATA + i) = (uint8_t)next_random(p);
    }
    for (unsigned i = 0; p->kind.fpu && i < 0x4000; i += 16) {
        if (below(p, 4)) {
            fpu_number(ibench_mem(b, DATA + i), below_opaque, p);
            memcpy(ibench_mem(b, HIGH_DATA + i), ibench_mem(b, DATA + i), 16);
        }
    }
    uint32_t data = p->kind.bits > 16 && below(p, 2) ? HIGH_DATA : DATA; /* below and above 1 MiB */
    ibench_poke(b, CODE, p->code, sizeof(p->code));
    for (unsigned r = 0; r < (p->kind.bits == 64 ? 16 : 8); r++) {
        uint64_t at = data + below(p, 0x2ff0);
        at += p->kind.paged && !below(p, 4)        ? ALIAS
              : p->kind.bits == 64 && !below(p, 6) ? HIGH_ALIAS
                                                   : 0;
        s->gpr[r] = below(p, 2) ? next_random(p) & 0x1ffff : at;
        s->gpr[r] &= p->kind.fpu && below(p, 4) ? ~15ull : ~0ull;
    }
    if (p->kind.bits == 64) {
        long_mode(b, p->kind.user);
    } else if (p->kind.bits == 32) {
        protected_mode(b);
    } else {
        s->seg[S_DS].sel = s->seg[S_ES].sel = DATA >> 4;
        s->seg[S_DS].base = s->seg[S_ES].base = below(p, 4) ? DATA : 0;
    }
    if (p->kind.paged) {
        make_page_tables(b, p->kind.bits);
    }
    if (p->kind.fpu) {
        fpu_start(b, below_opaque, p);
    }
    s->gpr[R_SP] = STACK;
    s->rflags |= below(p, 2) ? FL_IF : 0;
    b->vector = INTERRUPT;
    atomic_store(b->cpu->pending, 0);
    x86_state_loaded(b->cpu);
    p->seed = seed;                                     /* the other one starts the same */
}

/* ---- comparing ---- */

static void show(const struct pair *p, const struct interp_bench *b, const char *name)
{
    const struct x86_state *s = &b->cpu->s;
    print_error("%-6s", name);
    for (unsigned i = 0; i < (p->kind.bits == 64 ? 16 : 8); i++) {
        print_error(" %08llx", (unsigned long long)s->gpr[i]);
    }
    print_error(" ip %llx fl %llx insns %llu\n", (unsigned long long)s->rip,
                (unsigned long long)x86_get_rflags(b->cpu),
                (unsigned long long)interp_icount(b->cpu));
}

static void show_code(const struct pair *p)
{
    for (unsigned at = 0; at < PROG_BYTES;) {
        char text[DISASM_TEXT];
        unsigned n = disasm(p->code + at, PROG_BYTES - at, p->kind.bits, CODE + at, text);
        print_error("%04x  %s\n", CODE + at, text);
        at += n;
    }
}

static bool same(struct pair *p)
{
    struct x86_cpu *a = p->interp->cpu, *b = p->jit->cpu;
    bool equal = a->s.rip == b->s.rip && x86_get_rflags(a) == x86_get_rflags(b) &&
                 memcmp(a->s.gpr, b->s.gpr, 8 * 16) == 0 && a->s.activity == b->s.activity &&
                 memcmp(a->s.dr, b->s.dr, sizeof(a->s.dr)) == 0;
    for (unsigned i = 0; i < 6; i++) {
        equal = equal && a->s.seg[i].sel == b->s.seg[i].sel &&
                a->s.seg[i].base == b->s.seg[i].base && a->s.seg[i].limit == b->s.seg[i].limit &&
                a->s.seg[i].attr == b->s.seg[i].attr;
    }
    equal = equal && fpu_same(&a->s, &b->s);
    return equal && memcmp(ibench_mem(p->interp, 0), ibench_mem(p->jit, 0), 0x40000) == 0 &&
           memcmp(ibench_mem(p->interp, TABLES), ibench_mem(p->jit, TABLES), TABLES_BYTES) == 0 &&
           memcmp(ibench_mem(p->interp, 0x110000), ibench_mem(p->jit, 0x110000), 0x20000) == 0;
}

static void set_thresholds(struct pair *p, bool early)
{
    struct jit *j = jit_of(p->jit->e);
    p->early = early;
    j->warm = early ? 3 : WARM;
    j->passes = early ? 2 : UNIT_PASSES;
}

static bool run_both(struct pair *p, unsigned n);
static void begin(struct pair *p, uint64_t seed);

/* Runs the program again for ever more instructions behind the last @done that were right. */
static void find_first(struct pair *p, unsigned done, unsigned slice)
{
    for (unsigned n = 1; n <= slice; n++) {
        struct pair again = {
            .interp = new_bench(&p->kind), .jit = new_bench(&p->kind), .kind = p->kind,
        };
        jit_attach(again.jit->e, NULL);
        set_thresholds(&again, p->early);
        begin(&again, p->first);
        for (unsigned i = 0; i < done; i += slice) {
            run_both(&again, slice);
        }
        struct x86_state before = again.interp->cpu->s;
        run_both(&again, n);
        if (!same(&again)) {
            print_error("differs %u instructions behind %u, ip %llx:\n", n, done,
                        (unsigned long long)before.rip);
            show(&again, again.interp, "interp");
            show(&again, again.jit, "jit");
            fpu_show(&again.interp->cpu->s, &again.jit->cpu->s, "interp");
            fpu_show(&again.jit->cpu->s, &again.interp->cpu->s, "jit");
            n = slice;
        }
        jit_detach(again.jit->e);
        ibench_free(again.interp);
        ibench_free(again.jit);
    }
}

static void check(struct pair *p, unsigned done, unsigned slice)
{
    if (!same(p)) {
        find_first(p, done, slice);
        print_error("%u bits, seed %llu\n", p->kind.bits, (unsigned long long)p->first);
        show(p, p->interp, "interp");
        show(p, p->jit, "jit");
        for (unsigned i = 0; i < 0x40000; i++) {
            if (*ibench_mem(p->interp, i) != *ibench_mem(p->jit, i)) {
                print_error("memory %05x: %02x, jit %02x\n", i, *ibench_mem(p->interp, i),
                            *ibench_mem(p->jit, i));
                break;
            }
        }
        show_code(p);
        fail_msg("the JIT differs");
    }
}

/* An interrupt comes before some slices, the same before each run of one. */
static bool run_both(struct pair *p, unsigned n)
{
    if (interp_icount(p->interp->cpu) % 7 == 3) {
        atomic_fetch_or(p->interp->cpu->pending, PEND_INTR);
        atomic_fetch_or(p->jit->cpu->pending, PEND_INTR);
    }
    p->interp->stop_at = interp_icount(p->interp->cpu) + n;
    p->jit->stop_at = interp_icount(p->jit->cpu) + n;
    enum vcpu_exit_reason why = ibench_run(p->interp);
    assert_int_equal(why, ibench_run(p->jit));
    return why == EXIT_SLICE;
}

static void begin(struct pair *p, uint64_t seed)
{
    p->first = p->seed = seed;
    next_random(p);
    make_code(p);
    start(p, p->interp);
    start(p, p->jit);
}

static void run_programs(struct kind kind)
{
    struct pair p = {
        .interp = new_bench(&kind), .jit = new_bench(&kind), .kind = kind,
    };
    assert_true(jit_attach(p.jit->e, NULL));
    for (unsigned n = 0; n < programs; n++) {
        set_thresholds(&p, n % 2);
        begin(&p, first_seed + n);
        unsigned slice = below(&p, 3) ? 400 : 1 + below(&p, below(&p, 2) ? 30 : 200), done = 0;
        while (done < PROGRAM_INSNS && run_both(&p, slice)) {
            check(&p, done, slice);
            done += slice;
        }
    }
    const struct jit_stats *stats = &jit_of(p.jit->e)->stats;
    print_message("%llu translations, %llu of several blocks, %llu dropped\n",
                  (unsigned long long)stats->translated, (unsigned long long)stats->units,
                  (unsigned long long)stats->dropped);
    assert_true(programs < 50 || stats->units > 0);
    jit_detach(p.jit->e);
    ibench_free(p.interp);
    ibench_free(p.jit);
}

static void random_16_bit_programs_run_as_on_the_interpreter(void **state)
{
    run_programs((struct kind){.bits = 16});
}

static void random_32_bit_programs_run_as_on_the_interpreter(void **state)
{
    run_programs((struct kind){.bits = 32});
    run_programs((struct kind){.bits = 32, .paged = true});
}

static void random_64_bit_programs_run_as_on_the_interpreter(void **state)
{
    run_programs((struct kind){.bits = 64, .paged = true});
    run_programs((struct kind){.bits = 64, .paged = true, .user = true});
}

static void random_floating_point_programs_run_as_on_the_interpreter(void **state)
{
    run_programs((struct kind){.bits = 16, .fpu = true});
    run_programs((struct kind){.bits = 32, .fpu = true});
    run_programs((struct kind){.bits = 64, .paged = true, .fpu = true});
    run_programs((struct kind){.bits = 32, .paged = true, .fpu = true});
    run_programs((struct kind){.bits = 64, .paged = true, .user = true, .fpu = true});
}

/* A branch through a register or the stack, often to code, then to an address that is none: the
 * fault's frame has the stack pointer from before the branch. */
static void bad_targets_fault_in_hot_code(void **state)
{
    static const uint8_t program[] = {
        0xb9, 40, 0, 0, 0,                              /* mov ecx, 40 */
        0x48, 0x8d, 0x05, 4, 0, 0, 0,                   /* again: lea rax, [back] */
        0xeb, 0,                                        /* jmp branch */
        0, 0,                                           /* branch: */
        0xff, 0xc9,                                     /* back: dec ecx */
        0x75, 0xf1,                                     /* jnz again */
        0x48, 0xb8, 0, 0, 0, 0, 0, 0x80, 0, 0,          /* mov rax, 1 << 47 */
        0xeb, 0xee,                                     /* jmp branch */
    };
    static const uint8_t branches[][2] = {
        {0x50, 0xc3},                                   /* push rax; ret */
        {0xff, 0xe0},                                   /* jmp rax */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(branches); i++) {
        struct pair p = {.kind = {.bits = 64, .paged = true}, .seed = i};
        p.interp = new_bench(&p.kind);
        p.jit = new_bench(&p.kind);
        assert_true(jit_attach(p.jit->e, NULL));
        memcpy(p.code, program, sizeof(program));
        memcpy(p.code + 14, branches[i], sizeof(branches[i]));
        start(&p, p.interp);
        start(&p, p.jit);
        for (unsigned slices = 0; slices < 200; slices++) {
            assert_true(run_both(&p, 61));
            assert_true(same(&p));
        }
        assert_int_equal(ld64le(ibench_mem(p.jit, FAULT_STACK - 16)), STACK - (i == 0 ? 8 : 0));
        assert_true(jit_of(p.jit->e)->stats.links > 0);
        jit_detach(p.jit->e);
        ibench_free(p.interp);
        ibench_free(p.jit);
    }
}

/* RCL and RCR of a byte by 9 change no flag, whatever the row says of OF. */
static void a_rotate_all_around_keeps_the_flags(void **state)
{
    static const uint8_t program[] = {
        0x46,                                           /* again: inc esi */
        0xc1, 0xce, 0x13,                               /* ror esi, 19: OF */
        0xc0, 0xdb, 9,                                  /* rcr bl, 9; or rcl */
        0x0f, 0x90, 0xc2,                               /* seto dl */
        0xeb, 0xf4,                                     /* jmp again */
    };
    for (unsigned i = 0; i < 2; i++) {
        struct pair p = {.kind = {.bits = 32, .paged = true}, .seed = i};
        p.interp = new_bench(&p.kind);
        p.jit = new_bench(&p.kind);
        assert_true(jit_attach(p.jit->e, NULL));
        memcpy(p.code, program, sizeof(program));
        p.code[5] ^= (uint8_t)(i << 3);
        start(&p, p.interp);
        start(&p, p.jit);
        for (unsigned slices = 0; slices < 40; slices++) {
            assert_true(run_both(&p, 61));
            assert_true(same(&p));
        }
        jit_detach(p.jit->e);
        ibench_free(p.interp);
        ibench_free(p.jit);
    }
}

/* No address is writable and executable. */
static void code_memory_is_never_writable_and_executable(void **state)
{
    struct interp_bench *b = ibench_new(1 * MiB, NULL);
    assert_true(jit_attach(b->e, NULL));
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned executable = 0;
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        const char *rights = strchr(line, ' ');
        assert_non_null(rights);
        assert_false(rights[2] == 'w' && rights[3] == 'x');
        executable += rights[3] == 'x' && strstr(line, "coldboot-code") != NULL;
    }
    fclose(maps);
    assert_int_equal(executable, 1);
    jit_detach(b->e);
    ibench_free(b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_16_bit_programs_run_as_on_the_interpreter),
        cmocka_unit_test(random_32_bit_programs_run_as_on_the_interpreter),
        cmocka_unit_test(random_64_bit_programs_run_as_on_the_interpreter),
        cmocka_unit_test(random_floating_point_programs_run_as_on_the_interpreter),
        cmocka_unit_test(bad_targets_fault_in_hot_code),
        cmocka_unit_test(a_rotate_all_around_keeps_the_flags),
        cmocka_unit_test(code_memory_is_never_writable_and_executable),
    };
    random_arguments(argc, argv, &programs, &first_seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
