/* Breaks: what their text means, and which events they stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/accel/debug.h"
#include "core/debug/break_cond.h"
#include "core/debug/breaks.h"
#include "unit/debug_bench.h"

static void debug_changed(struct vcpu *cpu)
{
}

static int setup(void **state)
{
    static struct accel accel;
    struct debug_bench *b = debug_bench_init();
    accel = bench_accel;
    accel.debug_changed = debug_changed;
    b->m.accel = b->m.vcpus[0]->accel = &accel;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    debug_bench_fini(*state);
    return 0;
}

/* Whether the event stops the machine. */
static bool stops_for(struct debug_bench *b, struct stop_event e)
{
    struct vcpu *cpu = b->m.vcpus[0];
    cpu->hit.kind = HIT_NONE;
    if (stops_want_event(&b->m, e.kind)) {
        vcpu_debug_event(cpu, &e);
    }
    atomic_fetch_and(&cpu->pending, ~(uint32_t)PEND_KICK);
    return cpu->hit.kind == HIT_EVENT;
}

static struct stop_event port(unsigned addr, bool write, unsigned val)
{
    return (struct stop_event){
        .kind = EVENT_PORT, .addr = addr, .size = 1, .write = write, .val = val};
}

static bool add(struct debug_bench *b, const char *what)
{
    unsigned id;
    struct error *err = NULL;
    bool ok = breaks_add(b->debug, what, &id, &err);
    assert_int_equal(ok, err == NULL);
    error_free(err);
    return ok;
}

static void numbers_are_marked_or_decimal(void **state)
{
    static const struct { const char *text; bool hex; uint64_t val; } good[] = {
        {"0x10", false, 16}, {"10h", false, 16}, {"10", false, 10}, {"10", true, 16},
        {"0ffH", false, 255},
    };
    static const char *const bad[] = {
        "", "x", "0x", "1f", "0x11112222333344445", "99999999999999999999"};
    uint64_t val;
    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        const char *p = good[i].text;
        assert_true(cond_number(&p, good[i].hex, &val));
        assert_int_equal(val, good[i].val);
        assert_string_equal(p, "");
    }
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        const char *p = bad[i];
        assert_false(cond_number(&p, false, &val));
    }
}

static void conditions_look_at_registers_and_the_value(void **state)
{
    static const struct { const char *text; bool holds; } cases[] = {
        {"ah == 2", true}, {"ah==3", false}, {"AX == 0234h", true},
        {"al & 0x30 and value == 16", true},
        {"value != 0x10", false}, {"ecx >= 5 && ecx < 6", true}, {"ecx > 5", false},
        {"cx <= 5", true},
    };
    struct x86_state s = {.gpr = {[R_AX] = 0x234, [R_CX] = 5}};
    struct cond c;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_true(cond_parse(&c, cases[i].text, NULL));
        assert_int_equal(cond_holds(&c, &s, 16), cases[i].holds);
    }
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const char *const bad[] = {
        "", "nonsense", "io", "io x", "io 0x3f2 q", "io 5-4", "io 5-", "mmio", "pci 1",
        "pci 00:20.0 5", "pci -1:01.0 5", "pci 00: 1.0 5",
        "pci 00:01.8 5", "pci 00:01.0", "cmos", "msr", "int", "int 100", "int x", "exception 32",
        "exception xx", "irq", "mode", "mode x", "insn", "text", "text 'A", "text ''", "10000:0",
        "0:10000",
        "0:", "0x10 junk", "int 13 if", "int 13 if ah", "int 13 if ah ==", "int 13 if ah == zz",
        "int 13 if ah == 1 or al == 2", "int 13 if a=1 and b=1",
        "int 13 if ax=1 and ax=1 and ax=1 and ax=1 and ax=1",
    };
    struct debug_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        if (add(b, bad[i])) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
    assert_int_equal(stops_get(&b->m)->wanted, 0);
}

static void a_port_stops_by_direction_and_value(void **state)
{
    struct debug_bench *b = *state;
    assert_true(add(b, "io 0x3f2 w if value & 0x10"));
    assert_true(stops_for(b, port(0x3f2, true, 0x1c)));
    assert_false(stops_for(b, port(0x3f2, true, 0x0c)));
    assert_false(stops_for(b, port(0x3f2, false, 0x1c)));
    assert_false(stops_for(b, port(0x3f3, true, 0x1c)));
    struct stop_event wide = port(0x3f1, true, 0x10);
    wide.size = 2;
    assert_true(stops_for(b, wide));
}

static void a_cmos_break_follows_the_index(void **state)
{
    struct debug_bench *b = *state;
    assert_true(add(b, "cmos 0x0f w"));
    assert_false(stops_for(b, port(0x71, true, 5)));
    assert_false(stops_for(b, port(0x70, true, 0x8f)));
    assert_true(stops_for(b, port(0x71, true, 5)));
    assert_false(stops_for(b, port(0x71, false, 5)));
    stops_for(b, port(0x70, true, 0x0e));
    assert_false(stops_for(b, port(0x71, true, 5)));
}

static void interrupts_are_hexadecimal_exceptions_decimal(void **state)
{
    struct debug_bench *b = *state;
    b->state.gpr[R_AX] = 0x0201;
    assert_true(add(b, "int 13 if ah==2"));
    assert_true(add(b, "exception 13"));
    assert_true(stops_for(b, (struct stop_event){.kind = EVENT_INT, .addr = 0x13, .write = true}));
    assert_false(stops_for(b, (struct stop_event){.kind = EVENT_INT, .addr = 13, .write = true}));
    assert_false(stops_for(b, (struct stop_event){.kind = EVENT_INT, .addr = 0x13}));
    assert_true(stops_for(b, (struct stop_event){.kind = EVENT_EXCEPTION, .addr = X86_GP}));
    b->state.gpr[R_AX] = 0x0301;
    assert_false(stops_for(b, (struct stop_event){.kind = EVENT_INT, .addr = 0x13, .write = true}));
}

static void only_what_is_wanted_is_told(void **state)
{
    struct debug_bench *b = *state;
    struct stops *s = stops_get(&b->m);
    assert_true(add(b, "mode protected"));
    assert_true(add(b, "msr 0x1b r"));
    assert_int_equal(s->wanted, EVENT_MODE | EVENT_MSR);
    assert_true(stops_for(b, (struct stop_event){.kind = EVENT_MODE, .val = CPU_PROTECTED}));
    assert_false(stops_for(b, (struct stop_event){.kind = EVENT_MODE, .val = CPU_REAL}));
    assert_true(breaks_delete(b->debug, 1, NULL));
    assert_int_equal(s->wanted, EVENT_MSR);
    assert_false(breaks_delete(b->debug, 1, NULL));
    assert_true(breaks_delete(b->debug, 0, NULL));
    assert_int_equal(s->wanted, 0);
}

static void code_points_add_up_with_those_of_others(void **state)
{
    struct debug_bench *b = *state;
    struct stops *s = stops_get(&b->m);
    b->state.gpr[R_AX] = 1;
    assert_true(add(b, "07C0:0010 if ax == 2"));
    assert_int_equal(s->n, 1);
    assert_int_equal(s->points[0].addr, 0x7c10);
    assert_false(s->code_wanted(s->code_opaque, b->m.vcpus[0], 0x7c10, 1));
    /* gdb has one there, too */
    assert_true(s->code_wanted(s->code_opaque, b->m.vcpus[0], 0x7c10, 2));
    b->state.gpr[R_AX] = 2;
    assert_true(s->code_wanted(s->code_opaque, b->m.vcpus[0], 0x7c10, 1));
}

static void an_instruction_number_is_the_next_one_ahead(void **state)
{
    struct debug_bench *b = *state;
    assert_true(add(b, "insn 5000"));
    assert_true(add(b, "insn 700"));
    assert_int_equal(b->m.vcpus[0]->stop_count, 700);
    assert_true(breaks_delete(b->debug, 2, NULL));
    assert_int_equal(b->m.vcpus[0]->stop_count, 5000);
}

static void the_monitor_lists_and_deletes(void **state)
{
    struct debug_bench *b = *state;
    assert_string_equal(debug_bench_say(b, "break int 13"), "break 1: int 13\n");
    assert_string_equal(debug_bench_say(b, "break text 'A:\\>'"), "break 2: text 'A:\\>'\n");
    assert_string_equal(debug_bench_say(b, "info breakpoints"),
                        "1: int 13 (0 hits)\n2: text 'A:\\>' (0 hits)\n");
    assert_string_equal(debug_bench_say(b, "delete 1"), "");
    assert_non_null(strstr(debug_bench_say(b, "delete 1"), "there is no break 1"));
    assert_string_equal(debug_bench_say(b, "delete"), "");
    assert_string_equal(debug_bench_say(b, "break list"), "no breaks\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(numbers_are_marked_or_decimal),
        T(conditions_look_at_registers_and_the_value),
        T(what_makes_no_sense_is_refused),
        T(a_port_stops_by_direction_and_value),
        T(a_cmos_break_follows_the_index),
        T(interrupts_are_hexadecimal_exceptions_decimal),
        T(only_what_is_wanted_is_told),
        T(code_points_add_up_with_those_of_others),
        T(an_instruction_number_is_the_next_one_ahead),
        T(the_monitor_lists_and_deletes),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
