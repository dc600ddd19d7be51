/*
 * Random programs with all that a system does, on the interpreter and the JIT: loops of several
 * blocks, calls and returns that match or not, stores to code that is run next, interrupts at any
 * instruction, pages that move or go, address spaces, A20, MSRs and descriptors that change, and
 * trips between privilege levels and widths of code. Both must be in the same state after each
 * slice.
 *
 * Usage: test_random_system [PROGRAMS [SEED]]
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/interp_bench.h"
#include "tests/fuzz/program_kernel.h"

#include "core/accel/jit/check.h"
#include "core/cpu/disasm.h"

#include <stdio.h>

enum { PROGRAM_INSNS = 40000, SLICE = 300 };

static const struct kind {
    const char *name;
    unsigned bits;
    bool paged, user;
} kinds[] = {
    {"real mode", 16, false, false},
    {"flat 32-bit code", 32, false, false},
    {"paged 32-bit code", 32, true, false},
    {"32-bit code at CPL 3", 32, true, true},
    {"64-bit code", 64, true, false},
    {"64-bit code at CPL 3", 64, true, true},
};

static unsigned programs = 20;
static uint64_t first_seed = 1;

/* Both engines, and what the test does to them in between. */
struct run {
    struct interp_bench *interp, *jit;
    const struct kind *kind;
    struct program p;            /* p.ram: how memory begins */
    uint64_t seed, chance;
    uint64_t restarts;
};

static uint32_t chance(struct run *r, uint32_t n)
{
    return random_below(&r->chance, n);
}

/* ---- a device in memory ---- */

static uint64_t devices_[2];

static uint64_t device_read(void *dev, uint64_t off, unsigned size)
{
    return off * 0x0101010101010101ull + *(uint64_t *)dev;
}

static void device_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    *(uint64_t *)dev += off ^ val;
}

static const struct region_ops device_ops = {
    .read = device_read, .write = device_write, .width = 8,
};

static struct interp_bench *new_bench(uint64_t *device)
{
    struct interp_bench *b = ibench_new(P_RAM, "max");
    region_io(&b->mmio_region, "device", &device_ops, device, 0x1000);
    region_map(&b->mem.root, &b->mmio_region, P_DEVICE, 1);
    space_commit(&b->mem);
    return b;
}

/* ---- what both engines have in common ---- */

/* The interpreter's processor does each transfer the long way (core/cpu/passage.c). */
static void forget_passages(struct x86_cpu *cpu, unsigned vector, unsigned kind, uint32_t error,
                            const struct x86_place *from)
{
    memset(&cpu->passages, 0, sizeof(cpu->passages));
}

/* ---- starting ---- */

static void set_tables(struct x86_state *s, const struct kind *kind)
{
    s->gdtr = (struct x86_dtr){.base = P_GDT, .limit = 0x7f};
    s->idtr = (struct x86_dtr){.base = P_IDT, .limit = kind->bits == 16 ? 0x3ff : 0x7ff};
    s->tr = (struct x86_seg){.sel = SEL_TSS, .attr = 0x8b, .base = P_TSS, .limit = 0x67};
    s->sysenter_cs = SEL_CODE;
    s->sysenter_esp = P_KERNEL_STACK;
    s->star = (uint64_t)SEL_USER32 << 48 | (uint64_t)SEL_CODE << 32;
    s->sfmask = 0x300;
}

static void set_mode(struct x86_state *s, const struct kind *kind)
{
    s->cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PSE;
    if (kind->bits == 16) {
        return;
    }
    s->cr0 |= CR0_PE;
    for (unsigned i = 0; i < 6; i++) {
        ibench_flat_seg(&s->seg[i], i == S_CS ? SEL_CODE : SEL_STACK, i == S_CS);
    }
    if (kind->bits == 64) {
        s->seg[S_CS].attr = 0xa09b;
        s->efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
        s->cr4 |= CR4_PAE;
    }
    if (kind->paged) {
        s->cr3 = P_ROOT;
        s->cr0 |= CR0_PG;
    }
}

static void start(const struct run *r, struct interp_bench *b)
{
    struct x86_state *s = &b->cpu->s;
    ibench_real(b, (uint16_t)r->p.restart);
    ibench_poke(b, 0, r->p.ram, P_RAM);
    set_tables(s, r->kind);
    set_mode(s, r->kind);
    s->fcw = 0x37f;
    s->mxcsr = 0x1f80;
    s->sysenter_eip = r->p.sysenter[0];
    s->lstar = r->p.syscall[0];
    block_flush_all(b->e);
    atomic_store(b->cpu->pending, 0);
    b->raise = r->p.seed % 4 == 0 ? PEND_INTR : 0;
    x86_state_loaded(b->cpu);
    x86_tlb_flush(b->cpu);
}

/* The program of a seed; the same one each time, which is hot soon. */
static void begin(struct run *r, uint64_t seed)
{
    uint8_t *ram = r->p.ram;
    memset(ram, 0, P_RAM);
    r->seed = r->chance = seed;
    r->p = (struct program){
        .ram = ram, .seed = seed, .kind_bits = r->kind->bits, .paged = r->kind->paged,
        .user = r->kind->user,
    };
    make_program(&r->p);
    devices_[0] = devices_[1] = 0;
    jit_of(r->jit->e)->warm = 1 + chance(r, 8);
    jit_of(r->jit->e)->passes = 1 + chance(r, 4);
    r->interp->a20_low = r->jit->a20_low = false;
    start(r, r->interp);
    start(r, r->jit);
}

/* ---- running ---- */

/* What comes from outside: interrupts, and devices that write data or code. */
static void disturb(struct run *r, unsigned most)
{
    if (r->seed % 8 == 6 && chance(r, r->jit->a20_low ? 3 : 40) == 0) { /* shortly */
        r->interp->a20_low = r->jit->a20_low = !r->jit->a20_low;
        atomic_fetch_or(r->interp->cpu->pending, PEND_A20);
        atomic_fetch_or(r->jit->cpu->pending, PEND_A20);
    }
    if (chance(r, most == 1 ? 50 : 3) == 0) {
        r->interp->vector = r->jit->vector = INT_FIRST + (int)chance(r, INT_COUNT);
        atomic_fetch_or(r->interp->cpu->pending, PEND_INTR);
        atomic_fetch_or(r->jit->cpu->pending, PEND_INTR);
    }
    uint32_t n = r->p.n_sites < P_SITES ? r->p.n_sites : P_SITES;
    if (chance(r, most == 1 ? 400 : 8) == 0) {
        uint32_t to = chance(r, 2) ? r->p.site[chance(r, n)].at : P_DATA + chance(r, 0x3fff);
        uint8_t val = (uint8_t)chance(r, 256);
        ibench_poke(r->interp, to, &val, 1);
        ibench_poke(r->jit, to, &val, 1);
    }
}

static bool run_slice(struct run *r, unsigned n)
{
    r->interp->stop_at = interp_icount(r->interp->cpu) + n;
    r->jit->stop_at = interp_icount(r->jit->cpu) + n;
    enum vcpu_exit_reason why = ibench_run(r->interp);
    assert_int_equal(ibench_run(r->jit), why);
    return why == EXIT_SLICE;
}

static bool same(const struct run *r)
{
    return ibench_digest(r->interp) == ibench_digest(r->jit) &&
           memcmp(ibench_mem(r->interp, 0), ibench_mem(r->jit, 0), P_ROOT + 0x8000) == 0 &&
           memcmp(ibench_mem(r->interp, P_HIGH_DATA), ibench_mem(r->jit, P_HIGH_DATA), 0x4000) == 0;
}

static unsigned slice_of(struct run *r, unsigned most)
{
    return most == 1 ? 1 : 1 + chance(r, chance(r, 4) ? most : 12);
}

static void show(const char *name, const struct interp_bench *b)
{
    const struct x86_state *s = &b->cpu->s;
    print_error("%-6s", name);
    for (unsigned i = 0; i < 16; i++) {
        print_error(" %llx", (unsigned long long)s->gpr[i]);
    }
    print_error("\n       ip %x:%llx fl %llx cr0 %llx cr2 %llx cr3 %llx dr6 %llx insns %llu\n",
                s->seg[S_CS].sel, (unsigned long long)s->rip,
                (unsigned long long)x86_get_rflags(b->cpu), (unsigned long long)s->cr0,
                (unsigned long long)s->cr2, (unsigned long long)s->cr3,
                (unsigned long long)s->dr[6], (unsigned long long)interp_icount(b->cpu));
}

static void show_memory(const struct run *r)
{
    for (unsigned i = 0; i < P_RAM; i++) {
        if (*ibench_mem(r->interp, i) != *ibench_mem(r->jit, i)) {
            print_error("memory %05x: %02x, jit %02x\n", i, *ibench_mem(r->interp, i),
                        *ibench_mem(r->jit, i));
            return;
        }
    }
}

/* The instruction that comes next. */
static void show_code(const struct run *r)
{
    const struct x86_cpu *cpu = r->interp->cpu;
    unsigned bits = cpu->mode & MODE_CS64 ? 64 : cpu->mode & MODE_CS32 ? 32 : 16;
    char text[DISASM_TEXT] = "?";
    if (cpu->s.rip < P_RAM - 16) {
        disasm(ibench_mem(r->interp, cpu->s.rip), 16, bits, cpu->s.rip, text);
    }
    print_error("%x:%04llx  %s\n", cpu->s.seg[S_CS].sel, (unsigned long long)cpu->s.rip, text);
}

/* The program of r->seed as far as slice @slices, and then only @n instructions of it. */
static void run_again(struct run *r, unsigned most, unsigned slices, unsigned n)
{
    begin(r, r->seed);
    for (unsigned i = 0; i < slices; i++) {
        disturb(r, most);
        run_slice(r, slice_of(r, most));
    }
    disturb(r, most);
    if (n > 0) {
        run_slice(r, n);
    }
}

/* Finds the first instruction of the slice behind which they differ. */
static void fail_program(struct run *r, unsigned most, unsigned slices, unsigned n)
{
    unsigned first = 1;
    for (run_again(r, most, slices, first); first < n && same(r); first++) {
        run_again(r, most, slices, first + 1);
    }
    print_error("%s, seed %llu, slices of %u, number %u, instruction %u:\n", r->kind->name,
                (unsigned long long)r->seed, most, slices, first);
    show("interp", r->interp);
    show("jit", r->jit);
    show_memory(r);
    for (n = first > 12 ? first - 12 : 0; n < first; n++) {
        run_again(r, most, slices, n);
        show_code(r);
    }
    fail_msg("the JIT differs");
}

/* Returns false if the program came to its end, with a halt or a shutdown. */
static bool run_program(struct run *r, unsigned most)
{
    uint64_t end = interp_icount(r->interp->cpu) + PROGRAM_INSNS;
    for (unsigned slices = 0; interp_icount(r->interp->cpu) < end; slices++) {
        disturb(r, most);
        unsigned n = slice_of(r, most);
        bool on = run_slice(r, n);
        if (!same(r)) {
            fail_program(r, most, slices, n);
        }
        if (!on) {
            return false;
        }
    }
    return true;
}

/* @check: each run of translated code is compared with the interpreter, and differs nowhere. */
static void run_kind(const struct kind *kind, unsigned n_programs, bool check)
{
    struct run r = {
        .kind = kind, .interp = new_bench(&devices_[0]), .jit = new_bench(&devices_[1]),
    };
    unsigned ended = 0;
    r.p.ram = malloc(P_RAM);
    assert_non_null(r.p.ram);
    r.interp->cpu->delivered = forget_passages;
    assert_true(jit_attach(r.jit->e, NULL));
    const struct check *checked = check ? check_new(jit_of(r.jit->e), NULL) : NULL;
    for (unsigned n = 0; n < n_programs; n++) {
        begin(&r, first_seed + n);
        ended += !run_program(&r, n % 8 == 7 ? 1 : SLICE);
        r.restarts += ld16le(ibench_mem(r.interp, V_RESTARTS));
        if (checked && checked->failed) {
            fail_msg("%s, seed %llu: a checked run", kind->name, (unsigned long long)r.seed);
        }
    }
    const struct jit_stats *s = &jit_of(r.jit->e)->stats;
    print_message("%s: %llu translated, %llu units, %llu entries, %llu restarts, %u ended\n",
                  kind->name, (unsigned long long)s->translated, (unsigned long long)s->units,
                  (unsigned long long)s->entries, (unsigned long long)r.restarts, ended);
    assert_true(s->units > 0);
    jit_detach(r.jit->e);
    ibench_free(r.interp);
    ibench_free(r.jit);
    free(r.p.ram);
}

static void random_systems_run_as_on_the_interpreter(void **state)
{
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        run_kind(&kinds[i], programs, false);
    }
}

static void each_run_of_translated_code_is_the_interpreters(void **state) /* -accel jit,check=on */
{
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        run_kind(&kinds[i], (programs + 3) / 4, true);
    }
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_systems_run_as_on_the_interpreter),
        cmocka_unit_test(each_run_of_translated_code_is_the_interpreters),
    };
    const char *set = getenv("COLDBOOT_TEST_SET");
    programs = set && strcmp(set, "reduced") == 0 ? 5 : programs;
    random_arguments(argc, argv, &programs, &first_seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
