/* The 8259A pair, section by section of its data sheet ([8259A], [PIIX3] for the ELCR). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "hw/chips/i8259.h"
#include "unit/bench.h"

#include <stdlib.h>

enum { MASTER = 0x20, SLAVE = 0xa0, ELCR1 = 0x4d0, ELCR2 = 0x4d1 };
enum { EOI = 0x20, READ_IRR = 0x0a, READ_ISR = 0x0b, POLL = 0x0c };

struct pic_bench {
    struct bench b;
    struct i8259_pair pic;
};

static void out(struct pic_bench *p, uint16_t port, uint8_t val)
{
    bench_out8(&p->b, port, val);
}

static uint8_t in(struct pic_bench *p, uint16_t port)
{
    return bench_in8(&p->b, port);
}

/* As a BIOS does: vectors 08h and 70h, nothing masked. */
static void initialise(struct pic_bench *p, uint8_t icw4_master, uint8_t icw4_slave)
{
    out(p, MASTER, 0x11);
    out(p, MASTER + 1, 0x08);
    out(p, MASTER + 1, 0x04);
    out(p, MASTER + 1, icw4_master);
    out(p, SLAVE, 0x11);
    out(p, SLAVE + 1, 0x70);
    out(p, SLAVE + 1, 0x02);
    out(p, SLAVE + 1, icw4_slave);
}

static int setup(void **state)
{
    struct pic_bench *p = NEW(struct pic_bench);
    bench_init(&p->b);
    i8259_pair_init(&p->pic, &p->b.m, &p->b.probe[0].irq);
    bench_power_on(&p->b);
    initialise(p, 1, 1);
    *state = p;
    return 0;
}

static int teardown(void **state)
{
    struct pic_bench *p = *state;
    bench_fini(&p->b);
    free(p);
    return 0;
}

static void line(struct pic_bench *p, unsigned irq, bool level)
{
    irq_set(i8259_input(&p->pic, irq), level);
}

static bool intr(struct pic_bench *p)
{
    return p->b.probe[0].level;
}

static int inta(struct pic_bench *p)
{
    return i8259_acknowledge(&p->pic);
}

static uint8_t irr(struct pic_bench *p, uint16_t base)
{
    out(p, base, READ_IRR);
    return in(p, base);
}

static uint8_t isr(struct pic_bench *p, uint16_t base)
{
    out(p, base, READ_ISR);
    return in(p, base);
}

/* Raises the lines of @set (bit 0: IRQ 0) and lists in which order they are served. */
static void assert_order(struct pic_bench *p, uint8_t set, const char *order)
{
    char text[9] = {0};
    for (unsigned i = 0; i < 8; i++) {
        if (set & BIT(i)) {
            line(p, i, true);
        }
    }
    for (unsigned i = 0; i < 8 && intr(p); i++) {
        int vector = inta(p);
        text[i] = (char)('0' + (vector & 7));
        out(p, MASTER, (uint8_t)(0x60 | (vector & 7)));
    }
    for (unsigned i = 0; i < 8; i++) {
        line(p, i, false);
    }
    assert_string_equal(text, order);
}

/* ---- "Interrupt Sequence" ---- */

static void nothing_interrupts_before_the_initialisation(void **state)
{
    struct pic_bench *p = *state;
    bench_reset(&p->b);
    line(p, 3, true);
    assert_false(intr(p));
    initialise(p, 1, 1);
    assert_false(intr(p)); /* ICW1 resets the edge sense circuit */
    line(p, 3, false);
    line(p, 3, true);
    assert_true(intr(p));
}

static void a_request_raises_intr_and_inta_gives_its_vector(void **state)
{
    struct pic_bench *p = *state;
    line(p, 4, true);
    assert_true(intr(p));
    assert_int_equal(irr(p, MASTER), 0x10);
    assert_int_equal(inta(p), 0x0c);
    assert_false(intr(p));
    assert_int_equal(irr(p, MASTER), 0);
    assert_int_equal(isr(p, MASTER), 0x10);
}

static void a_slave_request_goes_through_the_cascade(void **state)
{
    struct pic_bench *p = *state;
    line(p, 12, true);
    assert_int_equal(irr(p, MASTER), 0x04);
    assert_int_equal(irr(p, SLAVE), 0x10);
    assert_int_equal(inta(p), 0x74);
    assert_int_equal(isr(p, MASTER), 0x04);
    assert_int_equal(isr(p, SLAVE), 0x10);
    assert_false(intr(p));
}

/* "Edge and Level Triggered Modes" */
static void a_dropped_request_gives_the_default_ir7(void **state)
{
    struct pic_bench *p = *state;
    line(p, 1, true);
    line(p, 1, false);
    assert_true(intr(p));
    assert_int_equal(inta(p), 0x0f);
    assert_int_equal(isr(p, MASTER), 0); /* a normal IR7 sets the bit: how software tells */
    assert_false(intr(p));
}

static void a_dropped_slave_request_gives_irq_15_with_the_master_in_service(void **state)
{
    struct pic_bench *p = *state;
    line(p, 9, true);
    line(p, 9, false);
    assert_int_equal(inta(p), 0x77);
    assert_int_equal(isr(p, SLAVE), 0);
    assert_int_equal(isr(p, MASTER), 0x04);
    out(p, MASTER, EOI);
    line(p, 9, true);
    assert_int_equal(inta(p), 0x71);
}

static void a_dropped_level_gives_the_default_ir7_too(void **state)
{
    struct pic_bench *p = *state;
    out(p, ELCR1, 0x20);
    line(p, 5, true);
    line(p, 5, false);
    assert_int_equal(inta(p), 0x0f);
}

static void masking_a_request_takes_it_back(void **state)
{
    struct pic_bench *p = *state;
    line(p, 9, true);
    line(p, 4, true);
    out(p, MASTER + 1, 0x10);
    out(p, SLAVE + 1, 0x02);
    assert_false(intr(p));
    assert_int_equal(irr(p, MASTER), 0x10); /* OCW1 does not touch the IRR */
    out(p, MASTER + 1, 0);
    assert_int_equal(inta(p), 0x0c);
}

static void an_acknowledge_without_request_is_spurious(void **state)
{
    struct pic_bench *p = *state;
    assert_int_equal(inta(p), 0x0f);
    assert_int_equal(isr(p, MASTER), 0);
}

/* ---- "Initialization Command Words" ---- */

static void icw1_clears_mask_service_and_priorities(void **state)
{
    struct pic_bench *p = *state;
    line(p, 3, true);
    inta(p);
    out(p, MASTER + 1, 0xff);
    out(p, MASTER, 0xc3); /* lowest priority: 3 */
    out(p, MASTER, 0x68); /* special mask mode */
    out(p, MASTER, READ_ISR);
    out(p, MASTER, 0x11);
    assert_int_equal(in(p, MASTER), 0); /* reads IRR again */
    out(p, MASTER + 1, 0x20);
    out(p, MASTER + 1, 0x04);
    out(p, MASTER + 1, 0x01);
    assert_int_equal(in(p, MASTER + 1), 0);
    assert_int_equal(isr(p, MASTER), 0);
    assert_false(p->pic.master.special_mask);
    line(p, 3, false);
    assert_order(p, 0xfb, "0134567");
}

static void icw2_gives_the_upper_five_bits_of_the_vector(void **state)
{
    struct pic_bench *p = *state;
    out(p, MASTER, 0x11);
    out(p, MASTER + 1, 0xff);
    out(p, MASTER + 1, 0x04);
    out(p, MASTER + 1, 0x01);
    line(p, 3, true);
    assert_int_equal(inta(p), 0xfb);
}

static void without_ic4_and_with_sngl_two_words_are_enough(void **state)
{
    struct pic_bench *p = *state;
    out(p, MASTER, 0x12);
    out(p, MASTER + 1, 0x40);
    out(p, MASTER + 1, 0xf7); /* this is OCW1 already */
    assert_int_equal(in(p, MASTER + 1), 0xf7);
    line(p, 3, true);
    assert_int_equal(inta(p), 0x43);
}

static void sngl_with_ic4_skips_icw3(void **state)
{
    struct pic_bench *p = *state;
    out(p, MASTER, 0x13);
    out(p, MASTER + 1, 0x40);
    out(p, MASTER + 1, 0x03);
    out(p, MASTER + 1, 0xaa);
    assert_int_equal(in(p, MASTER + 1), 0xaa);
    assert_int_equal(p->pic.master.icw4, 3);
}

static void during_the_initialisation_int_is_low(void **state)
{
    struct pic_bench *p = *state;
    out(p, MASTER, 0x11);
    line(p, 1, true);
    assert_false(intr(p));
    out(p, MASTER + 1, 0x08);
    out(p, MASTER + 1, 0x04);
    out(p, MASTER + 1, 0x01);
    assert_true(intr(p));
}

/* ---- "Operation Command Words", "Interrupt Masks" ---- */

static void a_masked_request_waits(void **state)
{
    struct pic_bench *p = *state;
    out(p, MASTER + 1, 0x02);
    assert_int_equal(in(p, MASTER + 1), 0x02);
    line(p, 1, true);
    assert_false(intr(p));
    assert_int_equal(irr(p, MASTER), 0x02);
    out(p, MASTER + 1, 0);
    assert_true(intr(p));
}

static void a_lower_request_waits_for_the_eoi_and_a_higher_one_does_not(void **state)
{
    struct pic_bench *p = *state;
    line(p, 4, true);
    assert_int_equal(inta(p), 0x0c);
    line(p, 6, true);
    assert_false(intr(p));
    line(p, 1, true);
    assert_int_equal(inta(p), 0x09);
    assert_int_equal(isr(p, MASTER), 0x12);
    out(p, MASTER, EOI); /* the highest: 1 */
    assert_int_equal(isr(p, MASTER), 0x10);
    assert_false(intr(p));
    out(p, MASTER, EOI);
    assert_int_equal(inta(p), 0x0e);
}

static void a_specific_eoi_ends_its_level(void **state)
{
    struct pic_bench *p = *state;
    line(p, 4, true);
    inta(p);
    line(p, 1, true);
    inta(p);
    out(p, MASTER, 0x64);
    assert_int_equal(isr(p, MASTER), 0x02);
    out(p, MASTER, 0x66); /* not in service: nothing */
    assert_int_equal(isr(p, MASTER), 0x02);
}

static void a_slave_request_behind_another_comes_after_the_eoi(void **state)
{
    struct pic_bench *p = *state;
    line(p, 8, true);
    line(p, 14, true);
    assert_int_equal(inta(p), 0x70);
    out(p, SLAVE, EOI);
    assert_false(intr(p)); /* the master still serves its input 2 */
    out(p, MASTER, EOI);
    assert_int_equal(inta(p), 0x76);
}

static void an_edge_is_one_request(void **state)
{
    struct pic_bench *p = *state;
    line(p, 3, true);
    inta(p);
    out(p, MASTER, EOI);
    assert_false(intr(p)); /* the line is still high */
    line(p, 3, true);
    assert_false(intr(p));
    line(p, 3, false);
    line(p, 3, true);
    assert_true(intr(p));
}

static void a_level_asks_again_after_the_eoi(void **state)
{
    struct pic_bench *p = *state;
    out(p, ELCR2, 0x08);
    line(p, 11, true);
    assert_int_equal(inta(p), 0x73);
    assert_false(intr(p));
    out(p, SLAVE, EOI);
    out(p, MASTER, EOI);
    assert_true(intr(p));
    line(p, 11, false);
    assert_int_equal(irr(p, SLAVE), 0);
}

static void elcr_has_no_bits_for_the_board_s_own_inputs(void **state) /* [PIIX3] ELCR1, ELCR2 */
{
    struct pic_bench *p = *state;
    out(p, ELCR1, 0xff);
    out(p, ELCR2, 0xff);
    assert_int_equal(in(p, ELCR1), 0xf8);
    assert_int_equal(in(p, ELCR2), 0xde);
    assert_int_equal(bench_in16(&p->b, ELCR1), 0xdef8);
    bench_reset(&p->b);
    assert_int_equal(bench_in16(&p->b, ELCR1), 0);
}

static void elcr_makes_a_high_line_a_request(void **state)
{
    struct pic_bench *p = *state;
    line(p, 5, true);
    inta(p);
    out(p, MASTER, EOI);
    assert_false(intr(p));
    out(p, ELCR1, 0x20);
    assert_true(intr(p));
    out(p, ELCR1, 0);
    assert_false(intr(p));
}

static void rotation_on_non_specific_eoi(void **state) /* "Automatic Rotation" */
{
    struct pic_bench *p = *state;
    line(p, 4, true);
    inta(p);
    out(p, MASTER, 0xa0);
    line(p, 4, false);
    assert_int_equal(isr(p, MASTER), 0);
    assert_order(p, 0xfb, "5670134");
}

static void rotation_on_specific_eoi_and_set_priority(void **state) /* "Specific Rotation" */
{
    struct pic_bench *p = *state;
    line(p, 3, true);
    inta(p);
    out(p, MASTER, 0xe3);
    line(p, 3, false);
    assert_order(p, 0xfb, "4567013");
    out(p, MASTER, 0xc5); /* 5 is lowest, nothing ends */
    assert_order(p, 0xfb, "6701345");
}

static void automatic_eoi_leaves_nothing_in_service(void **state)
{
    struct pic_bench *p = *state;
    initialise(p, 3, 3);
    line(p, 9, true);
    line(p, 10, true);
    assert_int_equal(inta(p), 0x71);
    assert_int_equal(isr(p, MASTER), 0);
    assert_int_equal(isr(p, SLAVE), 0);
    assert_int_equal(inta(p), 0x72);
    assert_false(intr(p));
}

static void rotation_in_automatic_eoi_mode(void **state)
{
    struct pic_bench *p = *state;
    initialise(p, 3, 3);
    out(p, MASTER, 0x80);
    line(p, 4, true);
    inta(p);
    line(p, 4, false);
    assert_int_equal(p->pic.master.lowest, 4);
    out(p, MASTER, 0x00); /* clear */
    line(p, 6, true);
    inta(p);
    line(p, 6, false);
    assert_int_equal(p->pic.master.lowest, 4);
}

static void special_mask_mode_lets_lower_levels_through(void **state)
{
    struct pic_bench *p = *state;
    line(p, 3, true);
    inta(p);
    line(p, 6, true);
    assert_false(intr(p));
    out(p, MASTER + 1, 0x08);
    assert_false(intr(p));
    out(p, MASTER, 0x68);
    assert_int_equal(inta(p), 0x0e);
    out(p, MASTER, EOI); /* does not clear a masked bit: 6 ends, not 3 */
    assert_int_equal(isr(p, MASTER), 0x08);
    out(p, MASTER, 0x48); /* reset special mask */
    line(p, 7, true);
    assert_false(intr(p));
}

static void poll_is_an_acknowledge(void **state) /* "Poll Command" */
{
    struct pic_bench *p = *state;
    out(p, MASTER, POLL);
    assert_int_equal(in(p, MASTER), 0);
    line(p, 5, true);
    line(p, 3, true);
    out(p, MASTER, POLL);
    assert_int_equal(in(p, MASTER), 0x83);
    assert_int_equal(isr(p, MASTER), 0x08);
    assert_false(intr(p));
    assert_int_equal(in(p, MASTER), 0x08); /* one poll a command */
    out(p, SLAVE, POLL);
    line(p, 15, true);
    assert_int_equal(in(p, SLAVE + 1), 0x87); /* A0 does not matter */
}

static void polling_the_slave_leaves_nothing_in_the_master(void **state)
{
    struct pic_bench *p = *state;
    line(p, 10, true);
    out(p, SLAVE, POLL);
    assert_int_equal(in(p, SLAVE), 0x82);
    assert_false(intr(p));
    assert_int_equal(irr(p, MASTER), 0);
}

static void read_register_commands_hold(void **state) /* "Reading the 8259A Status" */
{
    struct pic_bench *p = *state;
    line(p, 3, true);
    inta(p);
    line(p, 5, true);
    out(p, MASTER, READ_ISR);
    assert_int_equal(in(p, MASTER), 0x08);
    assert_int_equal(in(p, MASTER), 0x08);
    out(p, MASTER, READ_IRR);
    assert_int_equal(in(p, MASTER), 0x20);
    out(p, MASTER, 0x09); /* RR = 0: no action */
    assert_int_equal(in(p, MASTER), 0x20);
}

static void special_fully_nested_mode_lets_a_higher_slave_request_through(void **state)
{
    struct pic_bench *p = *state;
    line(p, 14, true);
    inta(p);
    line(p, 8, true);
    assert_false(intr(p)); /* normal nesting: the master's input 2 is in service */
    initialise(p, 0x11, 1);
    line(p, 14, false);
    line(p, 8, false);
    line(p, 14, true);
    assert_int_equal(inta(p), 0x76);
    line(p, 8, true);
    assert_int_equal(inta(p), 0x70);
    assert_int_equal(isr(p, SLAVE), 0x41);
}

/* ---- bench ---- */

static void reset_twice_is_reset_once(void **state)
{
    struct pic_bench *p = *state;
    out(p, ELCR1, 0x20);
    line(p, 5, true);
    line(p, 0, true);
    inta(p);
    bench_check_reset(&p->b);
    assert_false(intr(p));
}

static void save_load_save_gives_the_same_bytes(void **state)
{
    struct pic_bench *p = *state;
    out(p, ELCR2, 0x20);
    line(p, 13, true);
    line(p, 6, true);
    inta(p);
    out(p, MASTER, POLL);
    bench_check_state(&p->b);
    line(p, 0, true);
    bench_check_state(&p->b);
    assert_true(intr(p));
}

static void random_port_accesses_do_no_harm(void **state)
{
    struct pic_bench *p = *state;
    for (unsigned i = 0; i < 50000; i++) {
        uint32_t r = bench_random(&p->b);
        bench_fuzz_ports(&p->b, MASTER, 2, 1, 0);
        bench_fuzz_ports(&p->b, SLAVE, 2, 1, 0);
        bench_fuzz_ports(&p->b, ELCR1, 2, r % 5 == 0, 0);
        line(p, r >> 8 & 15, r & 1);
        if (intr(p) && r & 2) {
            assert_in_range(inta(p), 0, 255);
        }
    }
    bench_check_state(&p->b);
    bench_check_reset(&p->b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_interrupts_before_the_initialisation),
        T(a_request_raises_intr_and_inta_gives_its_vector),
        T(a_slave_request_goes_through_the_cascade),
        T(a_dropped_request_gives_the_default_ir7),
        T(a_dropped_slave_request_gives_irq_15_with_the_master_in_service),
        T(a_dropped_level_gives_the_default_ir7_too),
        T(masking_a_request_takes_it_back),
        T(an_acknowledge_without_request_is_spurious),
        T(icw1_clears_mask_service_and_priorities),
        T(icw2_gives_the_upper_five_bits_of_the_vector),
        T(without_ic4_and_with_sngl_two_words_are_enough),
        T(sngl_with_ic4_skips_icw3),
        T(during_the_initialisation_int_is_low),
        T(a_masked_request_waits),
        T(a_lower_request_waits_for_the_eoi_and_a_higher_one_does_not),
        T(a_specific_eoi_ends_its_level),
        T(a_slave_request_behind_another_comes_after_the_eoi),
        T(an_edge_is_one_request),
        T(a_level_asks_again_after_the_eoi),
        T(elcr_has_no_bits_for_the_board_s_own_inputs),
        T(elcr_makes_a_high_line_a_request),
        T(rotation_on_non_specific_eoi),
        T(rotation_on_specific_eoi_and_set_priority),
        T(automatic_eoi_leaves_nothing_in_service),
        T(rotation_in_automatic_eoi_mode),
        T(special_mask_mode_lets_lower_levels_through),
        T(poll_is_an_acknowledge),
        T(polling_the_slave_leaves_nothing_in_the_master),
        T(read_register_commands_hold),
        T(special_fully_nested_mode_lets_a_higher_slave_request_through),
        T(reset_twice_is_reset_once),
        T(save_load_save_gives_the_same_bytes),
        T(random_port_accesses_do_no_harm),
    };
    return cmocka_run_group_tests_name("i8259", tests, NULL, NULL);
}
