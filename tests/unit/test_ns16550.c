/* hw/chips/ns16550, from [16550] "Registers" and "FIFO Interrupt Mode Operation". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench.h"
#include "hw/chips/ns16550.h"

#include <stdlib.h>

/* The other end of the line. */
struct far_end {
    struct chardev chr;
    uint8_t got[4096];
    size_t n;
    const uint8_t *send;     /* still to go in */
    size_t left;
    unsigned flushes;
};

struct uart {
    struct bench b;
    struct ns16550 chip;
    struct far_end far;
};

#define IRQ4 probe[0]

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = 2 };

#define CHAR_NS 1041667 /* 8n1 at 9600 baud: 10 bits */

static void far_write(struct chardev *c, const uint8_t *buf, size_t len)
{
    struct far_end *f = container_of(c, struct far_end, chr);
    for (size_t i = 0; i < len && f->n < sizeof(f->got); i++) {
        f->got[f->n++] = buf[i];
    }
}

static void far_send_more(struct chardev *c)
{
    struct far_end *f = container_of(c, struct far_end, chr);
    size_t n = chardev_input(c, f->send, f->left);
    f->send += n;
    f->left -= n;
}

static void far_flush(struct chardev *c)
{
    container_of(c, struct far_end, chr)->flushes++;
}

static const struct chardev_ops far_ops = {
    .write = far_write, .flush = far_flush, .wants_input = far_send_more};

static int setup(void **state)
{
    struct uart *u = calloc(1, sizeof(*u));
    u->far.chr.ops = &far_ops;
    bench_init(&u->b);
    ns16550_init(&u->chip, &u->b.m, "com1", 0x3f8, &u->b.IRQ4.irq, &u->far.chr);
    bench_power_on(&u->b);
    *state = u;
    return 0;
}

static int teardown(void **state)
{
    struct uart *u = *state;
    bench_fini(&u->b);
    free(u);
    return 0;
}

static uint8_t in(struct uart *u, unsigned reg)
{
    return bench_in8(&u->b, (uint16_t)(0x3f8 + reg));
}

static void out(struct uart *u, unsigned reg, uint8_t val)
{
    bench_out8(&u->b, (uint16_t)(0x3f8 + reg), val);
}

static void characters(struct uart *u, unsigned n)
{
    bench_advance(&u->b, (int64_t)n * CHAR_NS);
}

static void far_sends(struct uart *u, const char *text)
{
    u->far.send = (const uint8_t *)text;
    u->far.left = strlen(text);
    far_send_more(&u->far.chr);
}

static void init_8n1(struct uart *u)
{
    out(u, LCR, 0x03);
}

static void registers_after_master_reset(void **state)
{
    struct uart *u = *state;
    assert_int_equal(in(u, IER), 0);
    assert_int_equal(in(u, IIR), 0x01);
    assert_int_equal(in(u, LCR), 0);
    assert_int_equal(in(u, MCR), 0);
    assert_int_equal(in(u, LSR), 0x60);
    assert_int_equal(in(u, MSR), 0xb0);
}

static void registers_keep_only_their_bits(void **state)
{
    struct uart *u = *state;
    out(u, SCR, 0xa5);
    assert_int_equal(in(u, SCR), 0xa5);
    out(u, LCR, 0x7f);
    assert_int_equal(in(u, LCR), 0x7f);
    out(u, MCR, 0xef);
    assert_int_equal(in(u, MCR), 0x0f);
    out(u, LCR, 0x80);
    out(u, DATA, 0x34);
    out(u, IER, 0x12);
    assert_int_equal(in(u, DATA), 0x34);
    assert_int_equal(in(u, IER), 0x12);
    out(u, LCR, 0x03);
    out(u, IER, 0xf0);
    assert_int_equal(in(u, IER), 0);
    out(u, LSR, 0xff);
    out(u, MSR, 0xff);
    assert_int_equal(in(u, LSR), 0x60);
    assert_int_equal(in(u, MSR), 0xb0);
}

static void a_character_takes_ten_bit_times(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, DATA, 'A');
    assert_int_equal(in(u, LSR), 0x20); /* THR empty again, the shift register is not */
    out(u, DATA, 'B');
    assert_int_equal(in(u, LSR), 0x00);
    bench_advance(&u->b, CHAR_NS - 1);
    assert_int_equal(u->far.n, 0);
    bench_advance(&u->b, 1);
    assert_int_equal(u->far.n, 1);
    assert_int_equal(in(u, LSR), 0x20);
    characters(u, 1);
    assert_int_equal(in(u, LSR), 0x60);
    assert_int_equal(u->far.n, 2);
    assert_memory_equal(u->far.got, "AB", 2);
    assert_int_equal(u->far.flushes, 1); /* when the line falls silent */
}

/* A busy host: time has passed, and the processor looks before the loop has run the timer. */
static void a_late_timer_costs_no_time_on_the_line(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, FCR, 0x07);
    for (unsigned i = 0; i < 4; i++) {
        out(u, DATA, (uint8_t)('A' + i));
    }
    clock_advance(&u->b.m.clock, CHAR_NS * 5 / 2);
    assert_int_equal(in(u, LSR), 0x00); /* two are out, the third is on its way */
    assert_int_equal(u->far.n, 2);
    bench_advance(&u->b, CHAR_NS / 2 + 1);
    assert_int_equal(u->far.n, 3);
    clock_advance(&u->b.m.clock, CHAR_NS * 9);
    out(u, DATA, 'E');
    assert_int_equal(u->far.n, 4);
    assert_int_equal(in(u, LSR), 0x20);
    characters(u, 1);
    assert_memory_equal(u->far.got, "ABCDE", 5);
    assert_int_equal(in(u, LSR), 0x60);
}

static void baud_rate_and_frame_follow_divisor_and_lcr(void **state)
{
    struct uart *u = *state;
    static const struct {
        uint8_t lcr;
        uint16_t divisor;
        int64_t ns;
    } c[] = {
        {0x03, 1, 86806},     /* 115200 8n1: 10 bits */
        {0x1f, 1, 104167},    /* 8, even, 2 stop: 12 bits */
        {0x04, 1, 65105},     /* 5 bits with 1.5 stop bits: 7.5 bits */
        {0x06, 96, 8333334},  /* 1200 baud, 7 bits, 2 stop */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(c); i++) {
        out(u, LCR, 0x80);
        out(u, DATA, c[i].divisor & 0xff);
        out(u, IER, c[i].divisor >> 8);
        out(u, LCR, c[i].lcr);
        u->far.n = 0;
        out(u, DATA, 0xff);
        bench_advance(&u->b, c[i].ns - 1);
        assert_int_equal(u->far.n, 0);
        bench_advance(&u->b, 1);
        assert_int_equal(u->far.n, 1);
        assert_int_equal(u->far.got[0], 0xff >> (3 - (c[i].lcr & 3)));
    }
}

static void thr_empty_interrupts_when_enabled_and_after_each_character(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, IER, 0x02);
    assert_true(u->b.IRQ4.level);
    assert_int_equal(in(u, IIR), 0x02); /* reading IIR ends it */
    assert_false(u->b.IRQ4.level);
    assert_int_equal(in(u, IIR), 0x01);
    out(u, DATA, 'A');
    assert_true(u->b.IRQ4.level);
    out(u, DATA, 'B'); /* writing THR ends it too */
    assert_false(u->b.IRQ4.level);
    characters(u, 1);
    assert_true(u->b.IRQ4.level);
    out(u, DATA, 'C');
    out(u, IER, 0x00);
    out(u, IER, 0x02); /* enabled while THR is full: nothing to tell */
    assert_false(u->b.IRQ4.level);
}

static void a_received_character_interrupts_until_it_is_read(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, IER, 0x01);
    far_sends(u, "xy");
    assert_false(u->b.IRQ4.level);
    characters(u, 1);
    assert_true(u->b.IRQ4.level);
    assert_int_equal(in(u, IIR), 0x04);
    assert_int_equal(in(u, LSR), 0x61);
    characters(u, 10); /* the second waits outside: no overrun */
    assert_int_equal(in(u, LSR), 0x61);
    assert_int_equal(in(u, DATA), 'x');
    assert_false(u->b.IRQ4.level);
    assert_int_equal(in(u, LSR), 0x60);
    characters(u, 1);
    assert_int_equal(in(u, DATA), 'y');
}

static void the_fifo_interrupts_at_its_trigger_level(void **state)
{
    struct uart *u = *state;
    static const uint8_t level[] = {1, 4, 8, 14};
    init_8n1(u);
    out(u, IER, 0x01);
    for (unsigned i = 0; i < 4; i++) {
        out(u, FCR, (uint8_t)(0x07 | i << 6));
        far_sends(u, "0123456789abcdef");
        characters(u, level[i]);
        assert_int_equal(in(u, IIR), 0xc4);
        for (unsigned k = 0; k < level[i]; k++) {
            assert_int_equal(in(u, DATA), "0123456789abcdef"[k]);
        }
        assert_int_equal(in(u, IIR), 0xc1);
        for (unsigned k = level[i]; k < 16; k++) {
            characters(u, 1);
            in(u, DATA);
        }
        assert_int_equal(in(u, LSR), 0x60);
    }
}

static void characters_below_the_trigger_time_out_after_four(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, IER, 0x01);
    out(u, FCR, 0xc7);
    far_sends(u, "ab");
    characters(u, 2);
    assert_int_equal(in(u, IIR), 0xc1);
    characters(u, 4);
    assert_true(u->b.IRQ4.level);
    assert_int_equal(in(u, IIR), 0xcc);
    assert_int_equal(in(u, DATA), 'a'); /* reading restarts it */
    assert_int_equal(in(u, IIR), 0xc1);
    characters(u, 3);
    assert_int_equal(in(u, IIR), 0xc1);
    characters(u, 1);
    assert_int_equal(in(u, IIR), 0xcc);
    in(u, DATA);
    assert_int_equal(in(u, IIR), 0xc1);
    characters(u, 10);
    assert_int_equal(in(u, IIR), 0xc1);
}

static void the_transmit_fifo_takes_sixteen(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, FCR, 0x01);
    out(u, IER, 0x02);
    in(u, IIR);
    for (unsigned i = 0; i < 20; i++) {
        out(u, DATA, (uint8_t)('a' + i)); /* one goes to the shift register, three are lost */
    }
    assert_int_equal(in(u, LSR), 0x00);
    assert_false(u->b.IRQ4.level);
    characters(u, 15);
    assert_false(u->b.IRQ4.level);
    characters(u, 1);
    assert_int_equal(in(u, IIR), 0xc2); /* empty, the last one on the line */
    assert_int_equal(in(u, LSR), 0x20);
    characters(u, 1);
    assert_int_equal(u->far.n, 17);
    assert_memory_equal(u->far.got, "abcdefghijklmnopq", 17);
    assert_int_equal(in(u, LSR), 0x60);
}

static void changing_fifo_mode_and_the_clear_bits_empty_the_fifos(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, FCR, 0x01);
    far_sends(u, "abc");
    characters(u, 3);
    assert_int_equal(in(u, LSR) & 1, 1);
    out(u, FCR, 0x00);
    assert_int_equal(in(u, LSR) & 1, 0);
    assert_int_equal(in(u, IIR), 0x01);
    out(u, FCR, 0x01);
    far_sends(u, "abc");
    characters(u, 3);
    out(u, FCR, 0x03);
    assert_int_equal(in(u, LSR) & 1, 0);
    out(u, DATA, 'x');
    out(u, DATA, 'y');
    out(u, FCR, 0x05);
    characters(u, 5);
    assert_int_equal(u->far.n, 1); /* what was in the shift register goes out */
}

static void clearing_a_fifo_ends_what_it_had_to_say(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, FCR, 0xc1);
    out(u, IER, 0x03);
    in(u, IIR);
    far_sends(u, "0123456789abcdefXYZ");
    characters(u, 24);
    assert_int_equal(in(u, IIR), 0xc4);
    out(u, FCR, 0xc3); /* the time-out goes too, and the line moves on */
    assert_int_equal(in(u, IIR), 0xc1);
    characters(u, 1);
    assert_int_equal(in(u, DATA), 'X');
    out(u, DATA, 'x');
    out(u, DATA, 'y');
    assert_int_equal(in(u, IIR), 0xc1);
    out(u, FCR, 0xc5); /* an emptied transmitter is an empty one */
    assert_int_equal(in(u, IIR), 0xc2);
    out(u, FCR, 0x00);
    characters(u, 1);
    assert_int_equal(in(u, LSR) & 1, 1);
    out(u, FCR, 0x06); /* without bit 0 the clear bits do not count */
    assert_int_equal(in(u, LSR) & 1, 1);
    out(u, DATA, 'p');
    out(u, DATA, 'q');
    out(u, FCR, 0x06);
    u->far.n = 0;
    characters(u, 4);
    assert_memory_equal(u->far.got + u->far.n - 2, "pq", 2);
}

static void loopback_returns_characters_and_modem_lines(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    in(u, MSR);
    out(u, MCR, 0x10);
    assert_int_equal(in(u, MSR), 0x0b); /* CTS, DSR, DCD went off; RI was off */
    static const uint8_t pair[][2] = {{0x11, 0x22}, {0x12, 0x13}, {0x14, 0x41}, {0x10, 0x04},
                                      {0x18, 0x88}, {0x1f, 0xf3}};
    for (unsigned i = 0; i < ARRAY_SIZE(pair); i++) {
        out(u, MCR, pair[i][0]);
        assert_int_equal(in(u, MSR), pair[i][1]);
    }
    out(u, DATA, 0xae);
    characters(u, 1);
    assert_int_equal(in(u, LSR), 0x61);
    assert_int_equal(in(u, DATA), 0xae);
    assert_int_equal(u->far.n, 0);
    far_sends(u, "k"); /* the line is cut off meanwhile */
    characters(u, 2);
    assert_int_equal(in(u, LSR), 0x60);
    out(u, MCR, 0x0b);
    characters(u, 1);
    assert_int_equal(in(u, DATA), 'k');
}

static void overrun_sets_oe_until_lsr_is_read(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, MCR, 0x10);
    out(u, IER, 0x05);
    out(u, DATA, 'a');
    characters(u, 1);
    assert_int_equal(in(u, IIR), 0x04);
    out(u, DATA, 'b');
    characters(u, 1);
    assert_int_equal(in(u, IIR), 0x06); /* line status comes first */
    assert_int_equal(in(u, LSR), 0x63);
    assert_int_equal(in(u, LSR), 0x61);
    assert_int_equal(in(u, IIR), 0x04);
    assert_int_equal(in(u, DATA), 'b'); /* without FIFO the new one stays */
    out(u, FCR, 0x01);
    for (unsigned i = 0; i < 17; i++) {
        out(u, DATA, (uint8_t)i);
        characters(u, 1);
    }
    assert_int_equal(in(u, LSR), 0x63);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(in(u, DATA), i); /* with it the old ones do */
    }
    assert_int_equal(in(u, LSR), 0x60);
}

static void a_break_in_loopback_is_a_zero_with_bi(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, FCR, 0x01);
    out(u, MCR, 0x10);
    out(u, IER, 0x04);
    out(u, LCR, 0x43);
    assert_int_equal(in(u, IIR), 0xc6);
    assert_int_equal(in(u, LSR), 0xf1);
    assert_int_equal(in(u, LSR), 0x61);
    assert_int_equal(in(u, DATA), 0);
}

static void a_break_on_the_line_comes_in_its_order_as_a_zero_with_bi(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, FCR, 0x01);
    out(u, IER, 0x04);
    far_sends(u, "a");
    chardev_send_event(&u->far.chr, CHARDEV_BREAK);
    characters(u, 1);
    assert_int_equal(in(u, LSR), 0x61);
    characters(u, 1);
    assert_int_equal(in(u, LSR), 0xe1); /* somewhere in the FIFO, but not at its top */
    assert_int_equal(in(u, DATA), 'a');
    assert_int_equal(in(u, IIR) & 0x0f, 0x06);
    assert_int_equal(in(u, LSR), 0xf1);
    assert_int_equal(in(u, LSR), 0x61);
    assert_int_equal(in(u, DATA), 0);
    assert_int_equal(in(u, LSR), 0x60);
}

static void a_break_is_not_lost_on_a_full_line(void **state)
{
    struct uart *u = *state;
    unsigned breaks = 0, n = 0;
    init_8n1(u);
    far_sends(u, "0123456789abcdef");
    chardev_send_event(&u->far.chr, CHARDEV_BREAK);
    u->far.left = 0;
    for (unsigned i = 0; i < 40; i++) {
        characters(u, 1);
        uint8_t lsr = in(u, LSR);
        if (lsr & 0x01) {
            breaks += lsr >> 4 & 1;
            in(u, DATA);
            n++;
        }
    }
    assert_int_equal(n, 16);
    assert_int_equal(breaks, 1);
}

static void characters_sent_during_a_break_do_not_reach_the_other_side(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, LCR, 0x43);
    out(u, DATA, 'x');
    characters(u, 2);
    assert_int_equal(in(u, LSR), 0x60); /* the transmitter itself goes on */
    out(u, LCR, 0x03);
    out(u, DATA, 'y');
    characters(u, 2);
    assert_int_equal(u->far.n, 1);
    assert_int_equal(u->far.got[0], 'y');
}

static void modem_status_interrupts_last(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, IER, 0x0a);
    out(u, MCR, 0x10);
    assert_int_equal(in(u, IIR), 0x02);
    assert_int_equal(in(u, IIR), 0x00);
    assert_true(u->b.IRQ4.level);
    in(u, MSR);
    assert_false(u->b.IRQ4.level);
    assert_int_equal(in(u, IIR), 0x01);
}

static void long_input_arrives_whole(void **state)
{
    struct uart *u = *state;
    static char text[3001];
    for (unsigned i = 0; i < 3000; i++) {
        text[i] = (char)('A' + i % 23);
    }
    init_8n1(u);
    out(u, FCR, 0x87);
    far_sends(u, text);
    unsigned got = 0;
    for (unsigned turn = 0; turn < 2000; turn++) {
        characters(u, 3 + turn % 20); /* sometimes too slow for the FIFO */
        while (in(u, LSR) & 1) {
            assert_int_equal(in(u, DATA), text[got]);
            got++;
        }
    }
    assert_int_equal(got, 3000);
}

static void a_port_without_line_sends_into_nothing(void **state)
{
    struct uart *u = *state;
    static struct ns16550 com2;
    memset(&com2, 0, sizeof(com2));
    ns16550_init(&com2, &u->b.m, "com2", 0x2f8, NULL, NULL);
    bench_power_on(&u->b);
    bench_out8(&u->b, 0x2f8, 'x');
    characters(u, 2);
    assert_int_equal(bench_in8(&u->b, 0x2fd), 0x60);
}

static void reset_and_state_are_whole(void **state)
{
    struct uart *u = *state;
    init_8n1(u);
    out(u, FCR, 0x81);
    out(u, IER, 0x07);
    far_sends(u, "0123456789");
    out(u, DATA, 'x');
    out(u, DATA, 'y');
    characters(u, 1);
    bench_advance(&u->b, 1000);
    bench_check_state(&u->b);
    assert_true(u->b.IRQ4.level); /* driven again by the load */
    characters(u, 3);
    assert_memory_equal(u->far.got, "xy", 2);
    assert_int_equal(in(u, DATA), '0');
    bench_check_reset(&u->b);
}

/* Whatever was done before, a reset gives the state of power-on. */
static void a_reset_gives_the_state_of_power_on(void **state)
{
    struct uart *u = *state;
    struct state_buf fresh, after;
    struct device *d = u->b.m.devices;
    bench_save(&u->b, d, &fresh);
    init_8n1(u);
    out(u, FCR, 0xc1);
    out(u, IER, 0x0f);
    out(u, SCR, 0x55);
    far_sends(u, "ab");
    characters(u, 20);
    out(u, DATA, 'x');
    out(u, DATA, 'y');
    out(u, LCR, 0x83);
    out(u, DATA, 1);
    out(u, MCR, 0x1f);
    far_sends(u, "more");
    u->far.left = 0;
    assert_true(u->b.IRQ4.level);
    bench_reset(&u->b);
    bench_save(&u->b, d, &after);
    bench_assert_same(d, &fresh, &after, false, "reset after use");
    state_buf_free(&fresh);
    state_buf_free(&after);
}

static void random_accesses_do_no_harm(void **state)
{
    struct uart *u = *state;
    for (unsigned i = 0; i < 300; i++) {
        far_sends(u, "some input for whoever listens");
        bench_fuzz_ports(&u->b, 0x3f8, 8, 200, 500000);
    }
    u->far.left = 0; /* else a reset would make room for new input */
    bench_check_state(&u->b);
    bench_check_reset(&u->b);
}

/* ---- a line that takes no time ---- */

static void an_instant_transmitter_is_always_empty(void **state)
{
    struct uart *u = *state;
    u->chip.instant = true;
    init_8n1(u);
    for (const char *c = "without waiting"; *c; c++) {
        out(u, DATA, (uint8_t)*c);
        assert_int_equal(in(u, LSR), 0x60);
    }
    assert_int_equal(u->far.n, 15);
    assert_memory_equal(u->far.got, "without waiting", 15);
}

static void an_instant_line_passes_eight_bits_whatever_lcr_says(void **state)
{
    struct uart *u = *state;
    u->chip.instant = true;
    assert_int_equal(in(u, LCR), 0);
    out(u, DATA, 'k');
    assert_int_equal(u->far.n, 1);
    assert_int_equal(u->far.got[0], 'k');
}

static void an_instant_transmitter_interrupts_anew_after_each_character(void **state)
{
    struct uart *u = *state;
    u->chip.instant = true;
    init_8n1(u);
    out(u, IER, 0x02);
    unsigned before = u->b.IRQ4.rises;
    out(u, DATA, 'a'); /* without a look at IIR */
    out(u, DATA, 'b');
    assert_int_equal(u->b.IRQ4.rises, before + 2);
    assert_int_equal(in(u, IIR), 0x02);
    assert_int_equal(in(u, IIR), 0x01);
}

static void an_instant_receiver_takes_what_fits_and_loses_nothing(void **state)
{
    struct uart *u = *state;
    static const char text[] = "more than sixteen characters at once";
    u->chip.instant = true;
    init_8n1(u);
    out(u, IIR, 0x01);
    far_sends(u, text);
    for (unsigned i = 0; i < sizeof(text) - 1; i++) {
        bench_advance(&u->b, 0);
        assert_int_equal(in(u, LSR) & 0x01, 0x01);
        assert_int_equal(in(u, DATA), text[i]);
    }
    assert_int_equal(in(u, LSR), 0x60);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(registers_after_master_reset),
        T(registers_keep_only_their_bits),
        T(a_character_takes_ten_bit_times),
        T(a_late_timer_costs_no_time_on_the_line),
        T(baud_rate_and_frame_follow_divisor_and_lcr),
        T(thr_empty_interrupts_when_enabled_and_after_each_character),
        T(an_instant_transmitter_is_always_empty),
        T(an_instant_line_passes_eight_bits_whatever_lcr_says),
        T(an_instant_transmitter_interrupts_anew_after_each_character),
        T(an_instant_receiver_takes_what_fits_and_loses_nothing),
        T(a_received_character_interrupts_until_it_is_read),
        T(the_fifo_interrupts_at_its_trigger_level),
        T(characters_below_the_trigger_time_out_after_four),
        T(the_transmit_fifo_takes_sixteen),
        T(changing_fifo_mode_and_the_clear_bits_empty_the_fifos),
        T(clearing_a_fifo_ends_what_it_had_to_say),
        T(loopback_returns_characters_and_modem_lines),
        T(overrun_sets_oe_until_lsr_is_read),
        T(a_break_in_loopback_is_a_zero_with_bi),
        T(a_break_on_the_line_comes_in_its_order_as_a_zero_with_bi),
        T(a_break_is_not_lost_on_a_full_line),
        T(characters_sent_during_a_break_do_not_reach_the_other_side),
        T(modem_status_interrupts_last),
        T(long_input_arrives_whole),
        T(a_port_without_line_sends_into_nothing),
        T(reset_and_state_are_whole),
        T(a_reset_gives_the_state_of_power_on),
        T(random_accesses_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
