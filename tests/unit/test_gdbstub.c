/* The gdb server: packets, good and malformed, on a machine whose vCPU stands still. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/accel/debug.h"
#include "core/debug/gdb_target.h"
#include "core/debug/gdbstub.h"
#include "unit/debug_bench.h"

static unsigned debug_changes;

static void debug_changed(struct vcpu *cpu)
{
    debug_changes++;
}

static int setup(void **state)
{
    static struct accel accel;
    struct debug_bench *b = debug_bench_init();
    accel = bench_accel;
    accel.debug_changed = debug_changed;
    b->m.accel = b->m.vcpus[0]->accel = &accel;
    assert_true(gdbstub_new(b->debug, &b->line, NULL));
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    debug_bench_fini(*state);
    return 0;
}

/* The answer to a packet with a right checksum, without its frame; NULL: none came. */
static const char *ask_bytes(struct debug_bench *b, const char *packet, size_t len)
{
    static char answer[65536];
    struct text framed = {0};
    uint8_t sum = 0;
    for (size_t i = 0; i < len; i++) {
        sum += (uint8_t)packet[i];
    }
    text_putc(&framed, '$');
    text_add(&framed, packet, len);
    text_printf(&framed, "#%02x", sum);
    const char *sent = debug_bench_send(b, text_str(&framed), framed.len);
    text_free(&framed);
    const char *start = strrchr(sent, '$'), *end = strrchr(sent, '#');
    if (start == NULL || end == NULL || end < start) {
        return NULL;
    }
    snprintf(answer, sizeof(answer), "%.*s", (int)(end - start - 1), start + 1);
    return answer;
}

static const char *ask(struct debug_bench *b, const char *packet)
{
    return ask_bytes(b, packet, strlen(packet));
}

static void packets_are_acknowledged_until_that_is_switched_off(void **state)
{
    struct debug_bench *b = *state;
    assert_string_equal(debug_bench_send(b, "$qAttached#8f", 13), "+$1#31");
    assert_string_equal(debug_bench_send(b, "-", 1), "$1#31");
    assert_string_equal(debug_bench_send(b, "$qAttached#90", 13), "-");
    assert_string_equal(ask(b, "QStartNoAckMode"), "OK");
    assert_string_equal(debug_bench_send(b, "$qAttached#8f", 13), "$1#31");
}

static void unknown_packets_get_an_empty_answer(void **state)
{
    static const char *const unknown[] = {"",  "vMustReplyEmpty", "qNonsense", "!", "vFile:open:00",
                                          "j", "cnonsense"};
    for (unsigned i = 0; i < ARRAY_SIZE(unknown); i++) {
        assert_string_equal(ask(*state, unknown[i]), "");
    }
}

static void what_makes_no_sense_is_an_error(void **state)
{
    static const char *const bad[] = {
        "m", "m0", "m0,", "mx,1", "m0,1x", "m00000000000000000,1", "M0,1", "M0,1:", "M0,2:00",
        "M0,1:0g", "M0,5000:00",
        "X0,2:a", "X0,5000:", "p", "pffff", "px", "P0", "P0=", "P0=12", "Pffff=00", "G12", "Z",
        "Z9,0,1", "Z0", "Z0,", "Z1,0",
        "Z2,0,0", "Z2,0,2000", "Z3,ffffffffffffffff,2", "z0", "H", "Hx0", "Hg", "Hg9", "Hgp2.1",
        "T9", "Tp1.2", "T",
        "vCont;", "vCont;x", "vCont;c:9", "vCont;C", "vCont;s;", "vCont;c:p1.1junk",
        "qXfer:features:read:target.xml:",
        "qXfer:features:read:target.xml:fffff,10", "qRcmd,0", "qRcmd,xx", "qThreadExtraInfo",
        "qThreadExtraInfo,9",
        "qThreadExtraInfo,-1", "Qqemu.sstep=", "Qqemu.sstep=ff", "Qqemu.PhyMemMode:", "bs", "bc",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *answer = ask(*state, bad[i]);
        assert_non_null(answer);
        if (answer[0] != 'E') {
            fail_msg("%s was answered with %s", bad[i], answer);
        }
    }
    assert_int_equal(((struct debug_bench *)*state)->m.run_state, RUN_PRELAUNCH);
}

static void a_packet_that_is_too_long_is_an_error(void **state)
{
    static char big[100000];
    memset(big, 'm', sizeof(big));
    assert_string_equal(ask_bytes(*state, big, sizeof(big)), "E22");
    assert_string_equal(ask(*state, "qAttached"), "1");
}

static void memory_is_read_and_written_in_both_forms(void **state)
{
    assert_string_equal(ask(*state, "M500,3:01a2ff"), "OK");
    assert_string_equal(ask(*state, "m500,4"), "01a2ff00");
    assert_string_equal(ask(*state, "X501,2:}\x03}]"), "OK");
    assert_string_equal(ask(*state, "m500,3"), "01237d");
    assert_string_equal(ask(*state, "X500,0:"), "OK");
}

static void an_address_without_a_page_is_an_error(void **state)
{
    struct debug_bench *b = *state;
    b->state.cr0 |= CR0_PE | CR0_PG; /* CR3 0: no entry is present */
    assert_string_equal(ask(b, "m5000,4"), "E14");
    assert_string_equal(ask(b, "M5000,1:00"), "E14");
    assert_string_equal(ask(b, "Qqemu.PhyMemMode:1"), "OK");
    assert_string_equal(ask(b, "qqemu.PhyMemMode"), "1");
    assert_string_equal(ask(b, "m5000,2"), "0000");
}

static void the_program_counter_is_linear(void **state)
{
    struct debug_bench *b = *state;
    assert_string_equal(ask(b, "p8"), "f0ffffff");
    assert_string_equal(ask(b, "P8=00000fff"), "OK"); /* FF0F0000h */
    assert_int_equal(b->state.rip, 0xff100000);
    assert_string_equal(ask(b, "pa"), "00f00000");
    assert_string_equal(ask(b, "Pa=34120000"), "OK");
    assert_int_equal(b->state.seg[S_CS].base, 0x12340);
}

static void control_registers_only_take_their_own_value(void **state)
{
    struct debug_bench *b = *state;
    struct x86_state before = b->state;
    char all[8192];
    snprintf(all, sizeof(all), "G%s", ask(b, "g"));
    assert_string_equal(ask(b, all), "OK");
    assert_memory_equal(&before, &b->state, sizeof(before));
    memset(all + 1, 'f', strlen(all) - 1);
    assert_string_equal(ask(b, all), "OK");
    assert_int_equal(b->state.cr0, before.cr0);
    assert_int_equal(b->state.efer, before.efer);
    assert_int_equal(b->state.rflags & FL_VM, 0);
}

static void the_description_and_the_registers_agree(void **state)
{
    struct debug_bench *b = *state;
    for (unsigned arch = 0; arch < 3; arch++) {
        struct text xml = {0};
        unsigned regs = 0, bytes = 0;
        gdb_target_xml((enum gdb_arch)arch, &xml);
        for (const char *p = text_str(&xml); (p = strstr(p, "<reg ")) != NULL; p++, regs++) {
            bytes += (unsigned)atoi(strstr(p, "bitsize=\"") + 9) / 8;
        }
        assert_int_equal(regs, gdb_reg_count((enum gdb_arch)arch));
        assert_true(regs < GDB_MAX_REGS);
        for (unsigned n = 0; n < regs; n++) {
            uint8_t out[GDB_REG_BYTES];
            bytes -= gdb_reg_read((enum gdb_arch)arch, &b->state, n, out);
        }
        assert_int_equal(bytes, 0);
        text_free(&xml);
    }
}

static void points_are_inserted_once_and_removed(void **state)
{
    struct debug_bench *b = *state;
    struct stops *s = stops_get(&b->m);
    assert_string_equal(ask(b, "Z0,7c00,1"), "OK");
    assert_string_equal(ask(b, "Z0,7c00,1"), "OK");
    assert_string_equal(ask(b, "Z2,500,4"), "OK");
    assert_int_equal(s->n, 2);
    assert_non_null(stops_find(s, POINT_WRITE, false, 0x503, 1));
    assert_null(stops_find(s, POINT_WRITE, false, 0x504, 1));
    assert_null(stops_find(s, POINT_READ, false, 0x503, 1));
    assert_string_equal(ask(b, "z0,7c00,1"), "OK");
    assert_string_equal(ask(b, "z0,7c00,1"), "OK");
    assert_int_equal(s->n, 1);
    chardev_send_event(&b->line, CHARDEV_CLOSED);
    assert_int_equal(s->n, 0);
}

static void there_is_room_for_so_many_points_and_no_more(void **state)
{
    char packet[40];
    unsigned n = 0;
    do {
        snprintf(packet, sizeof(packet), "Z1,%x,1", 0x1000 + n);
    } while (strcmp(ask(*state, packet), "OK") == 0 && n++ < 1000);
    assert_int_equal(n, 64);
}

static void threads_have_numbers_from_one(void **state)
{
    struct debug_bench *b = *state;
    assert_string_equal(ask(b, "qfThreadInfo"), "m01");
    assert_string_equal(ask(b, "qsThreadInfo"), "l");
    assert_non_null(strstr(ask(b, "qSupported:multiprocess+;swbreak+"), "exec-events+"));
    assert_string_equal(ask(b, "qfThreadInfo"), "mp01.01");
    assert_string_equal(ask(b, "Hgp1.1"), "OK");
    assert_string_equal(ask(b, "Hcp1.-1"), "OK");
    assert_string_equal(ask(b, "Tp1.1"), "OK");
    assert_string_equal(ask(b, "?"), "T05thread:p01.01;");
}

static void a_mode_that_changed_is_told_before_the_stop(void **state)
{
    struct debug_bench *b = *state;
    ask(b, "qSupported:exec-events+");
    b->state.cr0 |= CR0_PE;
    b->state.seg[S_CS].attr |= AR_DB;
    assert_string_equal(ask(b, "?"), "T05thread:01;exec:2f33322d62697420636f6465;");
    assert_string_equal(ask(b, "vCont;c"), "T05thread:01;");
    assert_string_equal(ask(b, "?"), "T05thread:01;");
}

/* Packets made of pieces of good ones, cut and changed: every one has an answer, and nothing
 * breaks. */
static void no_packet_breaks_it(void **state)
{
    static const char *const pieces[] = {
        "m", "M", "X", "Z0", "Z2", "z2", "p", "P", "G", "g", "H", "T", "qRcmd,", "68656c70",
        "qSupported:", "vCont;", "qXfer:features:read:target.xml:", "0,", "500,4", "ffffffff", "-1",
        "p1.1", ":", ";", "=", "00", "\x7d", "\xff", "}", ",", "1", "exec-events+", "Qqemu.sstep=",
        "qThreadExtraInfo,", "x", "?", "bs", "qC",
    };
    struct debug_bench *b = *state;
    uint32_t seed = 12345;
    for (unsigned i = 0; i < 30000; i++) {
        char packet[400];
        size_t len = 0;
        seed = seed * 1664525 + 1013904223;
        for (unsigned n = seed >> 28; n > 0; n--) {
            seed = seed * 1664525 + 1013904223;
            const char *piece = pieces[(seed >> 8) % ARRAY_SIZE(pieces)];
            memcpy(packet + len, piece, strlen(piece));
            len += strlen(piece);
        }
        if (len != 0 && (seed & 0x300) == 0) {
            packet[(seed >> 16) % len] = (char)(seed >> 24);
        }
        char *end = memchr(packet, '#', len);
        len = end != NULL ? (size_t)(end - packet) : len;
        if (memchr(packet, '$', len) == NULL && memchr(packet, 3, len) == NULL) {
            ask_bytes(b, packet, len);
        }
        if (b->m.run_state == RUN_RUNNING) { /* a vCont that made sense: the interrupt ends it */
            debug_bench_send(b, "\x03", 1);
        }
    }
    assert_string_equal(ask(b, "qAttached"), "1");
}

static void no_bytes_break_it(void **state)
{
    struct debug_bench *b = *state;
    uint32_t seed = 99;
    for (unsigned i = 0; i < 300000; i++) {
        seed = seed * 1664525 + 1013904223;
        char c = (seed & 0x7000) == 0 ? "$#}-+"[(seed >> 16) % 5] : (char)(seed >> 24);
        if (c != 3) {
            debug_bench_send(b, &c, 1);
        }
    }
    debug_bench_send(b, "#00", 3);
    assert_string_equal(ask(b, "qAttached"), "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(packets_are_acknowledged_until_that_is_switched_off),
        T(unknown_packets_get_an_empty_answer),
        T(what_makes_no_sense_is_an_error),
        T(a_packet_that_is_too_long_is_an_error),
        T(memory_is_read_and_written_in_both_forms),
        T(an_address_without_a_page_is_an_error),
        T(the_program_counter_is_linear),
        T(control_registers_only_take_their_own_value),
        T(the_description_and_the_registers_agree),
        T(points_are_inserted_once_and_removed),
        T(there_is_room_for_so_many_points_and_no_more),
        T(threads_have_numbers_from_one),
        T(a_mode_that_changed_is_told_before_the_stop),
        T(no_packet_breaks_it),
        T(no_bytes_break_it),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
