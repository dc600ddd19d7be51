/* PIIX3: interrupt steering, A20, reset control, ports 61h, 80h, 92h and F0h (hw/piix3/piix3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench.h"
#include "hw/piix3/piix3.h"

enum { PROBE_INTR, PROBE_A20, PROBE_NMI, PROBE_IOAPIC };

struct rig {
    struct bench b;
    struct pci_bus bus;
    struct region mem;
    struct piix3 piix3;
    struct i8259_pair pic;
    struct i8254 pit;
};

/* Both 8259s ready with all inputs open: vectors 20h and 28h. */
static void pic_setup(struct rig *r)
{
    static const struct {
        uint16_t port;
        uint8_t val;
    } words[] = {
        {0x20, 0x11}, {0x21, 0x20}, {0x21, 0x04}, {0x21, 0x01}, {0x21, 0x00},
        {0xa0, 0x11}, {0xa1, 0x28}, {0xa1, 0x02}, {0xa1, 0x01}, {0xa1, 0x00},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        bench_out8(&r->b, words[i].port, words[i].val);
    }
}

static int set_up(void **state)
{
    struct rig *r = calloc(1, sizeof(*r));

    bench_init(&r->b);
    region_container(&r->mem, "pci", BIT64(MACHINE_PHYS_BITS));
    pci_bus_init(&r->bus, &r->b.m, &r->mem);
    piix3_init(&r->piix3, &r->bus, PCI_DEVFN(1, 0), &r->pic, &r->pit);
    piix3_connect_a20(&r->piix3, &r->b.probe[PROBE_A20].irq);
    i8259_pair_init(&r->pic, &r->b.m, &r->b.probe[PROBE_INTR].irq);
    i8254_init(&r->pit, &r->b.m, 0x40, &r->piix3.isa_irq[0], NULL);
    i8254_on_write(&r->pit, piix3_counter_written, &r->piix3);
    bench_power_on(&r->b);
    pic_setup(r);
    r->piix3.nmi = &r->b.probe[PROBE_NMI].irq;
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

static void cfg_out8(struct rig *r, unsigned reg, uint8_t val)
{
    bench_out32(&r->b, 0xcf8, 0x80000800u | (reg & 0xfc));
    bench_out8(&r->b, (uint16_t)(0xcfc + (reg & 3)), val);
}

static uint8_t cfg_in8(struct rig *r, unsigned reg)
{
    bench_out32(&r->b, 0xcf8, 0x80000800u | (reg & 0xfc));
    return bench_in8(&r->b, (uint16_t)(0xcfc + (reg & 3)));
}

/* Levels of all 8259 inputs. */
static unsigned lines(struct rig *r)
{
    return r->pic.master.lines | (unsigned)r->pic.slave.lines << 8;
}

static void each_isa_line_reaches_its_input(void **state)
{
    struct rig *r = *state;
    unsigned idle = lines(r);
    for (unsigned n = 3; n < PIIX3_IRQS; n++) {
        irq_set(&r->piix3.isa_irq[n], true);
        assert_int_equal(lines(r) & ~4u, (idle | BIT(n)) & ~4u);
        irq_set(&r->piix3.isa_irq[n], false);
        assert_int_equal(lines(r) & ~4u, idle & ~4u);
    }
}

static void pirqs_are_off_at_reset(void **state)
{
    struct rig *r = *state;
    unsigned idle = lines(r);
    for (unsigned p = 0; p < PCI_PIRQS; p++) {
        assert_int_equal(cfg_in8(r, 0x60 + p), 0x80);
        irq_set(&r->piix3.pirq[p], true);
        assert_int_equal(lines(r), idle);
    }
}

static void a_pirq_goes_where_its_register_says(void **state) /* [PIIX3] PIRQRC */
{
    static const uint8_t usable[] = {3, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15};
    struct rig *r = *state;

    for (unsigned p = 0; p < PCI_PIRQS; p++) {
        for (unsigned i = 0; i < sizeof(usable); i++) {
            cfg_out8(r, 0x60 + p, usable[i]);
            irq_set(&r->piix3.pirq[p], true);
            assert_true(lines(r) >> usable[i] & 1);
            irq_set(&r->piix3.pirq[p], false);
            assert_false(lines(r) >> usable[i] & 1);
        }
        cfg_out8(r, 0x60 + p, 0x80);
    }
}

static void reserved_interrupts_are_not_steered_to(void **state)
{
    static const uint8_t reserved[] = {1, 2, 8, 13};
    struct rig *r = *state;
    unsigned idle = lines(r);

    irq_set(&r->piix3.pirq[0], true);
    for (unsigned i = 0; i < sizeof(reserved); i++) {
        cfg_out8(r, 0x60, reserved[i]);
        assert_int_equal(lines(r), idle);
    }
}

static void a_line_moves_with_its_route(void **state)
{
    struct rig *r = *state;
    cfg_out8(r, 0x62, 0x0b);
    irq_set(&r->piix3.pirq[2], true);
    assert_true(lines(r) >> 11 & 1);
    cfg_out8(r, 0x62, 0x0a);
    assert_false(lines(r) >> 11 & 1);
    assert_true(lines(r) >> 10 & 1);
    cfg_out8(r, 0x62, 0x8a);
    assert_false(lines(r) >> 10 & 1);
}

static void lines_on_one_interrupt_are_ored(void **state)
{
    struct rig *r = *state;
    cfg_out8(r, 0x60, 9);
    cfg_out8(r, 0x61, 9);
    irq_set(&r->piix3.pirq[0], true);
    irq_set(&r->piix3.pirq[1], true);
    irq_set(&r->piix3.isa_irq[9], true);
    irq_set(&r->piix3.pirq[0], false);
    assert_true(lines(r) >> 9 & 1);
    irq_set(&r->piix3.isa_irq[9], false);
    assert_true(lines(r) >> 9 & 1);
    irq_set(&r->piix3.pirq[1], false);
    assert_false(lines(r) >> 9 & 1);
}

static void a_level_triggered_pirq_interrupts(void **state)
{
    struct rig *r = *state;
    bench_out8(&r->b, 0x4d1, 0x0c); /* ELCR2: IRQ 10 and 11 */
    cfg_out8(r, 0x60, 10);
    irq_set(&r->piix3.pirq[0], true);
    assert_true(r->b.probe[PROBE_INTR].level);
    assert_int_equal(i8259_acknowledge(&r->pic), 0x2a);
}

static void a20_is_open_at_reset_although_port_92_reads_0(void **state)
{
    struct rig *r = *state;
    assert_int_equal(bench_in8(&r->b, 0x92), 0);
    assert_true(r->b.probe[PROBE_A20].level);
}

static void a20_is_the_or_of_port_92_and_the_keyboard_controller(void **state)
{
    struct rig *r = *state;
    struct bench_probe *a20 = &r->b.probe[PROBE_A20];

    irq_set(&r->piix3.kbc_a20, false);
    assert_false(a20->level);
    bench_out8(&r->b, 0x92, 0x02);
    assert_true(a20->level);
    assert_int_equal(bench_in8(&r->b, 0x92), 0x02);
    irq_set(&r->piix3.kbc_a20, true);
    bench_out8(&r->b, 0x92, 0x00);
    assert_true(a20->level);
    irq_set(&r->piix3.kbc_a20, false);
    assert_false(a20->level);
}

static void port_92_resets_on_the_rise_of_bit_0(void **state)
{
    struct rig *r = *state;
    bench_out8(&r->b, 0x92, 0x02);
    assert_int_equal(r->b.m.reset_request, CAUSE_NONE);
    bench_out8(&r->b, 0x92, 0x03);
    assert_int_equal(r->b.m.reset_request, CAUSE_GUEST_RESET);
    r->b.m.reset_request = CAUSE_NONE;
    bench_out8(&r->b, 0x92, 0x03);
    assert_int_equal(r->b.m.reset_request, CAUSE_NONE);
}

static void cf9_resets_on_the_rise_of_rcpu(void **state) /* [PIIX3] RCR */
{
    struct rig *r = *state;
    bench_out8(&r->b, 0xcf9, 0x02);
    assert_int_equal(r->b.m.reset_request, CAUSE_NONE);
    assert_int_equal(bench_in8(&r->b, 0xcf9), 0x02);
    bench_out8(&r->b, 0xcf9, 0x06);
    assert_int_equal(r->b.m.reset_request, CAUSE_GUEST_RESET);
    r->b.m.reset_request = CAUSE_NONE;
    bench_out8(&r->b, 0xcf9, 0x0e);
    assert_int_equal(r->b.m.reset_request, CAUSE_NONE);
    bench_reset(&r->b);
    assert_int_equal(bench_in8(&r->b, 0xcf9), 0x00);
    bench_out8(&r->b, 0xcf9, 0x06);
    assert_int_equal(r->b.m.reset_request, CAUSE_GUEST_RESET);
}

static void configuration_addresses_do_not_reach_cf9(void **state)
{
    struct rig *r = *state;
    bench_out32(&r->b, 0xcf8, 0x80000600); /* byte 1 is 06h */
    bench_out16(&r->b, 0xcf8, 0x0600);
    assert_int_equal(r->b.m.reset_request, CAUSE_NONE);
    assert_int_equal(bench_in8(&r->b, 0xcf9), 0x00);
}

static void port_61_gates_counter_2_and_shows_its_output(void **state)
{
    struct rig *r = *state;
    bench_out8(&r->b, 0x43, 0xb0); /* counter 2, word, mode 0 */
    bench_out8(&r->b, 0x42, 100);
    bench_out8(&r->b, 0x42, 0);
    bench_advance(&r->b, NS_PER_MS);
    assert_int_equal(bench_in8(&r->b, 0x61) & 0x20, 0); /* the gate is low: it does not count */
    bench_out8(&r->b, 0x61, 0x01);
    bench_advance(&r->b, 80 * NS_PER_US);
    assert_int_equal(bench_in8(&r->b, 0x61) & 0x20, 0);
    bench_advance(&r->b, 10 * NS_PER_US);
    assert_int_equal(bench_in8(&r->b, 0x61) & 0x20, 0x20);
}

static void port_61_keeps_its_low_bits(void **state)
{
    struct rig *r = *state;
    bench_out8(&r->b, 0x61, 0xff);
    assert_int_equal(bench_in8(&r->b, 0x61) & 0xcf, 0x0f);
    bench_out8(&r->b, 0x61, 0x00);
    assert_int_equal(bench_in8(&r->b, 0x61) & 0xcf, 0x00);
}

static void hear(void *opaque, unsigned hz)
{
    char *heard = opaque;
    sprintf(heard + strlen(heard), " %u", hz);
}

static void the_speaker_sounds_while_counter_2_makes_a_square_wave(void **state)
{
    struct rig *r = *state;
    char heard[100] = "";
    r->b.m.speaker_tone = hear;
    r->b.m.speaker_opaque = heard;
    bench_out8(&r->b, 0x43, 0xb6); /* counter 2, word, mode 3 */
    bench_out8(&r->b, 0x42, 0xa9);
    bench_out8(&r->b, 0x42, 0x04); /* 1193 */
    assert_string_equal(heard, "");
    bench_out8(&r->b, 0x61, 0x03);
    assert_string_equal(heard, " 1000");
    bench_out8(&r->b, 0x61, 0x0f); /* nothing new */
    bench_out8(&r->b, 0x42, 0x52);
    bench_out8(&r->b, 0x42, 0x09); /* 2386 */
    assert_string_equal(heard, " 1000 500");
    bench_out8(&r->b, 0x61, 0x01); /* gate without data, data without gate */
    bench_out8(&r->b, 0x61, 0x02);
    bench_out8(&r->b, 0x61, 0x03);
    assert_string_equal(heard, " 1000 500 0 500");
    bench_out8(&r->b, 0x43, 0xb0); /* mode 0 */
    assert_string_equal(heard, " 1000 500 0 500 0");
    bench_out8(&r->b, 0x43, 0x96); /* low byte alone */
    bench_out8(&r->b, 0x42, 0x01);
    assert_string_equal(heard, " 1000 500 0 500 0 1193182");
    bench_reset(&r->b);
    assert_string_equal(heard, " 1000 500 0 500 0 1193182 0");
}

static void the_refresh_bit_toggles_every_15_us(void **state) /* [PIIX3] NMISC bit 4 */
{
    struct rig *r = *state;
    unsigned toggles = 0;
    uint8_t last = bench_in8(&r->b, 0x61) & 0x10;

    for (unsigned i = 0; i < 10000; i++) {
        bench_advance(&r->b, NS_PER_US);
        uint8_t now = bench_in8(&r->b, 0x61) & 0x10;
        toggles += now != last;
        last = now;
    }
    assert_in_range(toggles, 662, 664); /* 10 ms at 18 CLK a refresh */
}

static void port_80_latches_the_post_code(void **state)
{
    struct rig *r = *state;
    bench_out8(&r->b, 0x80, 0xa5);
    assert_int_equal(r->piix3.post_code, 0xa5);
    assert_int_equal(bench_in8(&r->b, 0x80), 0xff);
}

static void ferr_raises_irq_13_until_f0_is_written(void **state) /* [PIIX3] Coprocessor Error */
{
    struct rig *r = *state;
    irq_set(&r->piix3.ferr, true);
    assert_true(lines(r) >> 13 & 1);
    bench_out8(&r->b, 0xf0, 0);
    assert_false(lines(r) >> 13 & 1);
    irq_set(&r->piix3.ferr, true);   /* still the same error */
    assert_false(lines(r) >> 13 & 1);
    irq_set(&r->piix3.ferr, false);
    irq_set(&r->piix3.ferr, true);
    assert_true(lines(r) >> 13 & 1);
    assert_int_equal(bench_in8(&r->b, 0xf1), 0xff);
}

static void every_interrupt_goes_to_the_io_apic_too(void **state)
{
    struct rig *r = *state;
    r->piix3.ioapic[11] = &r->b.probe[PROBE_IOAPIC].irq;
    cfg_out8(r, 0x61, 0x0b);
    irq_set(&r->piix3.pirq[1], true);
    assert_true(r->b.probe[PROBE_IOAPIC].level);
    irq_set(&r->piix3.isa_irq[11], true);
    irq_set(&r->piix3.pirq[1], false);
    assert_true(r->b.probe[PROBE_IOAPIC].level);
    irq_set(&r->piix3.isa_irq[11], false);
    assert_false(r->b.probe[PROBE_IOAPIC].level);
}

static void iochk_is_an_nmi_when_ports_61_and_70_let_it(void **state)
{
    struct rig *r = *state;
    struct bench_probe *nmi = &r->b.probe[PROBE_NMI];
    irq_pulse(&r->piix3.iochk);
    assert_int_equal(bench_in8(&r->b, 0x61) & 0xc0, 0x40);
    assert_false(nmi->level); /* masked from reset on */
    irq_set(&r->piix3.nmi_mask, false);
    assert_true(nmi->level);
    bench_out8(&r->b, 0x61, 0x08); /* off and cleared */
    assert_false(nmi->level);
    irq_pulse(&r->piix3.iochk);
    bench_out8(&r->b, 0x61, 0x00);
    assert_false(nmi->level);
    irq_set(&r->piix3.iochk, true);
    assert_true(nmi->level);
}

static void the_header_and_defaults_are_a_piix3s(void **state)
{
    static const struct {
        uint8_t reg, val;
    } defaults[] = {
        {0x0e, 0x80}, {0x4c, 0x4d}, {0x4e, 0x03}, {0x60, 0x80}, {0x69, 0x02}, {0x70, 0x80},
        {0x76, 0x0c}, {0x77, 0x0c}, {0x78, 0x02}, {0xa0, 0x08}, {0xa8, 0x0f},
    };
    struct rig *r = *state;

    bench_out32(&r->b, 0xcf8, 0x80000800);
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0x70008086);
    bench_out32(&r->b, 0xcf8, 0x80000808);
    assert_int_equal(bench_in32(&r->b, 0xcfc), 0x06010000);
    for (unsigned i = 0; i < ARRAY_SIZE(defaults); i++) {
        assert_int_equal(cfg_in8(r, defaults[i].reg), defaults[i].val);
    }
    cfg_out8(r, 0x50, 0xff);
    assert_int_equal(cfg_in8(r, 0x50), 0);
}

/* What software can read back of port 61h, 92h, CF9h and PIRQRCA. */
static void registers(struct rig *r, uint32_t out[4])
{
    out[0] = bench_in8(&r->b, 0x61) & 0x0f;
    out[1] = bench_in8(&r->b, 0x92);
    out[2] = bench_in8(&r->b, 0xcf9);
    out[3] = cfg_in8(r, 0x60);
}

static void reset_and_state_are_complete(void **state)
{
    struct rig *r = *state;
    uint32_t before[4], after[4];
    cfg_out8(r, 0x60, 11);
    irq_set(&r->piix3.pirq[0], true);
    irq_set(&r->piix3.isa_irq[4], true);
    irq_set(&r->piix3.kbc_a20, false);
    irq_set(&r->piix3.ferr, true);
    bench_out8(&r->b, 0x61, 3);
    bench_out8(&r->b, 0x92, 2);
    bench_out8(&r->b, 0x80, 0x77);
    bench_out8(&r->b, 0xcf9, 2);
    registers(r, before);
    bench_check_state(&r->b);
    machine_commit(&r->b.m);
    registers(r, after);
    assert_memory_equal(before, after, sizeof(before));
    irq_set(&r->piix3.isa_irq[11], false); /* PIRQA still holds it: its level is kept, too */
    assert_true(lines(r) >> 11 & 1);

    bench_reset(&r->b);
    registers(r, after);
    assert_int_equal(after[0], 0);
    assert_int_equal(after[1], 0);
    assert_int_equal(after[2], 0);
    assert_int_equal(after[3], 0x80);
    assert_int_equal(r->piix3.post_code, 0);
    assert_true(r->b.probe[PROBE_A20].level);
    bench_check_reset(&r->b);
}

static void random_accesses_do_no_harm(void **state)
{
    static const uint16_t ports[] = {0x60, 0x80, 0x90, 0xf0, 0xcf8};
    struct rig *r = *state;
    for (unsigned i = 0; i < 500; i++) {
        bench_fuzz_ports(&r->b, ports[i % ARRAY_SIZE(ports)], 8, 20, 1000000);
        bench_out32(&r->b, 0xcf8, 0x80000800u | (bench_random(&r->b) & 0xfc));
        bench_out32(&r->b, 0xcfc, bench_random(&r->b));
        irq_set(&r->piix3.pirq[i & 3], bench_random(&r->b) & 1);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_isa_line_reaches_its_input),
        T(pirqs_are_off_at_reset),
        T(a_pirq_goes_where_its_register_says),
        T(reserved_interrupts_are_not_steered_to),
        T(a_line_moves_with_its_route),
        T(lines_on_one_interrupt_are_ored),
        T(a_level_triggered_pirq_interrupts),
        T(a20_is_open_at_reset_although_port_92_reads_0),
        T(a20_is_the_or_of_port_92_and_the_keyboard_controller),
        T(port_92_resets_on_the_rise_of_bit_0),
        T(cf9_resets_on_the_rise_of_rcpu),
        T(configuration_addresses_do_not_reach_cf9),
        T(port_61_gates_counter_2_and_shows_its_output),
        T(port_61_keeps_its_low_bits),
        T(the_speaker_sounds_while_counter_2_makes_a_square_wave),
        T(the_refresh_bit_toggles_every_15_us),
        T(port_80_latches_the_post_code),
        T(ferr_raises_irq_13_until_f0_is_written),
        T(every_interrupt_goes_to_the_io_apic_too),
        T(iochk_is_an_nmi_when_ports_61_and_70_let_it),
        T(the_header_and_defaults_are_a_piix3s),
        T(reset_and_state_are_complete),
        T(random_accesses_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
