/* The DMA controllers, section by section of the data sheet ([8237A]; [AT] for pages and words). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "hw/chips/i8237.h"
#include "unit/bench.h"

#include <stdlib.h>

enum { /* of the first chip; of the second: 0xc0 + 2 * n */
       STATUS = 8,
       COMMAND = 8,
       REQUEST,
       SINGLE_MASK,
       MODE,
       CLEAR_FLIP_FLOP,
       MASTER_CLEAR,
       CLEAR_MASK,
       ALL_MASK,
};
enum {
    VERIFY = 0x00,
    WRITE = 0x04,
    READ = 0x08,
    AUTOINIT = 0x10,
    DOWN = 0x20,
    SINGLE = 0x40,
    BLOCK = 0x80,
    CASCADE = 0xc0
};

struct dma_bench {
    struct bench b;
    struct i8237_pair dma;
    uint8_t buf[0x20000];
};

static uint8_t *ram(struct dma_bench *d)
{
    return ram_host(&d->b.m.ram_low);
}

static uint16_t reg_port(unsigned chip, unsigned reg)
{
    return (uint16_t)(chip ? 0xc0 + 2 * reg : reg);
}

static void out(struct dma_bench *d, unsigned chip, unsigned reg, uint8_t val)
{
    bench_out8(&d->b, reg_port(chip, reg), val);
}

static uint8_t in(struct dma_bench *d, unsigned chip, unsigned reg)
{
    return bench_in8(&d->b, reg_port(chip, reg));
}

static uint16_t in_word(struct dma_bench *d, unsigned channel, unsigned which)
{
    unsigned reg = (channel & 3) * 2 + which;
    out(d, channel >> 2, CLEAR_FLIP_FLOP, 0);
    uint8_t low = in(d, channel >> 2, reg);
    return (uint16_t)(low | in(d, channel >> 2, reg) << 8);
}

static uint16_t address(struct dma_bench *d, unsigned channel)
{
    return in_word(d, channel, 0);
}

static uint16_t count(struct dma_bench *d, unsigned channel)
{
    return in_word(d, channel, 1);
}

/* Programs @channel for @transfers from register value @addr in @page and unmasks it. */
static void program(struct dma_bench *d, unsigned channel, uint8_t mode, uint8_t page,
                    uint16_t addr, unsigned transfers)
{
    static const uint8_t page_port[8] = {0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a};
    unsigned chip = channel >> 2, reg = (channel & 3) * 2;
    out(d, chip, SINGLE_MASK, (uint8_t)(4 | (channel & 3)));
    out(d, chip, CLEAR_FLIP_FLOP, 0);
    out(d, chip, reg, (uint8_t)addr);
    out(d, chip, reg, (uint8_t)(addr >> 8));
    out(d, chip, reg + 1, (uint8_t)(transfers - 1));
    out(d, chip, reg + 1, (uint8_t)((transfers - 1) >> 8));
    out(d, chip, MODE, (uint8_t)(mode | (channel & 3)));
    bench_out8(&d->b, page_port[channel], page);
    out(d, chip, SINGLE_MASK, (uint8_t)(channel & 3));
}

static int setup(void **state)
{
    struct dma_bench *d = NEW(struct dma_bench);
    bench_init(&d->b);
    i8237_pair_init(&d->dma, &d->b.m);
    bench_power_on(&d->b);
    out(d, 1, MODE, CASCADE); /* as the BIOS opens the first chip's way */
    out(d, 1, SINGLE_MASK, 0);
    for (unsigned i = 0; i < MiB; i++) {
        ram(d)[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16) * 29);
    }
    *state = d;
    return 0;
}

static int teardown(void **state)
{
    struct dma_bench *d = *state;
    bench_fini(&d->b);
    free(d);
    return 0;
}

/* ---- "DMA Operation": transfer types and modes ---- */

static void a_read_transfer_moves_memory_to_the_device(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 2, SINGLE | READ, 0x03, 0x1234, 512);
    assert_int_equal(i8237_read_memory(&d->dma, 2, d->buf, 512, &tc), 512);
    assert_true(tc);
    assert_memory_equal(d->buf, ram(d) + 0x31234, 512);
}

static void a_write_transfer_moves_the_device_to_memory(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 2, SINGLE | WRITE, 0x07, 0x0000, 1024);
    memset(d->buf, 0x5a, 1024);
    assert_int_equal(i8237_write_memory(&d->dma, 2, d->buf, 512, &tc), 512);
    assert_false(tc);
    assert_int_equal(ram(d)[0x701ff], 0x5a);
    assert_int_not_equal(ram(d)[0x70200], 0x5a);
    assert_int_equal(address(d, 2), 0x200);
    assert_int_equal(count(d, 2), 511);
    assert_int_equal(i8237_write_memory(&d->dma, 2, d->buf, 600, &tc), 512);
    assert_true(tc);
    assert_int_equal(ram(d)[0x703ff], 0x5a);
}

static void verify_moves_addresses_but_no_data(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 2, SINGLE | VERIFY, 0x07, 0x1000, 16);
    memset(d->buf, 0x5a, 16);
    uint8_t before = ram(d)[0x71000];
    assert_int_equal(i8237_write_memory(&d->dma, 2, d->buf, 8, &tc), 8);
    assert_int_equal(ram(d)[0x71000], before);
    assert_int_equal(i8237_read_memory(&d->dma, 2, d->buf, 8, &tc), 8);
    assert_int_equal(d->buf[0], 0x5a);
    assert_true(tc);
    assert_int_equal(address(d, 2), 0x1010);
}

static void the_other_direction_moves_nothing(void **state)
{
    struct dma_bench *d = *state;
    bool tc = true;
    program(d, 2, SINGLE | READ, 0, 0, 16);
    assert_int_equal(i8237_write_memory(&d->dma, 2, d->buf, 16, &tc), 0);
    assert_false(tc);
    program(d, 2, SINGLE | WRITE, 0, 0, 16);
    assert_int_equal(i8237_read_memory(&d->dma, 2, d->buf, 16, &tc), 0);
    program(d, 2, SINGLE | READ | WRITE, 0, 0, 16); /* illegal */
    assert_int_equal(i8237_read_memory(&d->dma, 2, d->buf, 16, &tc), 0);
    assert_int_equal(count(d, 2), 15);
}

static void the_address_counts_down_when_told(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 1, SINGLE | READ | DOWN, 0x02, 0x0003, 8);
    assert_int_equal(i8237_read_memory(&d->dma, 1, d->buf, 8, &tc), 8);
    assert_int_equal(d->buf[0], ram(d)[0x20003]);
    assert_int_equal(d->buf[3], ram(d)[0x20000]);
    assert_int_equal(d->buf[4], ram(d)[0x2ffff]);
    assert_int_equal(address(d, 1), 0xfffb);
}

static void addresses_wrap_inside_their_64_kib_page(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 3, SINGLE | READ, 0x02, 0xfff0, 32);
    assert_int_equal(i8237_read_memory(&d->dma, 3, d->buf, 32, &tc), 32);
    assert_memory_equal(d->buf, ram(d) + 0x2fff0, 16);
    assert_memory_equal(d->buf + 16, ram(d) + 0x20000, 16);
}

static void sixteen_bit_channels_count_words_in_128_kib_pages(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 5, SINGLE | READ, 0x05, 0xfffe, 4); /* bit 0 of the page is not used */
    assert_int_equal(i8237_read_memory(&d->dma, 5, d->buf, 3, &tc), 2);
    assert_int_equal(count(d, 5), 2);
    assert_int_equal(i8237_read_memory(&d->dma, 5, d->buf + 2, 100, &tc), 6);
    assert_true(tc);
    assert_memory_equal(d->buf, ram(d) + 0x5fffc, 4);
    assert_memory_equal(d->buf + 4, ram(d) + 0x40000, 4);
}

static void a_count_of_n_makes_n_plus_1_transfers(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 0, SINGLE | READ, 0, 0, 1);
    assert_int_equal(i8237_read_memory(&d->dma, 0, d->buf, 100, &tc), 1);
    assert_true(tc);
    program(d, 0, SINGLE | READ, 1, 0, 0x10000);
    assert_int_equal(i8237_read_memory(&d->dma, 0, d->buf, sizeof(d->buf), &tc), 0x10000);
    assert_true(tc);
    assert_memory_equal(d->buf, ram(d) + 0x10000, 0x10000);
    assert_int_equal(count(d, 0), 0xffff);
}

static void terminal_count_masks_the_channel(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 2, SINGLE | READ, 0, 0, 4);
    assert_true(i8237_ready(&d->dma, 2));
    i8237_read_memory(&d->dma, 2, d->buf, 4, &tc);
    assert_false(i8237_ready(&d->dma, 2));
    assert_int_equal(i8237_read_memory(&d->dma, 2, d->buf, 4, &tc), 0);
    assert_false(tc);
}

static void autoinitialize_reloads_address_and_count(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 2, SINGLE | READ | AUTOINIT, 0x01, 0x100, 4);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(i8237_read_memory(&d->dma, 2, d->buf, 100, &tc), 4);
        assert_true(tc);
        assert_true(i8237_ready(&d->dma, 2));
        assert_int_equal(address(d, 2), 0x100);
        assert_int_equal(count(d, 2), 3);
    }
}

static void the_first_chip_needs_the_cascade(void **state)
{
    struct dma_bench *d = *state;
    program(d, 2, SINGLE | READ, 0, 0, 4);
    program(d, 6, SINGLE | READ, 0, 0, 4);
    out(d, 1, SINGLE_MASK, 4);
    assert_false(i8237_ready(&d->dma, 2));
    assert_true(i8237_ready(&d->dma, 6));
    out(d, 1, SINGLE_MASK, 0);
    assert_true(i8237_ready(&d->dma, 2));
    assert_false(i8237_ready(&d->dma, 4)); /* it moves nothing itself */
    out(d, 1, MODE, SINGLE);
    assert_false(i8237_ready(&d->dma, 2));
}

static void a_software_request_runs_a_block_to_its_end(void **state) /* "Request Register" */
{
    struct dma_bench *d = *state;
    program(d, 3, BLOCK | WRITE, 0x06, 0x10, 1000);
    out(d, 0, SINGLE_MASK, 4 | 3); /* it is not maskable */
    out(d, 0, REQUEST, 4 | 3);
    assert_int_equal(ram(d)[0x60010], 0xff);
    assert_int_equal(ram(d)[0x60010 + 999], 0xff);
    assert_int_not_equal(ram(d)[0x60010 + 1000], 0xff);
    assert_int_equal(in(d, 0, STATUS), 0x08); /* TC clears the request */
}

static void outside_of_block_mode_a_software_request_waits(void **state)
{
    struct dma_bench *d = *state;
    program(d, 3, SINGLE | VERIFY, 0, 0, 10);
    out(d, 0, REQUEST, 4 | 3);
    assert_int_equal(in(d, 0, STATUS), 0x80);
    out(d, 0, REQUEST, 3);
    assert_int_equal(in(d, 0, STATUS), 0);
}

/* ---- "Register Description" ---- */

static void the_flip_flop_orders_low_and_high_bytes(void **state)
{
    struct dma_bench *d = *state;
    out(d, 0, CLEAR_FLIP_FLOP, 0xff); /* any value */
    out(d, 0, 4, 0x34);
    out(d, 0, 4, 0x12);
    assert_int_equal(in(d, 0, 4), 0x34);
    out(d, 0, 5, 0x99); /* one flip-flop for all registers: a high byte */
    assert_int_equal(in(d, 0, 4), 0x34);
    assert_int_equal(count(d, 2), 0x9900);
}

static void a_write_sets_base_and_current_registers(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 2, SINGLE | READ | AUTOINIT, 0, 0x1000, 10);
    i8237_read_memory(&d->dma, 2, d->buf, 3, &tc);
    assert_int_equal(address(d, 2), 0x1003); /* reads give the current ones */
    assert_int_equal(d->dma.chip[0].channel[2].base_address, 0x1000);
    out(d, 0, CLEAR_FLIP_FLOP, 0);
    out(d, 0, 4, 0x80);
    assert_int_equal(address(d, 2), 0x1080);
    assert_int_equal(d->dma.chip[0].channel[2].base_address, 0x1080);
}

static void status_shows_requests_and_forgets_terminal_counts(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 2, SINGLE | READ, 0, 0, 4);
    i8237_dreq(&d->dma, 2, true);
    assert_int_equal(in(d, 0, STATUS), 0x40);
    i8237_read_memory(&d->dma, 2, d->buf, 4, &tc);
    i8237_dreq(&d->dma, 2, false);
    assert_int_equal(in(d, 0, STATUS), 0x04);
    assert_int_equal(in(d, 0, STATUS), 0);
    program(d, 7, SINGLE | READ, 0, 0, 4);
    i8237_read_memory(&d->dma, 7, d->buf, 8, &tc);
    assert_int_equal(in(d, 1, STATUS), 0x08);
}

static void the_command_register_disables_the_controller(void **state)
{
    struct dma_bench *d = *state;
    program(d, 2, SINGLE | READ, 0, 0, 4);
    out(d, 0, COMMAND, 4);
    assert_false(i8237_ready(&d->dma, 2));
    out(d, 0, COMMAND, 0);
    assert_true(i8237_ready(&d->dma, 2));
    out(d, 1, COMMAND, 4);
    assert_false(i8237_ready(&d->dma, 2));
}

static void mask_bits_are_set_one_by_one_or_together(void **state)
{
    struct dma_bench *d = *state;
    out(d, 0, ALL_MASK, 0x05);
    assert_int_equal(in(d, 0, ALL_MASK), 0xf5);
    out(d, 0, SINGLE_MASK, 4 | 1);
    assert_int_equal(in(d, 0, ALL_MASK), 0xf7);
    out(d, 0, SINGLE_MASK, 0);
    assert_int_equal(in(d, 0, ALL_MASK), 0xf6);
    out(d, 0, CLEAR_MASK, 0);
    assert_int_equal(in(d, 0, ALL_MASK), 0xf0);
}

static void master_clear_masks_all_and_clears_the_flip_flop(void **state)
{
    struct dma_bench *d = *state;
    program(d, 2, SINGLE | READ, 0, 0x1234, 4);
    out(d, 0, COMMAND, 4);
    out(d, 0, REQUEST, 5);
    in(d, 0, 4);
    out(d, 0, MASTER_CLEAR, 0);
    assert_int_equal(in(d, 0, ALL_MASK), 0xff);
    assert_int_equal(in(d, 0, STATUS), 0);
    assert_int_equal(in(d, 0, 4), 0x34);
    assert_int_equal(in(d, 0, MASTER_CLEAR), 0); /* temporary register */
    assert_int_equal(d->dma.chip[0].command, 0);
}

static void page_registers_are_where_the_at_has_them(void **state) /* [AT] */
{
    struct dma_bench *d = *state;
    static const uint8_t ports[] = {0x81, 0x82, 0x83, 0x87, 0x89, 0x8a, 0x8b, 0x8f};
    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
        bench_out8(&d->b, ports[i], (uint8_t)(0x10 + i));
    }
    for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
        assert_int_equal(bench_in8(&d->b, ports[i]), 0x10 + i);
    }
    assert_int_equal(bench_in8(&d->b, 0x80), 0xff); /* the board's */
    assert_int_equal(bench_in8(&d->b, 0x84), 0xff);
    assert_int_equal(d->dma.chip[0].channel[2].page, 0x10);
    assert_int_equal(d->dma.chip[0].channel[3].page, 0x11);
    assert_int_equal(d->dma.chip[0].channel[1].page, 0x12);
    assert_int_equal(d->dma.chip[0].channel[0].page, 0x13);
    assert_int_equal(d->dma.chip[1].channel[2].page, 0x14);
    assert_int_equal(d->dma.chip[1].channel[3].page, 0x15);
    assert_int_equal(d->dma.chip[1].channel[1].page, 0x16);
}

static void the_second_chip_answers_at_odd_ports_too(void **state)
{
    struct dma_bench *d = *state;
    bench_out8(&d->b, 0xdf, 0x06);
    assert_int_equal(bench_in8(&d->b, 0xde), 0xf6);
}

static void memory_that_is_not_there_reads_as_ones(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 2, SINGLE | READ, 0xff, 0, 16);
    assert_int_equal(i8237_read_memory(&d->dma, 2, d->buf, 16, &tc), 16);
    assert_int_equal(d->buf[0], 0xff);
    program(d, 2, SINGLE | WRITE, 0xff, 0, 16);
    assert_int_equal(i8237_write_memory(&d->dma, 2, d->buf, 16, &tc), 16);
}

/* ---- bench ---- */

static void reset_twice_is_reset_once(void **state)
{
    struct dma_bench *d = *state;
    program(d, 2, SINGLE | READ, 3, 0x1234, 100);
    bench_check_reset(&d->b);
    assert_false(i8237_ready(&d->dma, 2));
    assert_int_equal(in(d, 0, ALL_MASK), 0xff);
}

static void save_load_save_gives_the_same_bytes(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    program(d, 2, SINGLE | READ, 3, 0x1234, 100);
    program(d, 6, SINGLE | WRITE, 4, 0x4321, 100);
    i8237_read_memory(&d->dma, 2, d->buf, 7, &tc);
    i8237_dreq(&d->dma, 6, true);
    in(d, 0, 0);
    bench_check_state(&d->b);
    assert_int_equal(address(d, 2), 0x123b);
}

static void random_port_accesses_do_no_harm(void **state)
{
    struct dma_bench *d = *state;
    bool tc;
    for (unsigned i = 0; i < 2000; i++) {
        bench_fuzz_ports(&d->b, 0x00, 16, 40, 0);
        bench_fuzz_ports(&d->b, 0xc0, 32, 40, 0);
        bench_fuzz_ports(&d->b, 0x80, 16, 20, 0);
        unsigned channel = bench_random(&d->b) & 7;
        unsigned len = bench_random(&d->b) % sizeof(d->buf);
        unsigned moved = i8237_read_memory(&d->dma, channel, d->buf, len, &tc);
        assert_in_range(moved, 0, len);
        moved = i8237_write_memory(&d->dma, channel, d->buf, len, &tc);
        assert_in_range(moved, 0, len);
    }
    bench_check_state(&d->b);
    bench_check_reset(&d->b);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_read_transfer_moves_memory_to_the_device),
        T(a_write_transfer_moves_the_device_to_memory),
        T(verify_moves_addresses_but_no_data),
        T(the_other_direction_moves_nothing),
        T(the_address_counts_down_when_told),
        T(addresses_wrap_inside_their_64_kib_page),
        T(sixteen_bit_channels_count_words_in_128_kib_pages),
        T(a_count_of_n_makes_n_plus_1_transfers),
        T(terminal_count_masks_the_channel),
        T(autoinitialize_reloads_address_and_count),
        T(the_first_chip_needs_the_cascade),
        T(a_software_request_runs_a_block_to_its_end),
        T(outside_of_block_mode_a_software_request_waits),
        T(the_flip_flop_orders_low_and_high_bytes),
        T(a_write_sets_base_and_current_registers),
        T(status_shows_requests_and_forgets_terminal_counts),
        T(the_command_register_disables_the_controller),
        T(mask_bits_are_set_one_by_one_or_together),
        T(master_clear_masks_all_and_clears_the_flip_flop),
        T(page_registers_are_where_the_at_has_them),
        T(the_second_chip_answers_at_odd_ports_too),
        T(memory_that_is_not_there_reads_as_ones),
        T(reset_twice_is_reset_once),
        T(save_load_save_gives_the_same_bytes),
        T(random_port_accesses_do_no_harm),
    };
    return cmocka_run_group_tests_name("i8237", tests, NULL, NULL);
}
