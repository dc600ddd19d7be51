/*
 * Protection, whole: every descriptor type at every DPL, present and absent, through selectors of
 * every RPL, at every CPL. What the manual's rules say is written here once more, rule by rule, and
 * compared with what the processor does: vector, error code, that a fault changes nothing (the
 * accessed bit in memory included), and what a success loads.
 *
 * Sources: [SDM2] "MOV", "JMP", "CALL", "RET", "LAR", "LSL", "VERR/VERW", "LLDT", "LTR", "INT n";
 *          [SDM3] "Privilege Levels", "Privilege Level Checking".
 */
#include "tests/unit/cpu_bench.h"

#include "core/cpu/mech.h"

/* GDT entries: the one under test, and flat code and data of each DPL for all else. */
enum { TESTED = 9, CODE_OF = 16, DATA_OF = 20, OFF = 0x100, HANDLER = 0x200, VECTOR = 0x40 };
#define CODE_SEL(dpl) ((uint16_t)((CODE_OF + (dpl)) * 8 + (dpl)))
#define DATA_SEL(dpl) ((uint16_t)((DATA_OF + (dpl)) * 8 + (dpl)))

/* One case. */
struct item {
    unsigned type;           /* with S: 0..31 */
    unsigned dpl, rpl, cpl;
    bool present;
    uint16_t sel;
};

static bool is_code(const struct item *d)
{
    return d->type >= 0x18;
}

static bool is_data(const struct item *d)
{
    return d->type >= 0x10 && d->type < 0x18;
}

static bool is_readable(const struct item *d)
{
    return is_data(d) || (is_code(d) && (d->type & 2));
}

static bool is_writable(const struct item *d)
{
    return is_data(d) && (d->type & 2);
}

static bool is_conforming(const struct item *d)
{
    return is_code(d) && (d->type & 4);
}

/* ---- the rules; -1 is no fault ---- */

static int rule_data(const struct item *d)
{
    if (!is_readable(d)) {
        return X86_GP;
    }
    if (!is_conforming(d) && (d->rpl > d->dpl || d->cpl > d->dpl)) {
        return X86_GP;
    }
    return d->present ? -1 : X86_NP;
}

static int rule_stack(const struct item *d)
{
    if (d->rpl != d->cpl || !is_writable(d) || d->dpl != d->cpl) {
        return X86_GP;
    }
    return d->present ? -1 : X86_SS;
}

static int rule_jump(const struct item *d)
{
    if (!is_code(d)) {
        return X86_GP;
    }
    if (is_conforming(d) ? d->dpl > d->cpl : d->dpl != d->cpl || d->rpl > d->cpl) {
        return X86_GP;
    }
    return d->present ? -1 : X86_NP;
}

static int rule_return(const struct item *d)
{
    if (!is_code(d) || d->rpl < d->cpl) {
        return X86_GP;
    }
    if (is_conforming(d) ? d->dpl > d->rpl : d->dpl != d->rpl) {
        return X86_GP;
    }
    return d->present ? -1 : X86_NP;
}

/* Through an interrupt gate: RPL is not looked at. */
static int rule_interrupt(const struct item *d)
{
    if (!is_code(d) || d->dpl > d->cpl) {
        return X86_GP;
    }
    return d->present ? -1 : X86_NP;
}

static bool seen(const struct item *d)
{
    return is_conforming(d) || (d->cpl <= d->dpl && d->rpl <= d->dpl);
}

static bool rule_lar(const struct item *d)
{
    static const uint8_t valid[] = {1, 2, 3, 4, 5, 9, 11, 12};
    bool known = d->type >= 16;
    for (unsigned i = 0; i < ARRAY_SIZE(valid); i++) {
        known = known || d->type == valid[i];
    }
    return known && seen(d);
}

static bool rule_lsl(const struct item *d)
{
    bool gate = d->type == 4 || d->type == 5 || d->type == 12;
    return rule_lar(d) && !gate;
}

/* ---- set-up ---- */

static uint8_t *tested(struct cpu_bench *b)
{
    return bench_mem(b, BENCH_GDT + TESTED * 8);
}

/* At CPL d->cpl, with flat segments of that privilege and the case's descriptor as it was. */
static void prepare(struct cpu_bench *b, const struct item *d)
{
    struct x86_state *s = &b->cpu->s;
    uint32_t attr = 0xc000 | (d->present ? AR_P : 0) | d->dpl << AR_DPL_SHIFT | d->type;
    bench_desc(b, BENCH_GDT, TESTED, 0, 0xfffff, attr);
    for (unsigned i = 0; i < 6; i++) {
        s->seg[i] = (struct x86_seg){
            .sel = i == S_CS ? CODE_SEL(d->cpl) : DATA_SEL(d->cpl), .limit = 0xffffffff,
            .attr = (i == S_CS ? 0xc09bu : 0xc093u) | d->cpl << AR_DPL_SHIFT,
        };
    }
    s->rip = 0x5000;
    s->gpr[R_SP] = 0x8000;
    s->rflags = FL_1;
    x86_mode_changed(b->cpu);
}

static int setup(void **state)
{
    struct cpu_bench *b = bench_new(NULL);
    bench_protected(b);
    for (unsigned dpl = 0; dpl < 4; dpl++) {
        bench_desc(b, BENCH_GDT, CODE_OF + dpl, 0, 0xfffff, 0xc09b | dpl << AR_DPL_SHIFT);
        bench_desc(b, BENCH_GDT, DATA_OF + dpl, 0, 0xfffff, 0xc093 | dpl << AR_DPL_SHIFT);
    }
    for (unsigned cpl = 0; cpl < 3; cpl++) {
        st32le(bench_mem(b, BENCH_TSS + 4 + 8 * cpl), 0x9000 + 0x1000 * cpl);
        st16le(bench_mem(b, BENCH_TSS + 8 + 8 * cpl), DATA_SEL(cpl));
    }
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    bench_free(*state);
    return 0;
}

static void for_all(struct cpu_bench *b, void (*check)(struct cpu_bench *b, const struct item *d))
{
    struct item d;
    for (unsigned i = 0; i < 32 * 4 * 4 * 4 * 2; i++) {
        d = (struct item){
            .type = i & 31, .dpl = i >> 5 & 3, .rpl = i >> 7 & 3, .cpl = i >> 9 & 3,
            .present = i >> 11 & 1,
        };
        d.sel = (uint16_t)(TESTED * 8 + d.rpl);
        prepare(b, &d);
        check(b, &d);
    }
}

/* @call faults as @vector(@error) and changes neither state nor descriptor; -1: it must not
 * fault. */
#define CHECK(b, vec, err, call)                                                                   \
    do {                                                                                           \
        uint64_t was = ld64le(tested(b));                                                          \
        if ((vec) >= 0) {                                                                          \
            ASSERT_FAULT(b, call, vec, err);                                                       \
            assert_int_equal(ld64le(tested(b)), was);                                              \
        } else {                                                                                   \
            ASSERT_FINE(b, call);                                                                  \
        }                                                                                          \
    } while (0)

static void assert_accessed(struct cpu_bench *b)
{
    assert_true(tested(b)[5] & AR_ACCESSED);
}

/* ---- loads and accesses ---- */

static void check_data(struct cpu_bench *b, const struct item *d)
{
    int vec = rule_data(d);
    CHECK(b, vec, TESTED * 8, x86_load_seg(b->cpu, S_DS, d->sel));
    if (vec >= 0) {
        return;
    }
    assert_accessed(b);
    assert_int_equal(b->cpu->s.seg[S_DS].sel, d->sel);
    bool down = is_data(d) && (d->type & 4); /* then its limit of 4 GiB leaves nothing */
    CHECK(b, down ? X86_GP : -1, 0, x86_ld32(b->cpu, S_DS, 0x6000));
    CHECK(b, down || !is_writable(d) ? X86_GP : -1, 0, x86_st32(b->cpu, S_DS, 0x6000, 1));
}

static void data_segments(void **state)
{
    for_all(*state, check_data);
}

static void check_stack(struct cpu_bench *b, const struct item *d)
{
    int vec = rule_stack(d);
    CHECK(b, vec, TESTED * 8, x86_load_seg(b->cpu, S_SS, d->sel));
    if (vec < 0) {
        assert_accessed(b);
        assert_int_equal(b->cpu->s.seg[S_SS].sel, d->sel);
        assert_int_equal(b->cpu->cpl, d->cpl);
    }
}

static void stack_segments(void **state)
{
    for_all(*state, check_stack);
}

static void check_look(struct cpu_bench *b, const struct item *d)
{
    uint64_t was = ld64le(tested(b));
    uint32_t out = 0;
    assert_int_equal(x86_lar(b->cpu, d->sel, &out), rule_lar(d));
    if (rule_lar(d)) {
        assert_int_equal(out & ~0xf0000u, (was >> 32) & 0x00f0ff00); /* 19:16 are undefined */
    }
    assert_int_equal(x86_lsl(b->cpu, d->sel, &out), rule_lsl(d));
    if (rule_lsl(d)) {
        assert_int_equal(out, 0xffffffff);
    }
    assert_int_equal(x86_ver(b->cpu, d->sel, false), is_readable(d) && seen(d));
    assert_int_equal(x86_ver(b->cpu, d->sel, true), is_writable(d) && seen(d));
    assert_int_equal(ld64le(tested(b)), was);
}

static void lar_lsl_verr_and_verw(void **state)
{
    for_all(*state, check_look);
}

static void check_tables(struct cpu_bench *b, const struct item *d)
{
    int ldt = d->type != SYS_LDT ? X86_GP : d->present ? -1 : X86_NP;
    int tss = d->type != SYS_TSS16 && d->type != SYS_TSS32 ? X86_GP : d->present ? -1 : X86_NP;
    struct x86_seg tr = b->cpu->s.tr;
    CHECK(b, ldt, TESTED * 8, x86_lldt(b->cpu, d->sel));
    CHECK(b, tss, TESTED * 8, x86_ltr(b->cpu, d->sel));
    if (tss < 0) {
        assert_int_equal(tested(b)[5] & AR_TYPE, d->type | TSS_BUSY);
        assert_int_equal(b->cpu->s.tr.sel, d->sel);
    }
    b->cpu->s.tr = tr;
}

static void lldt_and_ltr(void **state)
{
    for_all(*state, check_tables);
}

/* ---- transfers ---- */

/* Gates and TSSs lead elsewhere. */
static bool leads_on(const struct item *d)
{
    return d->type == SYS_TSS16 || d->type == SYS_TSS32 || d->type == SYS_CALL16 ||
           d->type == SYS_CALL32 || d->type == SYS_TASK || d->type == SYS_TSS16_BUSY ||
           d->type == SYS_TSS32_BUSY;
}

static void arrived(struct cpu_bench *b, unsigned cpl, uint32_t rip)
{
    assert_accessed(b);
    assert_int_equal(b->cpu->s.seg[S_CS].sel, TESTED * 8 + cpl);
    assert_int_equal(b->cpu->cpl, cpl);
    assert_int_equal(b->cpu->s.rip, rip);
}

static void check_jump(struct cpu_bench *b, const struct item *d)
{
    if (leads_on(d)) {
        return;
    }
    CHECK(b, rule_jump(d), TESTED * 8, x86_far_jmp(b->cpu, d->sel, OFF, 4));
    if (rule_jump(d) < 0) {
        arrived(b, d->cpl, OFF);
    }
    prepare(b, d);
    CHECK(b, rule_jump(d), TESTED * 8, x86_far_call(b->cpu, d->sel, OFF, 0x5007, 4));
    if (rule_jump(d) < 0) {
        arrived(b, d->cpl, OFF);
        assert_int_equal(b->cpu->s.gpr[R_SP], 0x8000 - 8);
        assert_int_equal(ld32le(bench_mem(b, 0x7ff8)), 0x5007);
        assert_int_equal(ld32le(bench_mem(b, 0x7ffc)), CODE_SEL(d->cpl));
    }
}

static void jmp_and_call(void **state)
{
    for_all(*state, check_jump);
}

/* RET or IRET: the frame has SS:ESP of the privilege that it goes to. */
static void check_return_by(struct cpu_bench *b, const struct item *d, bool iret)
{
    const uint32_t plain[] = {OFF, d->sel, 0x7000, DATA_SEL(d->rpl)};
    const uint32_t flags[] = {OFF, d->sel, 0x202, 0x7000, DATA_SEL(d->rpl)};
    bool outer = d->rpl > d->cpl;
    prepare(b, d);
    memcpy(bench_mem(b, 0x8000), iret ? flags : plain, iret ? sizeof(flags) : sizeof(plain));
    CHECK(b, rule_return(d), TESTED * 8,
          (iret ? x86_iret(b->cpu, 4) : x86_far_ret(b->cpu, 4, 0)));
    if (rule_return(d) < 0) {
        arrived(b, d->rpl, OFF);
        assert_int_equal(b->cpu->s.gpr[R_SP], outer ? 0x7000 : 0x8000 + (iret ? 12 : 8));
        assert_int_equal(b->cpu->s.seg[S_SS].sel, DATA_SEL(d->rpl));
        /* What the outer level may not use is gone. */
        assert_int_equal(b->cpu->s.seg[S_DS].sel, outer ? 0 : DATA_SEL(d->cpl));
    }
}

static void check_return(struct cpu_bench *b, const struct item *d)
{
    check_return_by(b, d, false);
    check_return_by(b, d, true);
}

static void ret_and_iret(void **state)
{
    for_all(*state, check_return);
}

static void check_interrupt_by(struct cpu_bench *b, const struct item *d, bool external)
{
    bool inner = !is_conforming(d) && d->dpl < d->cpl;
    unsigned cpl = inner ? d->dpl : d->cpl;
    uint32_t top = inner ? 0x9000 + 0x1000 * cpl : 0x8000;
    prepare(b, d);
    bench_gate(b, BENCH_IDT, VECTOR, d->sel, HANDLER, SYS_INT32, 3, 0);
    CHECK(b, rule_interrupt(d), TESTED * 8 + external,
          x86_interrupt(b->cpu, VECTOR, external ? INT_EXTERNAL : INT_SOFTWARE, false, 0));
    if (rule_interrupt(d) < 0) {
        arrived(b, cpl, HANDLER);
        assert_int_equal(b->cpu->s.gpr[R_SP], top - (inner ? 20 : 12));
        assert_int_equal(b->cpu->s.seg[S_SS].sel, DATA_SEL(cpl));
        const uint8_t *frame = bench_mem(b, b->cpu->s.gpr[R_SP]);
        assert_int_equal(ld32le(frame), 0x5000);
        assert_int_equal(ld32le(frame + 4), CODE_SEL(d->cpl));
        assert_int_equal(ld32le(frame + 8), FL_1);
    }
}

static void check_interrupt(struct cpu_bench *b, const struct item *d)
{
    check_interrupt_by(b, d, false);
    check_interrupt_by(b, d, true);
}

static void interrupt_gates(void **state)
{
    for_all(*state, check_interrupt);
}

/* The same code segments behind a call gate of DPL 3; JMP stays at its level. */
static void check_call_gate(struct cpu_bench *b, const struct item *d)
{
    enum { GATE = 10, GATE_SEL = GATE * 8 + 3 };
    int call = rule_interrupt(d);
    int jmp = call == -1 && !is_conforming(d) && d->dpl != d->cpl ? X86_GP : call;
    if (call == X86_NP && !is_conforming(d) && d->dpl != d->cpl) {
        jmp = X86_GP; /* privilege before presence */
    }
    bool inner = !is_conforming(d) && d->dpl < d->cpl;
    bench_gate(b, BENCH_GDT, GATE, d->sel, HANDLER, SYS_CALL32, 3, 0);
    CHECK(b, jmp, TESTED * 8, x86_far_jmp(b->cpu, GATE_SEL, 0, 4));
    if (jmp < 0) {
        arrived(b, d->cpl, HANDLER);
    }
    prepare(b, d);
    CHECK(b, call, TESTED * 8, x86_far_call(b->cpu, GATE_SEL, 0, 0x5007, 4));
    if (call < 0) {
        arrived(b, inner ? d->dpl : d->cpl, HANDLER);
        const uint8_t *frame = bench_mem(b, b->cpu->s.gpr[R_SP]);
        assert_int_equal(ld32le(frame), 0x5007);
        assert_int_equal(ld32le(frame + 4), CODE_SEL(d->cpl));
        assert_int_equal(inner ? ld32le(frame + 8) : 0x8000, 0x8000);
    }
}

static void call_gates(void **state)
{
    for_all(*state, check_call_gate);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(data_segments),   T(stack_segments), T(lar_lsl_verr_and_verw),
        T(lldt_and_ltr),    T(jmp_and_call),   T(ret_and_iret),
        T(interrupt_gates), T(call_gates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
