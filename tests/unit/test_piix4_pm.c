/* PIIX4 function 3: PM timer, SCI, soft-off, APM ports, SMBus (hw/piix3/piix4_pm). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench.h"
#include "hw/piix3/piix4_pm.h"

enum { PROBE_SCI, PROBE_SMI };

#define BASE 0x600
#define SMB  0xb100

struct rig {
    struct bench b;
    struct pci_bus bus;
    struct region mem;
    struct piix4_pm pm;
};

static struct rig *make(bool smm)
{
    struct rig *r = calloc(1, sizeof(*r));

    bench_init(&r->b);
    region_container(&r->mem, "pci", BIT64(MACHINE_PHYS_BITS));
    pci_bus_init(&r->bus, &r->b.m, &r->mem);
    struct piix4_pm_pins pins = {
        .sci = &r->b.probe[PROBE_SCI].irq,
        .smi = smm ? &r->b.probe[PROBE_SMI].irq : NULL,
        .com1 = true,
    };
    piix4_pm_init(&r->pm, &r->bus, PCI_DEVFN(1, 3), &pins);
    bench_power_on(&r->b);
    return r;
}

static void cfg_out8(struct rig *r, unsigned reg, uint8_t val)
{
    bench_out32(&r->b, 0xcf8, 0x80000b00u | (reg & 0xfc));
    bench_out8(&r->b, (uint16_t)(0xcfc + (reg & 3)), val);
}

static uint8_t cfg_in8(struct rig *r, unsigned reg)
{
    bench_out32(&r->b, 0xcf8, 0x80000b00u | (reg & 0xfc));
    return bench_in8(&r->b, (uint16_t)(0xcfc + (reg & 3)));
}

/* As SeaBIOS leaves it. */
static void enable(struct rig *r)
{
    bench_out32(&r->b, 0xcf8, 0x80000b40);
    bench_out32(&r->b, 0xcfc, BASE | 1);
    cfg_out8(r, 0x80, 1);
}

static int set_up(void **state)
{
    struct rig *r = make(true);
    enable(r);
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

static uint32_t timer_now(struct rig *r)
{
    return bench_in32(&r->b, BASE + 8);
}

static void the_ports_follow_pmbase_and_its_enable(void **state)
{
    struct rig *r = *state;
    assert_int_equal(piix4_pm_base(&r->pm), BASE);
    assert_int_equal(bench_in16(&r->b, BASE + 4), 0);
    cfg_out8(r, 0x41, 0x40);
    assert_int_equal(piix4_pm_base(&r->pm), 0x4000);
    assert_int_equal(bench_in16(&r->b, BASE + 4), 0xffff);
    assert_int_equal(bench_in16(&r->b, 0x4004), 0);
    cfg_out8(r, 0x80, 0);
    assert_int_equal(piix4_pm_base(&r->pm), 0);
    assert_int_equal(bench_in16(&r->b, 0x4004), 0xffff);
}

static void what_is_not_decoded_reads_as_ones(void **state)
{
    struct rig *r = *state;
    assert_int_equal(bench_in32(&r->b, BASE + 0x28), 0xffffffff);
    assert_int_equal(bench_in16(&r->b, BASE + 6), 0xffff);
}

static void the_timer_counts_3579545_a_second_in_24_bits(void **state) /* [PIIX4] PMTMR */
{
    struct rig *r = *state;
    assert_int_equal(timer_now(r), 0);
    bench_advance(&r->b, NS_PER_SEC);
    assert_int_equal(timer_now(r), 3579545);
    bench_advance(&r->b, 4 * NS_PER_SEC);
    assert_int_equal(timer_now(r), (5u * 3579545) & 0xffffff);
    bench_out32(&r->b, BASE + 8, 0x123456);
    assert_int_equal(timer_now(r), (5u * 3579545) & 0xffffff);
    assert_int_equal(bench_in8(&r->b, BASE + 9), timer_now(r) >> 8 & 0xff);
}

static void a_toggle_of_bit_23_sets_tmrof_sts(void **state) /* [PIIX4] PMSTS bit 0 */
{
    struct rig *r = *state;
    int64_t half = (int64_t)muldiv64_up(0x800000, NS_PER_SEC, PIIX4_PM_TIMER_HZ);

    bench_advance_to(&r->b, half - 1);
    assert_int_equal(bench_in16(&r->b, BASE), 0);
    bench_advance_to(&r->b, half);
    assert_int_equal(timer_now(r), 0x800000);
    assert_int_equal(bench_in16(&r->b, BASE), 1);
    bench_out16(&r->b, BASE, 0); /* zeros clear nothing */
    assert_int_equal(bench_in16(&r->b, BASE), 1);
    bench_out16(&r->b, BASE, 1);
    assert_int_equal(bench_in16(&r->b, BASE), 0);
    bench_advance_to(&r->b, 2 * half);
    assert_int_equal(bench_in16(&r->b, BASE), 1);
}

static void an_overflow_interrupts_if_enabled(void **state)
{
    struct rig *r = *state;
    int64_t half = (int64_t)muldiv64_up(0x800000, NS_PER_SEC, PIIX4_PM_TIMER_HZ);

    bench_out16(&r->b, BASE + 4, 1); /* SCI_EN */
    bench_out16(&r->b, BASE + 2, 1); /* TMROF_EN */
    bench_advance_to(&r->b, half + NS_PER_MS);
    assert_true(r->b.probe[PROBE_SCI].level);
    assert_int_equal(r->b.probe[PROBE_SCI].edge[0].at_ns, half);
    bench_out16(&r->b, BASE, 1);
    assert_false(r->b.probe[PROBE_SCI].level);
    bench_advance_to(&r->b, 2 * half + NS_PER_MS);
    assert_int_equal(r->b.probe[PROBE_SCI].rises, 2);
}

static void nothing_is_armed_while_the_overflow_is_not_wanted(void **state)
{
    struct rig *r = *state;
    assert_int_equal(clock_deadline(&r->b.m.clock), TIME_NEVER);
    bench_out16(&r->b, BASE + 2, 1);
    assert_int_not_equal(clock_deadline(&r->b.m.clock), TIME_NEVER);
    bench_out16(&r->b, BASE + 2, 0);
    assert_int_equal(clock_deadline(&r->b.m.clock), TIME_NEVER);
}

static void the_power_button_interrupts_through_sci_en(void **state)
{
    struct rig *r = *state;
    bench_out16(&r->b, BASE + 2, 0x0100);
    piix4_pm_power_button(&r->pm);
    assert_int_equal(bench_in16(&r->b, BASE), 0x0100);
    assert_false(r->b.probe[PROBE_SCI].level);
    bench_out8(&r->b, BASE + 4, 1);
    assert_true(r->b.probe[PROBE_SCI].level);
    bench_out8(&r->b, BASE + 1, 0x01); /* the high byte alone */
    assert_false(r->b.probe[PROBE_SCI].level);
}

static void enable_bits_without_an_event_do_not_stick(void **state)
{
    struct rig *r = *state;
    bench_out16(&r->b, BASE + 2, 0xffff);
    assert_int_equal(bench_in16(&r->b, BASE + 2), 0x0521);
    bench_out32(&r->b, BASE, 0x01000000); /* status and enable in one access */
    assert_int_equal(bench_in16(&r->b, BASE + 2), 0x0100);
}

static void slp_en_with_type_0_or_2_switches_off(void **state) /* [PIIX4] PMCNTRL SUS_EN */
{
    static const uint16_t off[] = {0x2000, 0x2800};
    struct rig *r = *state;

    for (unsigned i = 0; i < ARRAY_SIZE(off); i++) {
        r->b.m.stop_request = CAUSE_NONE;
        bench_out16(&r->b, BASE + 4, off[i]);
        assert_int_equal(r->b.m.stop_request, CAUSE_GUEST_SHUTDOWN);
        assert_int_equal(r->b.m.stop_status, 0);
    }
    assert_int_equal(bench_in16(&r->b, BASE + 4), 0x0800); /* SUS_EN reads as 0 */
}

static void a_sleep_type_alone_does_nothing(void **state)
{
    struct rig *r = *state;
    bench_out16(&r->b, BASE + 4, 0x0000);
    bench_out16(&r->b, BASE + 4, 0x2400); /* S3 */
    assert_int_equal(r->b.m.stop_request, CAUSE_NONE);
}

static void slp_en_counts_in_its_own_byte(void **state)
{
    struct rig *r = *state;
    bench_out8(&r->b, BASE + 5, 0x20);
    assert_int_equal(r->b.m.stop_request, CAUSE_GUEST_SHUTDOWN);
}

static void apmc_raises_smi_while_apmc_en_is_set(void **state) /* [PIIX4] DEVACTB bit 25 */
{
    struct rig *r = *state;
    bench_out8(&r->b, 0xb2, 0x01);
    assert_int_equal(r->b.probe[PROBE_SMI].rises, 0);
    cfg_out8(r, 0x5b, 0x02);
    bench_out8(&r->b, 0xb2, 0x02);
    assert_int_equal(r->b.probe[PROBE_SMI].rises, 1);
    bench_out8(&r->b, 0xb3, 0x55);
    assert_int_equal(r->b.probe[PROBE_SMI].rises, 1);
    assert_int_equal(bench_in8(&r->b, 0xb2), 0x02);
    assert_int_equal(bench_in8(&r->b, 0xb3), 0x55);
}

static void f1_and_f0_switch_acpi_mode(void **state)
{
    struct rig *r = *state;
    bench_out8(&r->b, 0xb2, 0xf1);
    assert_int_equal(bench_in16(&r->b, BASE + 4), 1);
    bench_out8(&r->b, 0xb2, 0x00);
    assert_int_equal(bench_in16(&r->b, BASE + 4), 1);
    bench_out8(&r->b, 0xb2, 0xf0);
    assert_int_equal(bench_in16(&r->b, BASE + 4), 0);
}

static void without_smm_firmware_finds_it_set_up(void **state)
{
    struct rig *r = make(false);
    assert_int_equal(cfg_in8(r, 0x5b), 0x02);
    bench_out8(&r->b, 0xb2, 0xf1);
    assert_int_equal(r->b.probe[PROBE_SMI].n, 0);
    bench_fini(&r->b);
    free(r);
    r = *state;
    assert_int_equal(cfg_in8(r, 0x5b), 0x00);
}

static void gpe0_status_is_cleared_by_ones(void **state)
{
    struct rig *r = *state;
    r->pm.gpe_sts = 0x0003;
    bench_out16(&r->b, BASE + 4, 1);
    bench_out16(&r->b, 0xafe2, 0x0001);
    assert_true(r->b.probe[PROBE_SCI].level);
    bench_out16(&r->b, 0xafe0, 0x0001);
    assert_int_equal(bench_in32(&r->b, 0xafe0), 0x00010002);
    assert_false(r->b.probe[PROBE_SCI].level);
}

static void an_smbus_transfer_ends_with_a_device_error(void **state) /* [PIIX4] SMBHSTSTS */
{
    struct rig *r = *state;
    assert_int_equal(bench_in8(&r->b, SMB), 0);
    bench_out8(&r->b, SMB + 4, 0xa1);
    bench_out8(&r->b, SMB + 3, 0x00);
    bench_out8(&r->b, SMB + 2, 0x48); /* start, byte data */
    assert_int_equal(bench_in8(&r->b, SMB), 0x04);
    assert_int_equal(bench_in8(&r->b, SMB + 2), 0x08);
    bench_out8(&r->b, SMB, 0xff);
    assert_int_equal(bench_in8(&r->b, SMB), 0);
}

static void the_smbus_block_buffer_wraps(void **state)
{
    struct rig *r = *state;
    bench_in8(&r->b, SMB + 2);
    for (unsigned i = 0; i < 40; i++) {
        bench_out8(&r->b, SMB + 7, (uint8_t)i);
    }
    bench_in8(&r->b, SMB + 2);
    assert_int_equal(bench_in8(&r->b, SMB + 7), 32);
    assert_int_equal(bench_in8(&r->b, SMB + 7), 33);
}

static void the_smbus_follows_its_base(void **state)
{
    struct rig *r = *state;
    cfg_out8(r, 0x90, 0x00);
    cfg_out8(r, 0x91, 0x07);
    assert_int_equal(bench_in8(&r->b, 0x700), 0);
    assert_int_equal(bench_in8(&r->b, SMB), 0xff);
    cfg_out8(r, 0xd2, 0x08);
    assert_int_equal(bench_in8(&r->b, 0x700), 0xff);
}

static void the_header_and_defaults_are_a_piix4s(void **state)
{
    static const struct {
        uint8_t reg, val;
    } defaults[] = {
        {0x06, 0x80}, {0x07, 0x02}, {0x3d, 0x01}, {0x40, 0x01}, {0x5f, 0x10}, {0x63, 0x60},
        {0x67, 0x08}, {0x80, 0x00}, {0x90, 0x01}, {0x91, 0xb1}, {0xd2, 0x09},
    };
    struct rig *r = *state;

    bench_reset(&r->b);
    bench_out32(&r->b, 0xcf8, 0x80000b00);
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0x71138086);
    bench_out32(&r->b, 0xcf8, 0x80000b08);
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0x06800003);
    for (unsigned i = 0; i < ARRAY_SIZE(defaults); i++) {
        assert_int_equal(cfg_in8(r, defaults[i].reg), defaults[i].val);
    }
}

static void reset_and_state_are_complete(void **state)
{
    struct rig *r = *state;
    bench_out16(&r->b, BASE + 2, 0x0101);
    bench_out16(&r->b, BASE + 4, 0x0801);
    bench_out8(&r->b, 0xb3, 0x12);
    bench_out8(&r->b, SMB + 5, 0x34);
    piix4_pm_power_button(&r->pm);
    bench_advance(&r->b, 3 * NS_PER_SEC);
    uint32_t before = timer_now(r);
    bench_check_state(&r->b);
    machine_commit(&r->b.m);
    assert_int_equal(timer_now(r), before);
    bench_check_reset(&r->b);
}

static void random_accesses_do_no_harm(void **state)
{
    static const uint16_t ports[] = {BASE, SMB, 0xb0, 0xafe0, 0xcfc};
    struct rig *r = *state;
    for (unsigned i = 0; i < 500; i++) {
        bench_fuzz_ports(&r->b, ports[i % ARRAY_SIZE(ports)], 16, 20, 100000000);
        bench_out32(&r->b, 0xcf8, 0x80000b00u | (bench_random(&r->b) & 0xfc));
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_ports_follow_pmbase_and_its_enable),
        T(what_is_not_decoded_reads_as_ones),
        T(the_timer_counts_3579545_a_second_in_24_bits),
        T(a_toggle_of_bit_23_sets_tmrof_sts),
        T(an_overflow_interrupts_if_enabled),
        T(nothing_is_armed_while_the_overflow_is_not_wanted),
        T(the_power_button_interrupts_through_sci_en),
        T(enable_bits_without_an_event_do_not_stick),
        T(slp_en_with_type_0_or_2_switches_off),
        T(a_sleep_type_alone_does_nothing),
        T(slp_en_counts_in_its_own_byte),
        T(apmc_raises_smi_while_apmc_en_is_set),
        T(f1_and_f0_switch_acpi_mode),
        T(without_smm_firmware_finds_it_set_up),
        T(gpe0_status_is_cleared_by_ones),
        T(an_smbus_transfer_ends_with_a_device_error),
        T(the_smbus_block_buffer_wraps),
        T(the_smbus_follows_its_base),
        T(the_header_and_defaults_are_a_piix4s),
        T(reset_and_state_are_complete),
        T(random_accesses_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
