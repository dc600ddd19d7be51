/* The human monitor: lines, expressions, formats of answers, line editing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/debug_bench.h"

#include "core/debug/hmp.h"
#include "core/debug/walk.h"

#include <sys/stat.h>
#include <unistd.h>

static struct debug_bench *b;

static int setup(void **state)
{
    b = debug_bench_init();
    return 0;
}

static int teardown(void **state)
{
    debug_bench_fini(b);
    return 0;
}

static void poke(uint64_t addr, const void *bytes, size_t len)
{
    space_write_bytes(&b->m.mem, addr, bytes, len);
}

static void says(const char *line, const char *answer)
{
    assert_string_equal(debug_bench_say(b, line), answer);
}

static void contains(const char *line, const char *part)
{
    const char *answer = debug_bench_say(b, line);
    if (strstr(answer, part) == NULL) {
        fail_msg("'%s' answers:\n%s\nwithout: %s", line, answer, part);
    }
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void an_unknown_command_is_named(void **state)
{
    says("xyz", "unknown command: 'xyz'\n");
    says("  xyz 1 2", "unknown command: 'xyz'\n");
    says("info xyz", "unknown command: 'info xyz'\n");
    says("\"quoted\" a", "unknown command: '\"quoted\"'\n");
    says("/", "unknown command: ''\n");
    says("", "");
    says("# a comment", "");
}

static void wrong_arguments_are_explained(void **state)
{
    says("pmemsave 0",
         "unexpected end of expression\nTry \"help pmemsave\" for more information\n");
    says("pmemsave zz 1 \"x\"",
         "invalid char 'z' in expression\nTry \"help pmemsave\" for more information\n");
    says("x /zz 0", "invalid char in format: 'z'\nTry \"help x\" for more information\n");
    says("change", "change: device expected\nTry \"help change\" for more information\n");
    says("screendump \"abc", "unterminated string\nTry \"help screendump\" for more information\n");
    says("screendump \"a\\q\"",
         "unsupported escape code: '\\q'\nTry \"help screendump\" for more information\n");
    says("trace-event machine_reset maybe",
         "option: must be on or off\nTry \"help trace-event\" for more information\n");
    contains("stop 1", "extraneous characters at the end of line");
    contains("x /99999999999xb 0", "count too large");
    contains("x /2000000xb 0", "count too large");
}

static void expressions_follow_the_usual_rules(void **state)
{
    b->state.gpr[R_AX] = 0x123456789;
    b->state.seg[S_CS].base = 0xf0000;
    b->state.rip = 0xfff0;
    says("p/d 1+2*3", "7\n");
    says("p/d (1+2)*3", "9\n");
    says("p/x 0xf0 | 0x0f ^ 1", "0xfe\n");
    says("p/d -7/2", "-3\n");
    says("p/d 7%4", "3\n");
    says("p/x ~0", "0xffffffffffffffff\n");
    says("p/u -1", "18446744073709551615\n");
    says("p/d 010", "8\n");
    says("p/d 'A'", "65\n");
    says("p/c 65", "'A'\n");
    says("p/x $eax", "0x23456789\n");
    says("p/x $rax", "0x123456789\n");
    says("p/x $ax", "0x6789\n");
    says("p/x $pc", "0xffff0\n");
    contains("p $nothing", "unknown register");
    contains("p 1/0", "division by zero");
    contains("p 1 /usr", "extraneous characters"); /* a path, not a division */
    contains("p (1", "')' expected");
    contains("p 99999999999999999999", "number too large");
    contains("p 08", "extraneous characters");
    says("p/d -9223372036854775807-1", "-9223372036854775808\n");
    says("p/d (-9223372036854775807-1)/-1", "-9223372036854775808\n");
    char deep[2000];
    memset(deep, '(', sizeof(deep));
    memcpy(deep, "p ", 2);
    deep[sizeof(deep) - 1] = '\0';
    contains(deep, "nested too deep");
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void xp_shows_memory_in_columns(void **state)
{
    poke(0x1000,
         "\xea\x5b\xe0\x00\xf0"
         "06/23/",
         11);
    says("xp /10xb 0x1000", "0000000000001000: 0xea 0x5b 0xe0 0x00 0xf0 0x30 0x36 0x2f\n"
                            "0000000000001008: 0x32 0x33\n");
    says("xp /2xh 0x1000", "0000000000001000: 0x5bea 0x00e0\n");
    says("xp /1xw 0x1000", "0000000000001000: 0x00e05bea\n");
    says("xp /1xg 0x1000", "0000000000001000: 0x2f3630f000e05bea\n");
    says("xp /2c 0x1005", "0000000000001005: '0' '6'\n");
    says("xp /1db 0x1000", "0000000000001000: -22\n");
    says("xp /1ub 0x1000", "0000000000001000: 234\n");
    says("xp /1ob 0x1000", "0000000000001000: 0352\n");
    says("xp 0x1000", "0000000000001000: 0352\n"); /* as the last time */
}

static void x_follows_the_page_tables(void **state)
{
    uint32_t directory[1] = {0x5000 | PTE_P | PTE_W},
             table[4] = {0, 0x7000 | PTE_P, 0, 0x8000 | PTE_P | PTE_W};
    poke(0x4000, directory, sizeof(directory));
    poke(0x5000, table, sizeof(table));
    poke(0x7000, "hello", 5);
    b->state.cr0 = CR0_PE | CR0_PG;
    b->state.cr3 = 0x4000;
    says("x /1c 0x1000", "0000000000001000: 'h'\n");
    says("x /2xb 0x1fff",
         "0000000000001fff: Cannot access memory\n"); /* the second byte is not mapped */
    says("gva2gpa 0x1004", "gpa: 0x7004\n");
    says("gva2gpa 0x2000", "Unmapped\n");
    says("info tlb", "0000000000001000: 0000000000007000 ---------\n"
                     "0000000000003000: 0000000000008000 --------W\n");
    says("info mem", "0000000000001000-0000000000002000 0000000000001000 -r-\n"
                     "0000000000003000-0000000000004000 0000000000001000 -rw\n");
}

static void tables_that_map_themselves_end(void **state)
{
    uint64_t entry = 0x4000 | PTE_P | PTE_W;
    for (unsigned i = 0; i < 512; i++) {
        poke(0x4000 + 8 * i, &entry, 8);
    }
    b->state.cr0 = CR0_PE | CR0_PG;
    b->state.cr4 = CR4_PAE;
    b->state.efer = EFER_LME | EFER_LMA;
    b->state.cr3 = 0x4000;
    contains("info mem", "(and more)");
    contains("info tlb", "(and more)");
}

static void code_is_shown_as_instructions(void **state)
{
    poke(0x7c00, "\xea\x5b\xe0\x00\xf0\x90", 6);
    contains("xp /2i 0x7c00", "0x00007c00:  ea 5b e0 00 f0         ");
    contains("xp /2i 0x7c00", "0x00007c05:  90 ");
#ifdef HAVE_ZYDIS
    contains("xp /2i 0x7c00", "nop");
#endif
}

static void memory_goes_to_files(void **state)
{
    char path[64], line[128];
    uint8_t got[16];
    snprintf(path, sizeof(path), "/tmp/coldboot-test-hmp-%d", (int)getpid());
    poke(0x2000, "0123456789abcdef", 16);
    snprintf(line, sizeof(line), "pmemsave 0x2000 16 \"%s\"", path);
    says(line, "");
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(got, 1, sizeof(got), f), 16);
    fclose(f);
    assert_memory_equal(got, "0123456789abcdef", 16);
    unlink(path);
    says("pmemsave 0 1 /nonexistent/file",
         "Error: Could not open '/nonexistent/file': No such file or directory\n");
    snprintf(line, sizeof(line), "pmemsave 0 0xffffffffffffffff %s", path);
    says(line, "Error: Parameter 'size' is too large\n");
    poke(0, "\1\2\3", 3);
    says("sum 0 3", "16388\n");
}

static uint64_t ports_read(void *dev, uint64_t off, unsigned size)
{
    return 0x18;
}

static uint64_t written;

static void ports_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    written = val << 8 | size;
}

static void ports_are_read_and_written(void **state)
{
    static const struct region_ops ops = {.read = ports_read, .write = ports_write, .width = 4};
    static struct region r;
    region_io(&r, "test", &ops, NULL, 4);
    region_map(&b->m.ports.root, &r, 0x64, 0);
    machine_commit(&b->m);
    says("i /1xb 0x64", "portb[0x0064] = 0x18\n");
    says("i /h 0x64", "portw[0x0064] = 0x0018\n");
    says("i /w 0x64", "portl[0x0064] = 0x00000018\n");
    says("i /b 0x70", "portb[0x0070] = 0xff\n");
    says("o /h 0x64 0x1234", "");
    assert_int_equal(written, 0x123402);
    region_unmap(&r);
    machine_commit(&b->m);
}

/* ---- info ------------------------------------------------------------------------------------ */

static void registers_look_as_tools_expect(void **state)
{
    x86_state_reset(&b->state, 0x663, false);
    contains("info registers", "\nCPU#0\nEAX=00000000 EBX=00000000 ECX=00000000 EDX=00000663\n");
    contains("info registers",
             "EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0\n");
    contains("info registers", "CS =f000 ffff0000 0000ffff ");
    contains("info registers", "CR0=60000010 CR2=00000000 CR3=00000000 CR4=00000000\n");
    contains("info registers -a", "CPU#0");
    says("info registers 7", "CPU#7 not available\n");
    b->state.efer = EFER_LME | EFER_LMA;
    b->state.seg[S_CS].attr |= AR_L;
    contains("info registers", "RAX=0000000000000000 RBX=");
    contains("info registers", "R12=");
}

static void info_tells_about_the_machine(void **state)
{
    says("info version", "coldboot test\n");
    says("info name", "box\n");
    says("info uuid", "5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a\n");
    says("info status", "VM status: paused (prelaunch)\n");
    says("info kvm", "kvm support: disabled\n");
    says("info memory_size_summary", "base memory: 1048576\nplugged memory: 0\n");
    says("info mem", "PG disabled\n");
    contains("info cpus", "* CPU #0: thread_id=");
    contains("info mtree -f", "0000000000000000-00000000000fffff (prio 0, ram): ram-low\n");
    contains("info mtree", "address-space: I/O\n");
    says("info pam", "This machine has no pam\n");
    says("info block", "floppy0: [not inserted]\n    Attached to:      bench\n"
                       "    Removable device: not locked, tray closed\n");
    contains("info int", "00: 0000:0000");
    contains("info boot", "real mode");
    contains("help", "system_reset");
    contains("help x", "x /fmt addr -- ");
    contains("info", "info registers");
}

/* ---- actions --------------------------------------------------------------------------------- */

static void the_machine_is_stopped_and_goes_on(void **state)
{
    says("cont", "");
    says("info status", "VM status: running\n");
    assert_int_equal(b->m.vcpus[0]->pause_wanted, false);
    contains("info registers", "EIP="); /* a look does not stop it */
    assert_int_equal(b->m.vcpus[0]->pause_wanted, false);
    says("stop", "");
    says("info status", "VM status: paused\n");
    assert_int_equal(b->m.vcpus[0]->state, VCPU_PAUSED);
    contains("p/x $eip", "0x");
    assert_int_equal(b->m.vcpus[0]->state, VCPU_PAUSED);
    says("quit", "");
    assert_int_equal(b->m.stop_request, CAUSE_HOST_QUIT);
}

static void keys_are_held_and_released_backwards(void **state)
{
    says("cont", "");
    says("sendkey ctrl-alt-delete 20", "");
    assert_string_equal(b->keys, "+1d +38 +d3 ");
    debug_bench_run(b, 60);
    assert_string_equal(b->keys, "+1d +38 +d3 -d3 -38 -1d ");
    says("sendkey foo", "invalid parameter: foo\n");
    says("sendkey a-zz", "invalid parameter: zz\n");
    says("sendkey a-b-c-d-e-f-g-h-i-j-k-l-m-n-o-p-q", "too many keys\n");
    contains("sendkey a -1", "hold-time must be");
    says("stop", "");
}

static void a_monitor_that_ends_lets_keys_go(void **state)
{
    says("sendkey a", "");
    assert_string_equal(b->keys, "+1e ");
    debug_free(b->debug);
    b->debug = NULL;
    assert_string_equal(b->keys, "+1e -1e ");
}

static void media_are_changed(void **state)
{
    char path[64], line[128];
    snprintf(path, sizeof(path), "/tmp/coldboot-test-hmp-%d", (int)getpid());
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(ftruncate(fileno(f), 1440 * 1024), 0);
    fclose(f);
    snprintf(line, sizeof(line), "change floppy0 %s raw", path);
    says(line, "");
    assert_non_null(b->medium);
    contains("info block", path);
    b->slot_locked = true;
    contains("eject floppy0", "is locked");
    says("eject -f floppy0", "");
    assert_null(b->medium);
    b->slot_locked = false;
    assert_int_equal(b->changes, 2);
    says("change floppy0 /nonexistent", "Error: open /nonexistent: No such file or directory\n");
    says("eject nope", "Error: Device 'nope' not found\n");
    unlink(path);
}

static void the_screen_is_saved_and_read(void **state)
{
    char path[64], line[128], got[32] = {0};
    says("screentext", "A:\\>\nab\n");
    b->has_text = false;
    says("screentext", "Error: The screen shows no text\n");
    snprintf(path, sizeof(path), "/tmp/coldboot-test-hmp-%d", (int)getpid());
    snprintf(line, sizeof(line), "screendump %s", path);
    says(line, "");
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(got, 1, sizeof(got), f), 17);
    fclose(f);
    unlink(path);
    assert_memory_equal(got, "P6\n2 1\n255\n\xff\0\0\0\0\xff", 17);
    snprintf(line, sizeof(line), "screendump %s -f gif", path);
    says(line, "Error: Parameter 'format' does not accept value 'gif'\n");
}

static void the_power_button_is_the_boards(void **state)
{
    says("system_powerdown", "");
    assert_int_equal(b->pressed, 1);
    says("system_reset", "");
    assert_int_equal(b->m.reset_request, CAUSE_HOST_RESET);
}

/* ---- the line -------------------------------------------------------------------------------- */

static const char *type(const char *keys)
{
    return debug_bench_send(b, keys, strlen(keys));
}

static void a_monitor_greets_and_prompts(void **state)
{
    hmp_new(b->debug, &b->line);
    assert_string_equal(text_str(&b->sent),
                        "coldboot test monitor - type 'help' for more information\r\n(qemu) ");
    assert_string_equal(type("info name\r\n"), "info name\r\nbox\r\n(qemu) ");
    assert_string_equal(type("\n"), "\r\n(qemu) ");
}

static void a_line_can_be_edited(void **state)
{
    hmp_new(b->debug, &b->line);
    assert_non_null(strstr(type("info namx\be\r"), "box"));
    assert_non_null(strstr(type("xyz\x15info name\r"), "box"));      /* Ctrl-U */
    assert_non_null(strstr(type("nfo name\x01i\r"), "box"));         /* Ctrl-A */
    assert_non_null(strstr(type("ifo name\033[H\033[Cn\r"), "box")); /* Home, right */
    assert_non_null(strstr(type("info xx\x17name\r"), "box"));       /* Ctrl-W */
    assert_non_null(
        strstr(type("info naame\033[D\033[D\033[D\033[3~\r"), "box")); /* left, Delete */
    type("\033[D\033[D\b\x04\x0b");                                    /* nothing to edit */
    assert_non_null(strstr(type("info name\r"), "box"));
}

static void the_history_brings_lines_back(void **state)
{
    hmp_new(b->debug, &b->line);
    type("info name\r");
    type("info kvm\r");
    assert_non_null(strstr(type("\033[A\033[A\r"), "box"));
    assert_non_null(strstr(type("\033[A\033[A\033[B\r"), "box"));
    for (unsigned i = 0; i < 200; i++) {
        char line[32];
        snprintf(line, sizeof(line), "p %u\r", i);
        type(line);
    }
    assert_non_null(strstr(type("\033[A\r"), "0xc7"));
}

static void tab_completes_commands(void **state)
{
    hmp_new(b->debug, &b->line);
    assert_non_null(strstr(type("screend\t"), "screendump "));
    type("\x15");
    assert_non_null(strstr(type("info regis\t"), "info registers "));
    type("\x15");
    const char *many = type("system_\t");
    assert_non_null(strstr(many, "system_reset\r\n"));
    assert_non_null(strstr(many, "system_powerdown\r\n"));
    type("\x15");
    assert_string_equal(type("nosuch\t"), "nosuch");
}

static void no_input_is_too_long_or_too_strange(void **state)
{
    hmp_new(b->debug, &b->line);
    char *junk = xcalloc(20000, 1);
    memset(junk, 'a', 19999);
    debug_bench_send(b, junk, 19999);
    type("\r");
    uint32_t x = 1;
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < 500; i++) {
            x = x * 1664525 + 1013904223;
            junk[i] = (char)(x >> 24);
            if (junk[i] == '\r' || junk[i] == '\n') {
                junk[i] = '\033'; /* editing, not commands: those may write files */
            }
        }
        debug_bench_send(b, junk, 500);
    }
    free(junk);
    type("\x15\r");
    assert_non_null(strstr(type("info name\r"), "box"));
}

/* Every command with arguments made of odd pieces: an answer, no crash. Commands that write files
 * or stop the test are left out. */
static void no_arguments_crash_a_command(void **state)
{
    static const char *const left_out[] = {"quit|q",  "pmemsave", "memsave",          "screendump",
                                           "logfile", "log",      "dump-guest-memory"};
    static const char *const pieces[] = {"0",
                                         "-1",
                                         "0xffffffffffffffff",
                                         "\"\"",
                                         "\"a b\"",
                                         "-f",
                                         "-a",
                                         "on",
                                         "/8xb",
                                         "$eip",
                                         "(",
                                         "'",
                                         "floppy0",
                                         "999999999999",
                                         "zz",
                                         "-",
                                         "%s%n"};
    uint32_t x = 7;
    for (const struct command *c = commands; c->name != NULL; c++) {
        bool skip = (c->where & (CMD_HMP | CMD_INFO)) == 0;
        for (unsigned i = 0; i < ARRAY_SIZE(left_out); i++) {
            skip |= strcmp(c->name, left_out[i]) == 0;
        }
        for (unsigned round = 0; round < 30 && !skip; round++) {
            char line[300];
            int at = snprintf(line, sizeof(line), "%s%.*s", c->where & CMD_INFO ? "info " : "",
                              (int)strcspn(c->name, "|"), c->name);
            for (unsigned n = 0; n < round % 5; n++) {
                x = x * 1664525 + 1013904223;
                at += snprintf(line + at, sizeof(line) - (size_t)at, " %s",
                               pieces[(x >> 16) % ARRAY_SIZE(pieces)]);
            }
            debug_bench_say(b, line);
        }
    }
    says("info name", "box\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_command_is_named),
        TEST(wrong_arguments_are_explained),
        TEST(expressions_follow_the_usual_rules),
        TEST(xp_shows_memory_in_columns),
        TEST(x_follows_the_page_tables),
        TEST(tables_that_map_themselves_end),
        TEST(code_is_shown_as_instructions),
        TEST(memory_goes_to_files),
        TEST(ports_are_read_and_written),
        TEST(registers_look_as_tools_expect),
        TEST(info_tells_about_the_machine),
        TEST(the_machine_is_stopped_and_goes_on),
        TEST(keys_are_held_and_released_backwards),
        TEST(a_monitor_that_ends_lets_keys_go),
        TEST(media_are_changed),
        TEST(the_screen_is_saved_and_read),
        TEST(the_power_button_is_the_boards),
        TEST(a_monitor_greets_and_prompts),
        TEST(a_line_can_be_edited),
        TEST(the_history_brings_lines_back),
        TEST(tab_completes_commands),
        TEST(no_input_is_too_long_or_too_strange),
        TEST(no_arguments_crash_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
