/* Local APIC and the APIC bus (hw/chips/lapic, apic_bus), from [SDM3] "Advanced Programmable
 * Interrupt Controller (APIC)". Its timer is tested in test_lapic_timer. */
#include "lapic_bench.h"

/* ---- power-on ---- */

static void after_power_on_it_is_software_disabled(void **state)
{
    static const struct {
        unsigned reg;
        uint32_t val;
    } regs[] = {
        {ID, 0},      {VERSION, 0x50014}, {TPR, 0},           {PPR, 0},         {LDR, 0},
        {DFR, ~0u},   {SVR, 0xff},        {ISR, 0},           {IRR + 0x70, 0},  {TMR, 0},
        {ESR, 0},     {ICR, 0},           {ICR_HIGH, 0},      {TIMER, 0x10000}, {THERMAL, 0x10000},
        {0x340, 0x10000}, {LINT0, 0x10000}, {LINT1, 0x10000}, {ERROR, 0x10000}, {INITIAL, 0},
        {CURRENT, 0}, {DIVIDE, 0},
    };
    struct rig *r = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
        assert_int_equal(rd(r, 0, regs[i].reg), regs[i].val);
    }
    assert_int_equal(rd(r, 3, ID), 3u << 24);
    assert_int_equal(msr(r, 0, 0x1b), 0xfee00900);
    assert_int_equal(msr(r, 3, 0x1b), 0xfee00800);
    assert_int_equal(*lapic_page(&r->apic[0]), 0xfee00000);
}

static void while_software_disabled_lvt_masks_stay_set(void **state)
{
    struct rig *r = *state;
    wr(r, 0, LINT0, 0x700);
    assert_int_equal(rd(r, 0, LINT0), 0x10700);
    wr(r, 0, SVR, 0x1ff);
    wr(r, 0, LINT0, 0x700);
    assert_int_equal(rd(r, 0, LINT0), 0x700);
    wr(r, 0, SVR, 0xff);
    assert_int_equal(rd(r, 0, LINT0), 0x10700);
}

static void while_software_disabled_only_fixed_interrupts_are_refused(void **state)
{
    struct rig *r = *state;
    struct apic_message msg = {.dest = 1, .mode = APIC_FIXED, .vector = 0x40};
    assert_false(apic_bus_send(&r->bus, &msg));
    msg.mode = APIC_NMI;
    assert_true(apic_bus_send(&r->bus, &msg));
    assert_int_equal(pulses(r, 1, P_NMI), 1);
    msg.mode = APIC_SMI;
    assert_true(apic_bus_send(&r->bus, &msg));
    assert_int_equal(pulses(r, 1, P_SMI), 1);
}

static void reserved_bits_of_registers_read_0(void **state)
{
    static const struct {
        unsigned reg;
        uint32_t val;
    } regs[] = {
        {TPR, 0xff},       {LDR, 0xff000000}, {DFR, 0xffffffff}, {SVR, 0x3ff}, {TIMER, 0x700ff},
        {THERMAL, 0x107ff}, {LINT0, 0x1a7ff}, {LINT1, 0x1a7ff},  {ERROR, 0x100ff}, {DIVIDE, 0xb},
        {ICR_HIGH, 0xff000000}, {ID, 0xff000000},
    };
    struct rig *r = *state;
    wr(r, 0, SVR, 0x1ff);
    for (unsigned i = 0; i < ARRAY_SIZE(regs); i++) {
        wr(r, 0, regs[i].reg, 0xffffffff);
        assert_int_equal(rd(r, 0, regs[i].reg), regs[i].val);
    }
}

/* ---- acceptance and priority ---- */

static void an_interrupt_goes_from_irr_to_isr_to_nothing(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    ipi(r, 0, 1u << 24, 0x61);
    assert_int_equal(rd(r, 1, IRR + 0x30), 2);
    assert_int_equal(take(r, 1), 0x61);
    assert_int_equal(rd(r, 1, IRR + 0x30), 0);
    assert_int_equal(rd(r, 1, ISR + 0x30), 2);
    assert_int_equal(rd(r, 1, PPR), 0x60);
    wr(r, 1, EOI, 0);
    assert_int_equal(rd(r, 1, ISR + 0x30), 0);
    assert_int_equal(rd(r, 1, PPR), 0);
}

static void a_higher_class_interrupts_an_equal_one_waits(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    ipi(r, 0, 0, 0x51);
    assert_int_equal(take(r, 0), 0x51);
    ipi(r, 0, 0, 0x5f);
    assert_int_equal(take(r, 0), -1);
    ipi(r, 0, 0, 0x60);
    assert_int_equal(take(r, 0), 0x60);
    wr(r, 0, EOI, 0);
    assert_int_equal(take(r, 0), -1);
    wr(r, 0, EOI, 0);
    assert_int_equal(take(r, 0), 0x5f);
}

static void the_task_priority_holds_back_its_class_and_below(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, TPR, 0x5c);
    assert_int_equal(rd(r, 0, PPR), 0x5c);
    ipi(r, 0, 0, 0x5f);
    assert_int_equal(take(r, 0), -1);
    lapic_set_tpr(&r->apic[0], 0x40);
    assert_int_equal(lapic_tpr(&r->apic[0]), 0x40);
    assert_int_equal(take(r, 0), 0x5f);
}

static void the_processor_priority_is_the_higher_of_tpr_and_isr(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    ipi(r, 0, 0, 0x73);
    take(r, 0);
    wr(r, 0, TPR, 0x25);
    assert_int_equal(rd(r, 0, PPR), 0x70);
    wr(r, 0, TPR, 0x75);
    assert_int_equal(rd(r, 0, PPR), 0x75);
}

static void a_request_that_is_gone_is_answered_with_the_spurious_vector(void **state)
{
    struct rig *r = *state;
    wr(r, 0, SVR, 0x1ef);
    ipi(r, 0, 0, 0x41);
    wr(r, 0, TPR, 0xf0); /* between INTR and its acknowledge */
    assert_int_equal(lapic_acknowledge(&r->apic[0]), 0xef);
    assert_int_equal(rd(r, 0, ISR + 0x20), 0);
    assert_int_equal(rd(r, 0, IRR + 0x20), 2);
}

static void only_a_level_triggered_eoi_is_broadcast(void **state)
{
    struct rig *r = *state;
    struct apic_message msg = {.dest = 0, .mode = APIC_FIXED, .vector = 0x44};
    enable_all(r);
    apic_bus_send(&r->bus, &msg);
    take(r, 0);
    wr(r, 0, EOI, 0);
    assert_int_equal(r->n_eois, 0);
    msg.level = true;
    apic_bus_send(&r->bus, &msg);
    assert_int_equal(rd(r, 0, TMR + 0x20), 0x10);
    take(r, 0);
    wr(r, 0, EOI, 0);
    assert_int_equal(r->n_eois, 1);
    assert_int_equal(r->eoi, 0x44);
    wr(r, 0, EOI, 0); /* nothing is in service */
    assert_int_equal(r->n_eois, 1);
}

/* ---- local interrupts ---- */

static void lint0_as_extint_lets_the_8259s_answer(void **state)
{
    struct rig *r = *state;
    irq_set(&r->bus.lint[0], true);
    assert_int_equal(take(r, 0), -1);
    wr(r, 0, SVR, 0x1ff);
    wr(r, 0, LINT0, 0x8700);
    assert_int_equal(take(r, 0), 0x08);
    assert_int_equal(rd(r, 0, ISR), 0);
    irq_set(&r->bus.lint[0], false);
    assert_false(pin(r, 0, P_INTR));
}

static void a_disabled_apic_is_a_pair_of_wires(void **state)
{
    struct rig *r = *state;
    assert_true(msr_write(r, 0, 0x1b, 0xfee00000));
    assert_int_equal(*lapic_page(&r->apic[0]), LAPIC_NO_PAGE);
    irq_set(&r->bus.lint[0], true);
    assert_int_equal(take(r, 0), 0x08);
    irq_set(&r->bus.lint[0], false);
    assert_false(pin(r, 0, P_INTR));
    irq_set(&r->bus.lint[1], true);
    assert_int_equal(pulses(r, 0, P_NMI), 1);
    struct apic_message msg = {.dest = 0, .mode = APIC_NMI};
    assert_false(apic_bus_send(&r->bus, &msg));
}

static void lint1_is_an_nmi_at_each_rise(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, LINT1, 0x400);
    irq_set(&r->bus.lint[1], true);
    irq_set(&r->bus.lint[1], true);
    irq_pulse(&r->bus.lint[1]);
    irq_pulse(&r->bus.lint[1]);
    assert_int_equal(pulses(r, 0, P_NMI), 2);
    assert_int_equal(pulses(r, 1, P_NMI), 0);
}

static void a_level_triggered_lint_asks_again_after_its_eoi(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, LINT0, 0x8052);
    irq_set(&r->bus.lint[0], true);
    assert_int_equal(rd(r, 0, LINT0), 0xc052); /* remote IRR */
    assert_int_equal(take(r, 0), 0x52);
    assert_int_equal(take(r, 0), -1);
    wr(r, 0, EOI, 0);
    assert_int_equal(take(r, 0), 0x52);
    irq_set(&r->bus.lint[0], false);
    wr(r, 0, EOI, 0);
    assert_int_equal(take(r, 0), -1);
    assert_int_equal(rd(r, 0, LINT0), 0x8052);
}

static void an_edge_at_lint0_asks_once(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, LINT0, 0x53);
    irq_set(&r->bus.lint[0], true);
    assert_int_equal(take(r, 0), 0x53);
    wr(r, 0, EOI, 0);
    assert_int_equal(take(r, 0), -1);
}

/* ---- IPIs ---- */

static unsigned who_got(struct rig *r, uint8_t vector)
{
    unsigned set = 0;
    for (unsigned i = 0; i < CPUS; i++) {
        if (lapic_requests(&r->apic[i], vector)) {
            set |= BIT(i);
            while (take(r, i) >= 0) {
                wr(r, i, EOI, 0);
            }
        }
    }
    return set;
}

static void destinations_are_matched_as_the_manual_says(void **state)
{
    static const struct {
        uint32_t dfr, high, low;
        unsigned who;
    } cases[] = {
        {~0u, 2u << 24, 0x41, 4},                   /* physical */
        {~0u, 0xffu << 24, 0x41, 0xf},              /* broadcast */
        {~0u, 9u << 24, 0x41, 0},
        {~0u, 0x06u << 24, 0x841, 6},               /* flat: LDR is 1 << CPU */
        {~0u, 0xffu << 24, 0x841, 0xf},
        {0x0fffffff, 0x11u << 24, 0x841, 1},        /* clusters: LDR is cluster and bit */
        {0x0fffffff, 0x13u << 24, 0x841, 3},
        {0x0fffffff, 0x21u << 24, 0x841, 4},
        {0x0fffffff, 0xf1u << 24, 0x841, 5},        /* bit 0 of every cluster */
        {0x0fffffff, 0xffu << 24, 0x841, 0xf},
        {0x0fffffff, 0x31u << 24, 0x841, 0},
        {~0u, 0, 0x40041, 1},                       /* shorthands: self, all, all others */
        {~0u, 0, 0x80041, 0xf},
        {~0u, 0, 0xc0041, 0xe},
    };
    static const uint8_t cluster[CPUS] = {0x11, 0x12, 0x21, 0x22};
    struct rig *r = *state;
    enable_all(r);
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        for (unsigned c = 0; c < CPUS; c++) {
            wr(r, c, DFR, cases[i].dfr);
            wr(r, c, LDR, (cases[i].dfr == ~0u ? 1u << c : cluster[c]) << 24);
        }
        ipi(r, 0, cases[i].high, cases[i].low);
        unsigned got = who_got(r, 0x41);
        if (got != cases[i].who) {
            fail_msg("case %u: %x instead of %x", i, got, cases[i].who);
        }
    }
}

static void lowest_priority_goes_to_the_least_busy(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    for (unsigned c = 0; c < CPUS; c++) {
        wr(r, c, LDR, 1u << (24 + c));
        wr(r, c, TPR, 0x30);
    }
    wr(r, 2, TPR, 0x20);
    ipi(r, 0, 0xfu << 24, 0x941);
    assert_int_equal(who_got(r, 0x41), 4);
    wr(r, 2, SVR, 0xff); /* takes no part any more */
    ipi(r, 0, 0xfu << 24, 0x941);
    assert_int_equal(who_got(r, 0x41), 1);
}

static void init_and_sipi_reach_their_pins(void **state)
{
    struct rig *r = *state;
    ipi(r, 0, 1u << 24, 0x4500);
    assert_int_equal(pulses(r, 1, P_INIT), 1);
    ipi(r, 0, 1u << 24, 0x8500); /* level de-assert */
    assert_int_equal(pulses(r, 1, P_INIT), 1);
    ipi(r, 0, 1u << 24, 0x4699);
    assert_int_equal(r->startup[1], 0x99);
    assert_int_equal(r->startup[2], -1);
    ipi(r, 0, 0, 0xc4610);
    assert_int_equal(r->startup[0], -1);
    assert_int_equal(r->startup[3], 0x10);
}

static void invalid_shorthands_send_nothing(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    ipi(r, 0, 0, 0x40400); /* NMI to self */
    ipi(r, 0, 0, 0x84500); /* INIT to all with self */
    assert_int_equal(pulses(r, 0, P_NMI) + pulses(r, 0, P_INIT) + pulses(r, 1, P_INIT), 0);
}

static void init_resets_registers_but_not_id_and_base(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 1, ID, 0x5000000);
    msr_write(r, 1, 0x1b, 0x12345000 | 0x800);
    wr(r, 1, TPR, 0x40);
    ipi(r, 1, 0x5000000, 0x41);
    lapic_take_init(&r->apic[1]);
    assert_int_equal(rd(r, 1, SVR), 0xff);
    assert_int_equal(rd(r, 1, TPR), 0);
    assert_int_equal(rd(r, 1, ID), 0x5000000);
    assert_int_equal(rd(r, 1, IRR + 0x20), 0);
    assert_int_equal(*lapic_page(&r->apic[1]), 0x12345000);
}

/* ---- errors ---- */

static void illegal_vectors_and_registers_are_errors(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    wr(r, 0, ERROR, 0x77);
    ipi(r, 0, 1u << 24, 0x0f);
    assert_int_equal(rd(r, 0, ESR), 0); /* shows after a write */
    wr(r, 0, ESR, 0);
    assert_int_equal(rd(r, 0, ESR), 0x20);
    assert_int_equal(take(r, 0), 0x77);
    wr(r, 0, EOI, 0);
    struct apic_message msg = {.dest = 0, .mode = APIC_FIXED, .vector = 3};
    assert_false(apic_bus_send(&r->bus, &msg));
    wr(r, 0, ESR, 0);
    assert_int_equal(rd(r, 0, ESR), 0x40);
    rd(r, 0, 0x3f0);
    wr(r, 0, 0x040, 1);
    wr(r, 0, ESR, 0);
    assert_int_equal(rd(r, 0, ESR), 0x80);
    wr(r, 0, ESR, 0);
    assert_int_equal(rd(r, 0, ESR), 0);
}

static void parts_of_a_register_can_be_read_not_written(void **state)
{
    struct rig *r = *state;
    wr(r, 0, SVR, 0x1ab);
    assert_int_equal(lapic_read(&r->apic[0], SVR, 1), 0xab);
    assert_int_equal(lapic_read(&r->apic[0], SVR + 1, 1), 0x01);
    assert_int_equal(lapic_read(&r->apic[0], SVR + 4, 4), 0);
    lapic_write(&r->apic[0], SVR, 0, 1);
    lapic_write(&r->apic[0], SVR + 4, 0, 4);
    assert_int_equal(rd(r, 0, SVR), 0x1ab);
}

/* ---- x2APIC ---- */

static void base_transitions_are_those_of_the_manual(void **state)
{
    const uint64_t off = 0xfee00000, x = 0xfee00800, x2 = 0xfee00c00, bad = 0xfee00400;
    struct rig *r = *state;
    assert_false(msr_write(r, 1, 0x1b, bad));
    assert_true(msr_write(r, 1, 0x1b, x2));
    assert_int_equal(*lapic_page(&r->apic[1]), LAPIC_NO_PAGE);
    assert_false(msr_write(r, 1, 0x1b, x));
    assert_true(msr_write(r, 1, 0x1b, off));
    assert_false(msr_write(r, 1, 0x1b, x2));
    assert_true(msr_write(r, 1, 0x1b, x));
    assert_false(msr_write(r, 1, 0x1b, x | 0x1)); /* reserved bits */
    assert_false(msr_write(r, 1, 0x1b, x | BIT64(60)));
    assert_true(msr_write(r, 1, 0x1b, x | 0x100)); /* BSP cannot be written */
    assert_int_equal(msr(r, 1, 0x1b), x);
}

static void x2apic_registers_are_msrs(void **state)
{
    struct rig *r = *state;
    uint64_t val;
    assert_false(msr_read(r, 2, 0x802, &val));
    msr_write(r, 2, 0x1b, 0xfee00c00);
    assert_int_equal(msr(r, 2, 0x802), 2);
    assert_int_equal(msr(r, 2, 0x80d), 4);
    assert_true(msr_write(r, 2, 0x80f, 0x1ff));
    assert_true(msr_write(r, 2, 0x830, BIT64(33) | 0x45));
    assert_int_equal(msr(r, 2, 0x830), BIT64(33) | 0x45);
    assert_int_equal(take(r, 2), 0x45);
    assert_true(msr_write(r, 2, 0x80b, 0));
    assert_true(msr_write(r, 2, 0x83f, 0x46));
    assert_int_equal(take(r, 2), 0x46);
}

static void what_x2apic_does_not_have_is_gp(void **state)
{
    static const struct {
        uint32_t msr;
        uint64_t val;
    } writes[] = {
        {0x802, 0},      {0x803, 0},      {0x80a, 0},       {0x80d, 0},          {0x80e, 0},
        {0x80b, 1},      {0x828, 1},      {0x831, 0},       {0x839, 0},          {0x808, 0x100},
        {0x80f, 0x1000}, {0x832, 0x80000}, {0x838, BIT64(32)}, {0x83e, 4},      {0x83f, 0x100},
        {0x830, 0x100000}, {0x840, 0},    {0x8ff, 0},
    };
    static const uint32_t reads[] = {0x800, 0x80b, 0x80c, 0x809, 0x80e, 0x831, 0x83f, 0x840, 0x8ff};
    struct rig *r = *state;
    uint64_t val;
    msr_write(r, 0, 0x1b, 0xfee00c00);
    for (unsigned i = 0; i < ARRAY_SIZE(writes); i++) {
        assert_false(msr_write(r, 0, writes[i].msr, writes[i].val));
    }
    for (unsigned i = 0; i < ARRAY_SIZE(reads); i++) {
        assert_false(msr_read(r, 0, reads[i], &val));
    }
}

static void x2apic_logical_destinations_are_cluster_and_bit(void **state)
{
    struct rig *r = *state;
    for (unsigned i = 0; i < CPUS; i++) {
        msr_write(r, i, 0x1b, 0xfee00c00 | (i == 0 ? 0x100 : 0));
        msr_write(r, i, 0x80f, 0x1ff);
    }
    msr_write(r, 0, 0x830, 6ull << 32 | 0x841);
    assert_true(lapic_requests(&r->apic[1], 0x41) && lapic_requests(&r->apic[2], 0x41));
    assert_false(lapic_requests(&r->apic[0], 0x41) || lapic_requests(&r->apic[3], 0x41));
    msr_write(r, 0, 0x830, 0x10001ull << 32 | 0x842); /* another cluster */
    assert_false(lapic_requests(&r->apic[0], 0x42));
    msr_write(r, 0, 0x830, 0xffffffffull << 32 | 0x43);
    for (unsigned i = 0; i < CPUS; i++) {
        assert_true(lapic_requests(&r->apic[i], 0x43));
    }
}

/* ---- messages by memory writes ---- */

static void a_write_to_fee_is_a_message(void **state)
{
    struct rig *r = *state;
    enable_all(r);
    space_write(&r->b.m.mem, 0xfee02000, 0x0051, 4);
    assert_int_equal(who_got(r, 0x51), 4);
    space_write(&r->b.m.mem, 0xfeeff000, 0x0052, 4);
    assert_int_equal(who_got(r, 0x52), 0xf);
    for (unsigned c = 0; c < CPUS; c++) {
        wr(r, c, LDR, 1u << (24 + c));
    }
    space_write(&r->b.m.mem, 0xfee0900c, 0x0153, 4); /* lowest priority of 0 and 3 */
    assert_int_equal(who_got(r, 0x53), 1);
    space_write(&r->b.m.mem, 0xfee02000, 0x8054, 4); /* level, de-assert */
    space_write(&r->b.m.mem, 0xfee02000, 0x55, 2);
    assert_int_equal(who_got(r, 0x54) | who_got(r, 0x55), 0);
}

/* ---- blanket ---- */

static void reset_and_state_are_complete(void **state)
{
    struct rig *r = *state;
    bench_check_reset(&r->b);
    enable_all(r);
    wr(r, 0, TIMER, 0x20041);
    wr(r, 0, INITIAL, 123456);
    wr(r, 1, TIMER, 0x40042);
    lapic_set_deadline(&r->apic[1], 99, bench_now(&r->b) + 5000);
    ipi(r, 0, 0, 0x80061);
    bench_advance(&r->b, 777);
    bench_check_state(&r->b);
}

static void random_accesses_do_no_harm(void **state)
{
    struct rig *r = *state;
    for (unsigned i = 0; i < 200000; i++) {
        uint32_t x = bench_random(&r->b), val = bench_random(&r->b);
        unsigned c = x & 3, reg = (x >> 4 & 0x3f) << 4;
        uint64_t out;
        switch (x >> 16 & 15) {
        case 0: lapic_read(&r->apic[c], x >> 4 & 0xfff, 1u << (x >> 20 & 3)); break;
        case 1: lapic_write(&r->apic[c], x >> 4 & 0xfff, val, 1u << (x >> 20 & 3)); break;
        case 2: msr_write(r, c, 0x1b, val & 0xfffffd00); break;
        case 3: msr_write(r, c, 0x800 + (x >> 4 & 0xff), val); break;
        case 4: msr_read(r, c, 0x800 + (x >> 4 & 0xff), &out); break;
        case 5: lapic_acknowledge(&r->apic[c]); break;
        case 6: irq_set(&r->bus.lint[x >> 4 & 1], val & 1); break;
        case 7: space_write(&r->b.m.mem, 0xfee00000 + (val & 0xffffc), x, 4); break;
        case 8: lapic_set_deadline(&r->apic[c], val, bench_now(&r->b) + (x >> 8)); break;
        case 9: lapic_take_init(&r->apic[c]); break;
        default: wr(r, c, reg, val); break;
        }
        if ((val & 0xff00) == 0) {
            bench_advance(&r->b, x >> 12);
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(after_power_on_it_is_software_disabled),
        T(while_software_disabled_lvt_masks_stay_set),
        T(while_software_disabled_only_fixed_interrupts_are_refused),
        T(reserved_bits_of_registers_read_0),
        T(an_interrupt_goes_from_irr_to_isr_to_nothing),
        T(a_higher_class_interrupts_an_equal_one_waits),
        T(the_task_priority_holds_back_its_class_and_below),
        T(the_processor_priority_is_the_higher_of_tpr_and_isr),
        T(a_request_that_is_gone_is_answered_with_the_spurious_vector),
        T(only_a_level_triggered_eoi_is_broadcast),
        T(lint0_as_extint_lets_the_8259s_answer),
        T(a_disabled_apic_is_a_pair_of_wires),
        T(lint1_is_an_nmi_at_each_rise),
        T(a_level_triggered_lint_asks_again_after_its_eoi),
        T(an_edge_at_lint0_asks_once),
        T(destinations_are_matched_as_the_manual_says),
        T(lowest_priority_goes_to_the_least_busy),
        T(init_and_sipi_reach_their_pins),
        T(invalid_shorthands_send_nothing),
        T(init_resets_registers_but_not_id_and_base),
        T(illegal_vectors_and_registers_are_errors),
        T(parts_of_a_register_can_be_read_not_written),
        T(base_transitions_are_those_of_the_manual),
        T(x2apic_registers_are_msrs),
        T(what_x2apic_does_not_have_is_gp),
        T(x2apic_logical_destinations_are_cluster_and_bit),
        T(a_write_to_fee_is_a_message),
        T(reset_and_state_are_complete),
        T(random_accesses_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
