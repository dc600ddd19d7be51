/*
 * The processor's mechanisms in random states: descriptor tables, page tables, stacks and selectors
 * that no sane system has. Whatever a guest sets up, a transfer either happens or faults; a fault
 * leaves the registers alone; and what is derived from the state fits it.
 */
#include "unit/cpu_bench.h"

enum { ROUNDS = 30000, GDT_ENTRIES = 32, PD = 0x20000, PT = 0x21000 };

static uint64_t seed = 0x243f6a8885a308d3ull;
static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed * 0x2545f4914f6cdd1dull) >> 32);
}

/* A selector that often names something. */
static uint16_t random_sel(void)
{
    uint16_t sel = (uint16_t)((rnd() % GDT_ENTRIES) * 8 | (rnd() % 2 ? 0 : 3));
    switch (rnd() % 8) {
    case 0:
        return (uint16_t)rnd();
    case 1:
        return (uint16_t)(sel | rnd() % 8);
    default:
        return sel;
    }
}

static void random_descriptor(struct cpu_bench *b, uint32_t table, unsigned i)
{
    static const uint32_t good[] = {0xc09b, 0xc093, 0xc0fb, 0xc0f3, 0x409f, 0x40ff, 0x9b, 0x93};
    uint32_t base = rnd() % 4 ? 0 : rnd() & 0x1ffff;
    if (rnd() % 2) {
        bench_desc(b, table, i, base, 0xfffff, good[rnd() % ARRAY_SIZE(good)]);
    } else if (rnd() % 2) {
        bench_gate(b, table, i, random_sel(), rnd(), rnd() % 16, rnd() & 3, rnd() & 31);
    } else {
        bench_desc(b, table, i, rnd() % 2 ? BENCH_TSS : rnd(), rnd() & 0xfffff, rnd());
    }
}

/* From the state that bench_protected leaves, a little or a lot away. */
static void disturb(struct cpu_bench *b)
{
    struct x86_cpu *cpu = b->cpu;
    for (unsigned i = 9; i < GDT_ENTRIES; i++) {
        random_descriptor(b, BENCH_GDT, i);
    }
    for (unsigned i = 0; i < 16; i++) {
        random_descriptor(b, BENCH_LDT, i);
    }
    for (unsigned v = 0; v < 64; v++) {
        bench_gate(b, BENCH_IDT, v, random_sel(), rnd() & 0xffff,
                   rnd() % 4 ? 14 + rnd() % 2 : rnd() % 16, rnd() & 3, 0);
    }
    for (unsigned i = 0; i < 0x68; i += 4) {
        st32le(bench_mem(b, BENCH_TSS + i), rnd() % 2 ? random_sel() : rnd() & 0xfff0);
    }
    for (unsigned i = 0; i < 12; i++) {
        st32le(bench_mem(b, 0x8000 + i * 4), rnd() % 3   ? random_sel()
                                             : rnd() % 2 ? rnd() & 0xffff
                                                         : rnd());
    }
    cpu->s.gdtr.limit = rnd() % 8 ? 0xff : (uint16_t)(rnd() & 0xff);
    cpu->s.idtr.limit = rnd() % 8 ? 0x1ff : (uint16_t)(rnd() & 0x1ff);
    cpu->s.tr.limit = rnd() % 4 ? 0x67 : rnd() & 0x7f;
    cpu->s.gpr[R_SP] = rnd() % 8 ? 0x8000 : rnd();
    cpu->s.cr4 = rnd() & (CR4_VME | CR4_PSE | CR4_PGE);
    x86_set_rflags(cpu, rnd(), FL_OSZAPC | FL_IOPL | (rnd() % 8 ? 0 : FL_NT) | FL_AC | FL_IF);
    if (rnd() % 3 == 0) {
        for (unsigned i = 0; i < 1024; i++) {
            st32le(bench_mem(b, PT + i * 4), i << 12 | (rnd() % 16 ? 7 : rnd() & 0x1ff));
        }
        st32le(bench_mem(b, PD), PT | 7);
        cpu->s.cr3 = PD;
        cpu->s.cr0 |= CR0_PG | CR0_AM | (rnd() % 2 ? CR0_WP : 0);
    }
    x86_state_loaded(cpu);
}

/* One mechanism with random operands. */
static void act(struct cpu_bench *b)
{
    struct x86_cpu *cpu = b->cpu;
    unsigned size = rnd() % 2 ? 4 : 2;
    switch (rnd() % 10) {
    case 0:
        x86_load_seg(cpu, (const uint8_t[]){S_ES, S_SS, S_DS, S_FS, S_GS}[rnd() % 5], random_sel());
        break;
    case 1:
        x86_far_jmp(cpu, random_sel(), rnd() & 0xffff, size);
        break;
    case 2:
        x86_far_call(cpu, random_sel(), rnd() & 0xffff, cpu->s.rip + 7, size);
        break;
    case 3:
        x86_far_ret(cpu, size, rnd() % 2 ? 0 : rnd() & 0xffff);
        break;
    case 4: case 5:
        x86_iret(cpu, size);
        break;
    case 6:
        x86_interrupt(cpu, rnd() & 63, rnd() % 6, rnd() % 2, rnd() & 0xffff);
        break;
    case 7:
        x86_lin_write(cpu, rnd() % 2 ? rnd() & 0xfffff : rnd(), rnd(), 1u << rnd() % 4, rnd() % 2);
        break;
    case 8:
        x86_fault(cpu, X86_DE + rnd() % 20, rnd() & 0xffff);
    default:
        x86_st32(cpu, rnd() % 6, rnd() % 2 ? rnd() & 0xffff : rnd(), rnd());
        break;
    }
}

static void assert_derived(struct x86_cpu *cpu)
{
    struct x86_cpu *fresh = calloc(1, sizeof(*fresh));
    assert_non_null(fresh);
    fresh->s = cpu->s;
    x86_mode_changed(fresh);
    assert_int_equal(fresh->cpl, cpu->cpl);
    assert_int_equal(fresh->mode, cpu->mode);
    assert_int_equal(fresh->stack_mask, cpu->stack_mask);
    assert_memory_equal(fresh->seg_top_r, cpu->seg_top_r, sizeof(fresh->seg_top_r));
    assert_memory_equal(fresh->seg_top_w, cpu->seg_top_w, sizeof(fresh->seg_top_w));
    assert_ptr_equal(cpu->tlb, cpu->tlbs[cpu->cpl == 3]);
    free(fresh);
}

/* The state after a fault is that before it, but for what a completed task switch made new. */
static void assert_unchanged(const struct x86_cpu *cpu, const struct x86_state *before)
{
    struct x86_state now = cpu->s;
    if (now.tr.base != before->tr.base || now.tr.sel != before->tr.sel || (now.cr0 & CR0_TS)) {
        return;
    }
    now.cr2 = before->cr2;
    now.nmi_blocked = before->nmi_blocked; /* IRET unblocks */
    now.activity = before->activity;       /* "exception 8" may fault: shutdown */
    assert_memory_equal(&now, before, sizeof(now));
}

static void deliver(struct cpu_bench *b)
{
    BENCH_RUN(b, x86_deliver_fault(b->cpu));
}

static void one_round(struct cpu_bench *b)
{
    struct x86_cpu *cpu = b->cpu;
    for (unsigned i = 0; i < 4 && cpu->s.activity == ACT_RUNNING; i++) {
        struct x86_state before = cpu->s;
        if (BENCH_FAULTS(b, act(b))) {
            assert_unchanged(cpu, &before);
            if (cpu->exc.active) {
                deliver(b);
            }
        }
        assert_false(cpu->exc.active);
        assert_true(cpu->s.rflags & FL_1);
        assert_derived(cpu);
    }
}

static void mechanisms_survive_anything(void **state)
{
    struct cpu_bench *b = bench_new("pentiumpro");
    bench_protected(b);
    struct x86_state start = b->cpu->s;
    for (unsigned i = 0; i < ROUNDS; i++) {
        b->cpu->s = start;
        b->cpu->exc.active = false;
        bench_desc(b, BENCH_GDT, SEL_TSS / 8, BENCH_TSS, 0x67, 0x8b);
        disturb(b);
        one_round(b);
    }
    bench_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mechanisms_survive_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
