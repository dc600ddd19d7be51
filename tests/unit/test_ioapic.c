/* I/O APIC (hw/chips/ioapic), from [IOAPIC], with two local APICs to send to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench.h"
#include "hw/chips/ioapic.h"
#include "hw/chips/lapic.h"

#define CPUS 2

enum { MASKED = 0x10000, LEVEL = 0x8000, REMOTE_IRR = 0x4000, LOW_ACTIVE = 0x2000 };
enum { P_INTR, P_NMI, P_SMI, P_INIT, P_PINS };

struct rig {
    struct bench b;
    struct apic_bus bus;
    struct lapic apic[CPUS];
    struct ioapic io;
};

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));
    bench_init(&r->b);
    apic_bus_init(&r->bus, &r->b.m);
    for (unsigned i = 0; i < CPUS; i++) {
        struct bench_probe *p = &r->b.probe[i * P_PINS];
        struct lapic_pins pins = {
            .intr = &p[P_INTR].irq, .nmi = &p[P_NMI].irq, .smi = &p[P_SMI].irq,
            .init = &p[P_INIT].irq, .id = i,
        };
        lapic_init(&r->apic[i], &r->bus, &pins);
    }
    ioapic_init(&r->io, &r->bus);
    bench_power_on(&r->b);
    for (unsigned i = 0; i < CPUS; i++) {
        lapic_write(&r->apic[i], 0x0f0, 0x1ff, 4);
    }
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *r = *state;
    bench_fini(&r->b);
    free(r);
    return 0;
}

static uint32_t reg(struct rig *r, unsigned n)
{
    space_write(&r->b.m.mem, IOAPIC_BASE, n, 4);
    return (uint32_t)space_read(&r->b.m.mem, IOAPIC_BASE + 0x10, 4);
}

static void set_reg(struct rig *r, unsigned n, uint32_t val)
{
    space_write(&r->b.m.mem, IOAPIC_BASE, n, 4);
    space_write(&r->b.m.mem, IOAPIC_BASE + 0x10, val, 4);
}

static void redirect(struct rig *r, unsigned p, uint32_t high, uint32_t low)
{
    set_reg(r, 0x11 + 2 * p, high);
    set_reg(r, 0x10 + 2 * p, low);
}

static void set_pin(struct rig *r, unsigned p, bool level)
{
    irq_set(ioapic_input(&r->io, p), level);
}

static int take(struct rig *r, unsigned cpu)
{
    return r->b.probe[cpu * P_PINS].level ? lapic_acknowledge(&r->apic[cpu]) : -1;
}

static void eoi(struct rig *r, unsigned cpu)
{
    lapic_write(&r->apic[cpu], 0x0b0, 0, 4);
}

static void after_reset_every_pin_is_masked(void **state)
{
    struct rig *r = *state;
    assert_int_equal(reg(r, 0), 0);
    assert_int_equal(reg(r, 1), 0x00170020);
    assert_int_equal(reg(r, 2), 0);
    for (unsigned p = 0; p < IOAPIC_PINS; p++) {
        assert_int_equal(reg(r, 0x10 + 2 * p), MASKED);
        assert_int_equal(reg(r, 0x11 + 2 * p), 0);
    }
    assert_int_equal(reg(r, 0x40), 0);
}

static void only_defined_bits_are_kept(void **state)
{
    struct rig *r = *state;
    redirect(r, 23, 0xffffffff, 0xffffffff);
    assert_int_equal(reg(r, 0x3e), 0x1afff);
    assert_int_equal(reg(r, 0x3f), 0xff000000);
    set_reg(r, 0, 0xffffffff);
    assert_int_equal(reg(r, 0), 0x0f000000);
    assert_int_equal(reg(r, 2), 0x0f000000);
    set_reg(r, 1, 0xffffffff);
    assert_int_equal(reg(r, 1), 0x00170020);
}

static void an_edge_is_one_message(void **state)
{
    struct rig *r = *state;
    redirect(r, 3, 1u << 24, 0x43);
    set_pin(r, 3, true);
    assert_int_equal(take(r, 0), -1);
    assert_int_equal(take(r, 1), 0x43);
    eoi(r, 1);
    set_pin(r, 3, true);
    assert_int_equal(take(r, 1), -1);
    set_pin(r, 3, false);
    set_pin(r, 3, true);
    assert_int_equal(take(r, 1), 0x43);
    assert_int_equal(reg(r, 0x16) & REMOTE_IRR, 0);
}

static void an_edge_at_a_masked_pin_is_lost(void **state)
{
    struct rig *r = *state;
    set_pin(r, 3, true);
    redirect(r, 3, 0, 0x43);
    assert_int_equal(take(r, 0), -1);
    set_pin(r, 3, false);
    set_pin(r, 3, true);
    assert_int_equal(take(r, 0), 0x43);
}

static void a_level_asks_until_its_eoi_finds_it_low(void **state)
{
    struct rig *r = *state;
    redirect(r, 10, 0, LEVEL | 0x5a);
    set_pin(r, 10, true);
    assert_int_equal(reg(r, 0x24), LEVEL | REMOTE_IRR | 0x5a);
    assert_int_equal(take(r, 0), 0x5a);
    assert_int_equal(take(r, 0), -1);
    eoi(r, 0);
    assert_int_equal(take(r, 0), 0x5a);
    set_pin(r, 10, false);
    eoi(r, 0);
    assert_int_equal(take(r, 0), -1);
    assert_int_equal(reg(r, 0x24), LEVEL | 0x5a);
}

static void a_level_at_a_masked_pin_waits(void **state)
{
    struct rig *r = *state;
    redirect(r, 10, 0, LEVEL | MASKED | 0x5a);
    set_pin(r, 10, true);
    assert_int_equal(take(r, 0), -1);
    redirect(r, 10, 0, LEVEL | 0x5a);
    assert_int_equal(take(r, 0), 0x5a);
}

static void an_eoi_serves_every_pin_of_its_vector(void **state)
{
    struct rig *r = *state;
    redirect(r, 10, 0, LEVEL | 0x5a);
    redirect(r, 11, 0, LEVEL | 0x5a);
    redirect(r, 12, 0, LEVEL | 0x6a);
    set_pin(r, 10, true);
    set_pin(r, 11, true);
    set_pin(r, 12, true);
    set_pin(r, 10, false);
    set_pin(r, 11, false);
    assert_int_equal(take(r, 0), 0x6a);
    space_write(&r->b.m.mem, IOAPIC_BASE + 0x40, 0x5a, 4); /* the EOI register */
    assert_int_equal(reg(r, 0x24) & REMOTE_IRR, 0);
    assert_int_equal(reg(r, 0x26) & REMOTE_IRR, 0);
    assert_int_equal(reg(r, 0x28) & REMOTE_IRR, REMOTE_IRR);
}

static void a_change_to_edge_forgets_the_remote_irr(void **state)
{
    struct rig *r = *state;
    redirect(r, 10, 0, LEVEL | 0x5a);
    set_pin(r, 10, true);
    redirect(r, 10, 0, MASKED | 0x5a);
    assert_int_equal(reg(r, 0x24), MASKED | 0x5a);
    redirect(r, 10, 0, LEVEL | MASKED | 0x5a);
    assert_int_equal(reg(r, 0x24), LEVEL | MASKED | 0x5a);
}

static void polarity_is_stored_without_effect(void **state)
{
    struct rig *r = *state;
    redirect(r, 5, 0, LOW_ACTIVE | 0x45);
    assert_int_equal(take(r, 0), -1);
    set_pin(r, 5, true);
    assert_int_equal(take(r, 0), 0x45);
    assert_int_equal(reg(r, 0x1a), LOW_ACTIVE | 0x45);
}

static void delivery_modes_reach_their_pins(void **state)
{
    static const struct {
        unsigned mode, probe;
    } modes[] = {{2, P_SMI}, {4, P_NMI}, {5, P_INIT}};
    struct rig *r = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
        redirect(r, 7, 1u << 24, modes[i].mode << 8 | LEVEL); /* level means nothing here */
        set_pin(r, 7, true);
        set_pin(r, 7, false);
        assert_int_equal(r->b.probe[P_PINS + modes[i].probe].rises, 1);
        assert_int_equal(r->b.probe[modes[i].probe].rises, 0);
    }
}

static void logical_and_lowest_priority_destinations_work(void **state)
{
    struct rig *r = *state;
    lapic_write(&r->apic[0], 0x0d0, 1u << 24, 4);
    lapic_write(&r->apic[1], 0x0d0, 2u << 24, 4);
    redirect(r, 1, 3u << 24, 0x841);
    set_pin(r, 1, true);
    assert_int_equal(take(r, 0), 0x41);
    assert_int_equal(take(r, 1), 0x41);
    redirect(r, 1, 3u << 24, 0x951);
    eoi(r, 1);
    set_pin(r, 1, false);
    set_pin(r, 1, true);
    assert_int_equal(take(r, 0), -1);
    assert_int_equal(take(r, 1), 0x51);
}

static void windows_take_whole_dwords(void **state)
{
    struct rig *r = *state;
    redirect(r, 0, 0, 0x51);
    space_write(&r->b.m.mem, IOAPIC_BASE, 0x10, 1); /* the select register is a byte */
    assert_int_equal(space_read(&r->b.m.mem, IOAPIC_BASE, 1), 0x10);
    space_write(&r->b.m.mem, IOAPIC_BASE + 0x10, 0xff, 1);
    assert_int_equal(space_read(&r->b.m.mem, IOAPIC_BASE + 0x10, 4), 0x51);
    assert_int_equal(space_read(&r->b.m.mem, IOAPIC_BASE + 0x20, 4), 0);
}

static void reset_and_state_are_complete(void **state)
{
    struct rig *r = *state;
    bench_check_reset(&r->b);
    redirect(r, 10, 0, LEVEL | 0x5a);
    set_pin(r, 10, true);
    set_pin(r, 12, true);
    set_reg(r, 0, 0x3000000);
    bench_check_state(&r->b);
}

static void random_accesses_do_no_harm(void **state)
{
    struct rig *r = *state;
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t x = bench_random(&r->b), val = bench_random(&r->b);
        unsigned off = x >> 8 & 0xfff, size = 1u << (x >> 4 & 3);
        switch (x & 7) {
        case 0: space_write(&r->b.m.mem, IOAPIC_BASE + off, val, size); break;
        case 1: space_read(&r->b.m.mem, IOAPIC_BASE + off, size); break;
        case 2: set_reg(r, x >> 8 & 0xff, val); break;
        case 3: redirect(r, (x >> 8) % IOAPIC_PINS, val, x); break;
        case 4: take(r, x >> 8 & 1); break;
        case 5: eoi(r, x >> 8 & 1); break;
        default: set_pin(r, (x >> 8) % IOAPIC_PINS, val & 1); break;
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(after_reset_every_pin_is_masked),
        T(only_defined_bits_are_kept),
        T(an_edge_is_one_message),
        T(an_edge_at_a_masked_pin_is_lost),
        T(a_level_asks_until_its_eoi_finds_it_low),
        T(a_level_at_a_masked_pin_waits),
        T(an_eoi_serves_every_pin_of_its_vector),
        T(a_change_to_edge_forgets_the_remote_irr),
        T(polarity_is_stored_without_effect),
        T(delivery_modes_reach_their_pins),
        T(logical_and_lowest_priority_destinations_work),
        T(windows_take_whole_dwords),
        T(reset_and_state_are_complete),
        T(random_accesses_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
