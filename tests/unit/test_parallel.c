/* hw/chips/parallel, from [AT] "Parallel Printer Adapter" and [1284] "Compatibility mode". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench.h"
#include "hw/chips/parallel.h"

#include <stdlib.h>

#define BASE 0x378
#define DATA (BASE + 0)
#define STAT (BASE + 1)
#define CTRL (BASE + 2)

struct lpt {
    struct bench b;
    struct parallel chip;
    struct chardev printer;
    char paper[256];
    size_t printed;
};

static struct lpt *printing;

static void print(struct chardev *c, const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len && printing->printed < sizeof(printing->paper) - 1; i++) {
        printing->paper[printing->printed++] = (char)buf[i];
    }
}

static const struct chardev_ops printer_ops = {.write = print};

static int setup(void **state)
{
    struct lpt *l = printing = calloc(1, sizeof(*l));
    l->printer.ops = &printer_ops;
    bench_init(&l->b);
    parallel_init(&l->chip, &l->b.m, "lpt1", BASE, &l->b.probe[0].irq, &l->printer);
    bench_power_on(&l->b);
    *state = l;
    return 0;
}

static int teardown(void **state)
{
    struct lpt *l = *state;
    bench_fini(&l->b);
    free(l);
    return 0;
}

static void strobe(struct lpt *l, uint8_t control)
{
    bench_out8(&l->b, CTRL, control | 1);
    bench_out8(&l->b, CTRL, control);
}

static void registers_after_power_on_are_ff_d8_cc(void **state)
{
    struct lpt *l = *state;
    assert_int_equal(bench_in8(&l->b, DATA), 0xff);
    assert_int_equal(bench_in8(&l->b, STAT), 0xd8);
    assert_int_equal(bench_in8(&l->b, CTRL), 0xcc);
    for (uint16_t off = 3; off < 8; off++) {
        assert_int_equal(bench_in8(&l->b, BASE + off), 0xff);
    }
}

static void data_and_control_read_back_what_was_written(void **state)
{
    struct lpt *l = *state;
    bench_out8(&l->b, DATA, 0xaa);
    assert_int_equal(bench_in8(&l->b, DATA), 0xaa);
    bench_out8(&l->b, CTRL, 0x1e);
    assert_int_equal(bench_in8(&l->b, CTRL), 0xde);
    bench_out8(&l->b, STAT, 0); /* an input */
    assert_int_equal(bench_in8(&l->b, STAT), 0xd8);
}

static void an_input_port_reads_undriven_lines_as_ones(void **state)
{
    struct lpt *l = *state;
    bench_out8(&l->b, DATA, 0x55);
    bench_out8(&l->b, CTRL, 0x2c);
    assert_int_equal(bench_in8(&l->b, DATA), 0xff);
    strobe(l, 0x2c);
    assert_int_equal(l->printed, 0);
    bench_out8(&l->b, CTRL, 0x0c);
    assert_int_equal(bench_in8(&l->b, DATA), 0x55);
}

static void a_byte_is_printed_at_the_falling_edge_of_strobe_once(void **state)
{
    struct lpt *l = *state;
    static const char text[] = "Hello";
    for (unsigned i = 0; i < 5; i++) {
        bench_out8(&l->b, DATA, (uint8_t)text[i]);
        assert_int_equal(l->printed, i);
        bench_out8(&l->b, CTRL, 0x0d);
        assert_int_equal(l->printed, i + 1);
        bench_out8(&l->b, CTRL, 0x0d); /* no edge */
        bench_out8(&l->b, CTRL, 0x0c);
        bench_advance(&l->b, 20000);
    }
    assert_string_equal(l->paper, "Hello");
}

static void busy_then_ack_until_seen_then_ready(void **state)
{
    struct lpt *l = *state;
    strobe(l, 0x0c);
    assert_int_equal(bench_in8(&l->b, STAT) & 0xc0, 0x40);
    bench_advance(&l->b, 9999);
    assert_int_equal(bench_in8(&l->b, STAT) & 0xc0, 0x40);
    bench_advance(&l->b, 1);
    assert_int_equal(bench_in8(&l->b, STAT) & 0xc0, 0x80);
    assert_int_equal(bench_in8(&l->b, STAT) & 0xc0, 0xc0);
}

static void the_acknowledge_interrupts_if_enabled_until_status_is_read(void **state)
{
    struct lpt *l = *state;
    strobe(l, 0x0c);
    bench_advance(&l->b, 20000);
    assert_int_equal(l->b.probe[0].rises, 0);
    strobe(l, 0x1c);
    bench_advance(&l->b, 9999);
    assert_int_equal(l->b.probe[0].rises, 0);
    bench_advance(&l->b, 1);
    assert_true(l->b.probe[0].level);
    bench_in8(&l->b, STAT);
    assert_false(l->b.probe[0].level);
    strobe(l, 0x1c);
    bench_advance(&l->b, 20000);
    assert_int_equal(l->b.probe[0].rises, 2);
    bench_out8(&l->b, CTRL, 0x0c);
    assert_false(l->b.probe[0].level);
    bench_out8(&l->b, CTRL, 0x1c); /* what was missed does not come later */
    assert_false(l->b.probe[0].level);
}

static void a_printer_that_is_not_selected_or_initialises_prints_nothing(void **state)
{
    struct lpt *l = *state;
    strobe(l, 0x04);
    strobe(l, 0x08);
    assert_int_equal(l->printed, 0);
    strobe(l, 0x1c);
    bench_out8(&l->b, CTRL, 0x18); /* forgets what it was busy with */
    assert_int_equal(bench_in8(&l->b, STAT), 0xd8);
    bench_advance(&l->b, 20000);
    assert_int_equal(l->b.probe[0].rises, 0);
}

static void reset_twice_and_save_load_save_give_the_same(void **state)
{
    struct lpt *l = *state;
    bench_out8(&l->b, DATA, 7);
    strobe(l, 0x1c);
    bench_check_state(&l->b);
    bench_advance(&l->b, 20000);
    assert_true(l->b.probe[0].level); /* the acknowledge came after the load */
    bench_check_state(&l->b);
    assert_true(l->b.probe[0].level);
    bench_check_reset(&l->b);
}

static void any_access_does_no_harm(void **state)
{
    struct lpt *l = *state;
    bench_fuzz_ports(&l->b, BASE, 8, 20000, 30000);
}

static void a_port_without_printer_and_wire_works(void **state)
{
    struct lpt *l = *state;
    struct parallel other = {0};
    parallel_init(&other, &l->b.m, "lpt2", 0x278, NULL, NULL);
    bench_power_on(&l->b);
    bench_out8(&l->b, 0x27a, 0x1d);
    bench_advance(&l->b, 20000);
    assert_int_equal(bench_in8(&l->b, 0x279), 0x98);
    assert_int_equal(bench_in8(&l->b, 0x279), 0xd8);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(registers_after_power_on_are_ff_d8_cc),
        T(data_and_control_read_back_what_was_written),
        T(an_input_port_reads_undriven_lines_as_ones),
        T(a_byte_is_printed_at_the_falling_edge_of_strobe_once),
        T(busy_then_ack_until_seen_then_ready),
        T(the_acknowledge_interrupts_if_enabled_until_status_is_read),
        T(a_printer_that_is_not_selected_or_initialises_prints_nothing),
        T(reset_twice_and_save_load_save_give_the_same),
        T(any_access_does_no_harm),
        T(a_port_without_printer_and_wire_works),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
