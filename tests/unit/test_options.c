/* The command line: what is accepted and what it means, what is refused and with which words. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/cpu/cpuid.h"
#include "core/main/image_kind.h"
#include "core/main/nearest.h"
#include "core/base/log.h"
#include "core/main/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_WORDS 64

/* Splits @line at blanks and parses it. */
static bool parse(struct config *c, const char *line, struct error **err)
{
    char *copy = strdup(line), *save = NULL, *argv[MAX_WORDS] = {copy};
    int argc = 1;
    for (char *w = strtok_r(copy, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save)) {
        argv[argc++] = w;
    }
    bool ok = options_parse(c, argc, argv, err);
    free(copy);
    return ok;
}

static void accepted(struct config *c, const char *line)
{
    struct error *err = NULL;
    if (!parse(c, line, &err)) {
        fail_msg("\"%s\": %s", line, error_text(err));
    }
}

static void refused(const char *line, const char *reason)
{
    struct config c;
    struct error *err = NULL;
    if (parse(&c, line, &err)) {
        config_free(&c);
        fail_msg("\"%s\" was accepted", line);
    }
    if (strstr(error_text(err), reason) == NULL) {
        fail_msg("\"%s\" is refused with \"%s\", not with \"%s\"", line, error_text(err), reason);
    }
    assert_null(strchr(error_text(err), '\n'));
    error_free(err);
}

/* ---- defaults and forms ---------------------------------------------------------------------- */

static void without_options_it_is_a_pc_of_128_mib(void **state)
{
    struct config c;
    accepted(&c, "");
    assert_int_equal(c.ram_bytes, 128 << 20);
    assert_true(c.acpi && c.smm && c.graphics && c.defaults && c.vga && c.floppy_check);
    assert_int_equal(c.clock, CLOCK_HOST_DRIVEN);
    assert_int_equal(c.n_accels, 1);
    assert_string_equal(c.accels[0], "auto");
    assert_string_equal(c.display, "none"); /* the test runner's input is no terminal */
    assert_int_equal(c.script.n, 0);
    config_free(&c);
}

static void a_guests_panic_has_four_outcomes(void **state)
{
    struct config c;
    accepted(&c, "-m 64");
    assert_int_equal(c.action.panic, PANIC_SHUTDOWN);
    config_free(&c);
    accepted(&c, "-action panic=exit-failure,reboot=shutdown");
    assert_int_equal(c.action.panic, PANIC_EXIT_FAILURE);
    assert_true(c.action.no_reboot);
    config_free(&c);
    accepted(&c, "-action panic=none");
    assert_int_equal(c.action.panic, PANIC_NONE);
    config_free(&c);
    refused("-action panic=run", "is none of shutdown, exit-failure, pause, none");
}

static void options_take_one_or_two_dashes(void **state)
{
    struct config c;
    accepted(&c, "--m 64 -machine pc --no-reboot");
    assert_int_equal(c.ram_bytes, 64 << 20);
    assert_true(c.action.no_reboot);
    config_free(&c);
}

static void an_unknown_option_is_refused_with_the_nearest_that_exists(void **state)
{
    refused("-dispaly none",
            "-dispaly: there is no such option; the nearest that exists is -display");
    refused("-snapshto", "-snapshot");
    refused("-m", "-m: needs an argument");
    refused("-blockdev x", "-blockdev: use -drive");
    refused("a.img b.img", "b.img: one image can be given without an option, and a.img is it");
}

/* ---- the machine ----------------------------------------------------------------------------- */

static void memory_is_a_size_from_1_mib_to_64_gib(void **state)
{
    static const struct {
        const char *line;
        uint64_t bytes;
    } good[] = {
        {"-m 1", 1ull << 20}, {"-m 64M", 64ull << 20}, {"-m size=2G", 2ull << 30},
        {"-m 64G", 64ull << 30},
        {"-m 1024K", 1ull << 20}, {"-m 1.5G", 1536ull << 20},
    };
    struct config c;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        accepted(&c, good[i].line);
        assert_int_equal(c.ram_bytes, good[i].bytes);
        config_free(&c);
    }
    refused("-m 0", "memory must be 1M to 64G");
    refused("-m 1023K", "memory must be 1M to 64G");
    refused("-m 65G", "memory must be 1M to 64G");
    refused("-m 99999999999999999999", "-m 99999999999999999999: ");
    refused("-m many", "-m many: ");
    refused("-m -5", "-m -5: ");
    refused("-m 64,slots=2", "slots");
}

static void machine_keys_are_those_of_the_pc(void **state)
{
    struct config c;
    accepted(
        &c, "-M pc,smm=off,acpi=off,graphics=off,max-ram-below-4g=2G,usb=off,hpet=off,vmport=auto");
    assert_false(c.smm || c.acpi || c.graphics);
    assert_int_equal(c.low_max, 2ull << 30);
    config_free(&c);
    accepted(&c, "-machine accel=tcg:interp -M pc-i440fx-7.2");
    assert_int_equal(c.n_accels, 2);
    config_free(&c);
    refused("-M q35", "there is no machine \"q35\"");
    accepted(&c, "-M pc,hpet=on");
    assert_true(c.hpet);
    config_free(&c);
    accepted(&c, "-no-hpet");
    assert_false(c.hpet);
    config_free(&c);
    refused("-M pc,pit=off", "pit: this machine always has it");
    refused("-M pc,colour=red", "colour");
    refused("-M pc,acpi=maybe", "acpi");
    refused("-M pc,max-ram-below-4g=4G", "max-ram-below-4g: 4G is not in 1M..3584M");
}

static void accelerators_are_a_list_to_try(void **state)
{
    struct config c;
    accepted(&c, "-accel kvm -accel tcg,thread=single");
    assert_int_equal(c.n_accels, 2);
    assert_string_equal(c.accels[0], "kvm");
    assert_string_equal(c.accels[1], "tcg");
    config_free(&c);
    accepted(&c, "-accel xen:kvm:interp");
    assert_int_equal(c.n_accels, 3);
    config_free(&c);
    refused("-accel kmv", "there is no accelerator \"kmv\"");
    refused("-accel ,", "-accel ,: ");
}

static void cpu_and_smp_name_what_exists(void **state)
{
    struct config c;
    accepted(&c, "-cpu pentium -smp 1,sockets=1,cores=1");
    assert_string_equal(c.cpu, "pentium");
    config_free(&c);
    refused("-cpu pentuim", "the nearest that exists is pentium");
    accepted(&c, "-cpu pentium,-tsc,+pge,lahf_lm=on,cx8=off");
    assert_false(x86_has(c.cpu_model, X86_F_TSC) || x86_has(c.cpu_model, X86_F_CX8));
    assert_true(x86_has(c.cpu_model, X86_F_PGE) && x86_has(c.cpu_model, X86_F_LAHF64));
    assert_true(x86_has(c.cpu_model, X86_F_VME));
    config_free(&c);
    refused("-cpu pentium,+no", "\"no\" is no CPU feature");
    refused("-cpu pentium,+3dnow", "the software CPU does not have \"3dnow\"");
    refused("-cpu pentium,tsc=maybe", "\"tsc=maybe\" is neither on nor off");
    refused("-smp 0", "-smp 0: cpus: 0 is not in 1..64");
    refused("-smp 65", "-smp 65: cpus: 65 is not in 1..64");
    refused("-smp sockets=9,cores=8", "72 CPUs: this machine has at most 64");
    refused("-smp 4,maxcpus=2", "more CPUs (4) than maxcpus (2)");
    refused("-smp 4,sockets=3", "3 places for 4 CPUs");
}

static void vnc_none_is_a_machine_without_a_window(void **state)
{
    struct config c;
    accepted(&c, "-vnc none");
    assert_string_equal(c.display, "none");
    config_free(&c);
    refused("-vnc :0", "remote displays are not supported yet");
}

static void a_models_vendor_can_be_changed(void **state)
{
    struct config c;
    accepted(&c, "-cpu max,vendor=GenuineIntel,-sha-ni");
    assert_string_equal(c.cpu_model->vendor, "GenuineIntel");
    config_free(&c);
    refused("-cpu max,vendor=Zilog", "vendor: \"Zilog\" is neither GenuineIntel nor AuthenticAMD");
}

static void smp_counts_cpus_as_sockets_times_cores_times_threads(void **state)
{
    static const struct {
        const char *args;
        unsigned cpus, max, cores, threads;
    } cases[] = {
        {"-smp 2", 2, 2, 1, 1},
        {"-smp 2,maxcpus=4", 2, 4, 1, 1},
        {"-smp cores=2,threads=2", 4, 4, 2, 2},
        {"-smp cpus=3,maxcpus=4,sockets=2,cores=2", 3, 4, 2, 1},
        {"-smp maxcpus=8", 8, 8, 1, 1},
        {"-smp 4,sockets=2,maxcpus=4", 4, 4, 2, 1},
        {"-smp 8,cores=2", 8, 8, 2, 1},
        {"-smp 8,sockets=1,cores=4", 8, 8, 4, 2},
        {"-smp 8,sockets=2,threads=2", 8, 8, 2, 2},
        {"-smp sockets=1,dies=2,cores=3", 6, 6, 6, 1},
        {"-smp 64,cores=8,threads=2", 64, 64, 8, 2},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config c;
        accepted(&c, cases[i].args);
        assert_int_equal(c.cpus, cases[i].cpus);
        assert_int_equal(c.max_cpus, cases[i].max);
        assert_int_equal(c.cores, cases[i].cores);
        assert_int_equal(c.threads, cases[i].threads);
        config_free(&c);
    }
}

static void time_can_be_chosen(void **state)
{
    struct config c;
    accepted(&c, "-rtc base=2006-06-17T16:01:21,clock=vm");
    assert_int_equal(c.rtc_base, RTC_DATE);
    assert_int_equal(c.rtc_date_s, 1150560081);
    config_free(&c);
    accepted(&c, "-clock virtual,insn=10,io=0");
    assert_int_equal(c.clock, CLOCK_VIRTUAL);
    assert_int_equal(c.insn_ns, 10);
    assert_int_equal(c.io_ns, 0);
    config_free(&c);
    refused("-rtc base=yesterday", "\"yesterday\" is none of utc");
    refused("-rtc base=2006-06-17T16:01:21Z", "is none of");
    refused("-rtc base=1066-01-01", "the year must be");
    refused("-clock host,insn=5", "rates belong to the virtual clock");
    refused("-clock virtual,insn=0", "insn");
    refused("-clock solar", "there is no clock \"solar\"");
}

static void identity_has_a_strict_form(void **state)
{
    struct config c;
    accepted(&c, "-uuid 00112233-4455-6677-8899-AABBCCddeeff -name guest=box,process=p");
    assert_int_equal(c.uuid[0], 0x00);
    assert_int_equal(c.uuid[15], 0xff);
    assert_string_equal(c.name, "box");
    config_free(&c);
    refused("-uuid 00112233-4455-6677-8899-aabbccddeefg", "a UUID has the form");
    refused("-uuid 0011", "a UUID has the form");
}

static void boot_letters_come_once(void **state)
{
    struct config c;
    accepted(&c, "-boot order=ca,once=d,menu=on,strict=on,splash-time=500,reboot-timeout=0");
    assert_string_equal(c.boot_order, "ca");
    assert_string_equal(c.boot_once, "d");
    assert_true(c.boot_menu && c.boot_strict);
    assert_int_equal(c.boot_splash_ms, 500);
    assert_int_equal(c.boot_retry_ms, 0);
    config_free(&c);
    refused("-boot x", "'x' is none of a, b, c, d, n");
    refused("-boot aa", "'a' comes twice");
    refused("-boot once=", "once: no letter is given");
    refused("-drive foo=1", "foo");
    refused("-boot a,splash-time=70000", "splash-time");
}

static void fw_cfg_items_have_one_source(void **state)
{
    struct config c;
    accepted(&c, "-fw_cfg name=opt/x,string=hello -fw_cfg opt/y,file=/dev/null");
    assert_int_equal(c.n_fw_cfg, 2);
    assert_int_equal(c.fw_cfg[0].bytes, 5);
    assert_int_equal(c.fw_cfg[1].bytes, 0);
    config_free(&c);
    refused("-fw_cfg name=opt/x", "one of string= and file= is needed");
    refused("-fw_cfg name=opt/x,string=a,file=b", "one of string= and file= is needed");
    refused("-fw_cfg name=opt/x,file=/nonexistent", "/nonexistent: No such file");
}

/* ---- media and devices ----------------------------------------------------------------------- */

static void disks_and_cds_have_places(void **state)
{
    struct config c;
    accepted(&c, "-hda a.img -cdrom c.iso -drive file=b.img -drive if=ide,media=cdrom,readonly=on");
    assert_string_equal(c.disk[0].path, "a.img");
    assert_string_equal(c.disk[1].path, "b.img");
    assert_true(c.disk[2].cd && c.disk[2].read_only && !c.disk[0].cd);
    assert_true(c.disk[3].given && c.disk[3].cd && c.disk[3].path == NULL);
    config_free(&c);
    accepted(&c, "-drive file=a,bus=1,unit=1 -drive index=1,file=b");
    assert_string_equal(c.disk[3].path, "a");
    assert_string_equal(c.disk[1].path, "b");
    config_free(&c);
    refused("-hda a -hda b", "the primary master (index=0) is already a");
    refused("-cdrom a -hdc b", "the secondary master (index=2) is already a");
    refused("-drive file=a,index=1,unit=1", "index=");
    refused("-drive file=a,index=4", "index");
    refused("-drive media=disk", "a hard disk needs one");
}

static void floppies_have_drives(void **state)
{
    struct config c;
    accepted(&c, "-fda a.img -drive "
                 "if=floppy,index=1,file=b,,c.img,format=raw,snapshot=on,readonly=on -snapshot");
    assert_string_equal(c.floppy[0].path, "a.img");
    assert_string_equal(c.floppy[1].path, "b,c.img");
    assert_true(c.floppy[1].snapshot && c.floppy[1].read_only && c.snapshot);
    config_free(&c);
    refused("-fda a -drive if=floppy,file=b", "drive A: already holds a");
    refused("-drive if=virtio,file=x", "if=virtio");
    refused("-drive if=floppy,index=2,file=x", "index");
    refused("-drive if=floppy,file=x,format=qcow2", "format=qcow2: only raw");
    refused("-drive if=floppy,file=x,media=cdrom", "media=cdrom");
    refused("-drive if=floppy,file=x,colour=red", "colour");
}

static void devices_are_known_by_name(void **state)
{
    struct config c;
    accepted(&c, "-device isa-debug-exit,iobase=0xf4,iosize=4 -device coldboot-exit");
    assert_int_equal(c.n_devices, 2);
    config_free(&c);
    accepted(&c, "-device isa-debug-exit,help");
    assert_non_null(c.show);
    config_free(&c);
    refused("-device isa-debug-exti", "the nearest that exists is isa-debug-exit");
}

static void character_devices_are_known_by_name(void **state)
{
    struct config c;
    accepted(&c, "-chardev file,id=log,path=/tmp/x -serial chardev:log -debugcon null");
    assert_string_equal(config_chardev(&c, c.serials[0], NULL), "file:/tmp/x");
    config_free(&c);
    accepted(&c, "-serial none -serial null -serial file:/tmp/x");
    assert_int_equal(c.n_serials, 3);
    assert_string_equal(c.serials[0], "none");
    assert_string_equal(c.serials[1], "null");
    assert_string_equal(c.serials[2], "file:/tmp/x");
    config_free(&c);
    accepted(&c, "-parallel file:/tmp/x");
    assert_string_equal(c.parallel, "file:/tmp/x");
    config_free(&c);
    refused("-parallel null -parallel null", "was given before");
    refused("-parallel chardev:nobody", "-parallel");
    refused("-serial null -serial chardev:nobody", "-serial");
    refused("-mon nobody", "-mon nobody: there is no -chardev");
    refused("-qmp chardev:nobody", "-qmp chardev:nobody: there is no -chardev");
    refused("-serial stdio,signal=perhaps", "neither on nor off");
    refused("-serial chardev:lgo -chardev null,id=log", "there is no -chardev with id=lgo");
    refused("-serial vc", "there is no character device");
    refused("-serial file:", "nothing after the colon");
    refused("-serial null -serial null -serial null -serial null -serial null",
            "more than 4 serial ports");
    refused("-chardev null", "id= is needed");
    refused("-chardev null,id=a -chardev null,id=a", "id=a: is taken");
    refused("-chardev file,id=a", "file needs path=");
}

static void the_terminal_has_one_owner(void **state)
{
    struct config c;
    accepted(&c, "-nographic");
    assert_string_equal(c.serials[0], "chardev:serial0"); /* shared with the monitor */
    assert_string_equal(c.display, "none");
    assert_false(c.graphics);
    config_free(&c);
    accepted(&c, "-chardev stdio,id=a,signal=off -serial chardev:a");
    assert_string_equal(c.chardevs[0].spec, "stdio,signal=off");
    config_free(&c);
    accepted(&c, "-s -S -serial stdio,signal=off");
    assert_true(c.monitors[0].gdb);
    assert_string_equal(c.monitors[0].spec, "tcp::1234,server=on,wait=off");
    config_free(&c);
    refused("-serial stdio,signal=off -debugcon stdio", "something else uses the terminal");
    refused("-serial stdio -serial stdio", "something else uses the terminal");
    refused("-parallel stdio -serial null -serial stdio", "something else uses the terminal");
    refused("-serial stdio -debugcon stdio", "something else uses the terminal");
    refused("-serial stdio -display term", "something else uses the terminal");
    refused("-nographic -display term", "contradicts -display term");
    refused("-chardev stdio,id=a -serial stdio -device isa-debugcon,chardev=a",
            "something else uses the terminal");
}

static void displays_and_cards_are_known_by_name(void **state)
{
    struct config c;
    accepted(&c, "-display none -vga std -k en-us -nodefaults");
    assert_true(c.vga);
    config_free(&c);
    accepted(&c, "-nodefaults");
    assert_false(c.vga);
    config_free(&c);
    refused("-display gtk", "there is no display \"gtk\"");
    refused("-vga cirrus", "there is no video card \"cirrus\"");
    refused("-k xx", "-k xx: ");
}

static void messages_are_chosen_by_item(void **state)
{
    struct config c;
    accepted(&c, "-d guest_errors,unimp,trace:i8254_* -trace enable=x*,file=t.log");
    assert_int_equal(c.log_classes, LOG_GUEST | LOG_UNIMP);
    assert_int_equal(c.n_traces, 2);
    assert_string_equal(c.log_path, "t.log");
    config_free(&c);
    refused("-d gest_errors", "the nearest that exists is guest_errors");
}

static void harmless_options_are_accepted(void **state)
{
    struct config c;
    accepted(&c,
             "-global kvm-pit.lost_tick_policy=discard -msg timestamp=on -no-user-config -net none "
             "-parallel none -monitor none -no-hpet -seed 5 -overcommit mem-lock=off");
    config_free(&c);
    accepted(&c, "-global isa-debugcon.iobase=0x402 -debugcon null");
    assert_int_equal(c.debugcon_port, 0x402);
    config_free(&c);
    refused("-net user", "is not supported yet; accepted: none");
    refused("-global isa-debugcon.iobase=0x10000", "iobase must be a port");
    refused("-global nonsense", "the form is DEVICE.KEY=VALUE");
    refused("-global device=1.5", "the form is DEVICE.KEY=VALUE");
}

/* ---- automation ------------------------------------------------------------------------------ */

static void short_forms_make_a_script_in_their_order(void **state)
{
    struct config c;
    accepted(&c, "--expect A:\\> --type dir\\n --screenshot f.png --timeout 5s");
    assert_int_equal(c.script.n, 3);
    assert_int_equal(c.script.steps[0].kind, STEP_WAIT);
    assert_int_equal(c.script.steps[1].kind, STEP_TYPE);
    assert_int_equal(c.script.steps[2].kind, STEP_SCREENSHOT);
    assert_int_equal(c.script.limit_ns, 5 * NS_PER_SEC);
    assert_int_equal(c.clock, CLOCK_VIRTUAL);
    config_free(&c);
}

static void a_timeout_alone_waits_for_power_off(void **state)
{
    struct config c;
    accepted(&c, "--timeout 5s");
    assert_int_equal(c.script.n, 1);
    assert_int_equal(c.script.steps[0].kind, STEP_WAIT_OFF);
    config_free(&c);
}

static void scripts_and_digests_run_on_the_virtual_clock(void **state)
{
    struct config c;
    accepted(&c, "--digest");
    assert_int_equal(c.clock, CLOCK_VIRTUAL);
    config_free(&c);
    accepted(&c, "--digest -clock host");
    assert_int_equal(c.clock, CLOCK_HOST_DRIVEN);
    config_free(&c);
    refused("--expect x -clock host",
            "-clock host: scripts and --expect run on the virtual clock only");
    refused("--expect x -S", "-S: a script would wait for ever");
    refused("--type <NoKey>", "-type <NoKey>: no key is called");
}

static void expect_takes_a_script_in_front_of_the_options(void **state)
{
    struct config c;
    char path[] = "/tmp/coldboot-script-XXXXXX", line[200];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "wait x\nkey ret\n", 15), 15);
    close(fd);
    snprintf(line, sizeof(line), "expect %s -- -m 16 a.img", path);
    accepted(&c, line);
    assert_int_equal(c.script.n, 2);
    assert_int_equal(c.ram_bytes, 16 << 20);
    assert_string_equal(c.image, "a.img");
    config_free(&c);
    unlink(path);
    refused("expect", "expect: needs a script");
    refused("expect -m 16", "expect: needs a script");
    refused("expect /nonexistent -- a.img", "expect /nonexistent: open: No such file");
}

/* ---- helpers --------------------------------------------------------------------------------- */

static void edit_distance_counts_single_changes(void **state)
{
    assert_int_equal(edit_distance("", ""), 0);
    assert_int_equal(edit_distance("abc", "abc"), 0);
    assert_int_equal(edit_distance("abc", "ab"), 1);
    assert_int_equal(edit_distance("abc", "xabc"), 1);
    assert_int_equal(edit_distance("abc", "acb"), 1);
    assert_int_equal(edit_distance("kitten", "sitting"), 3);
    char longer[200];
    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_int_equal(edit_distance(longer, "a"), 1000);
}

/* Writes @len bytes of an image with @signature at byte 510 and, if asked, an ISO 9660 volume. */
static enum image_kind kind_of(size_t len, uint16_t signature, bool iso)
{
    char path[] = "/tmp/coldboot-image-XXXXXX";
    enum image_kind kind = IMAGE_DISK;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)len), 0);
    assert_int_equal(pwrite(fd, &signature, 2, 510), 2);
    if (iso) {
        assert_int_equal(pwrite(fd, "CD001", 5, 0x8001), 5);
    }
    close(fd);
    bool ok = image_kind(path, &kind, NULL);
    unlink(path);
    assert_true(ok);
    return kind;
}

static void a_plain_image_goes_where_it_belongs(void **state)
{
    struct error *err = NULL;
    enum image_kind kind;
    assert_int_equal(kind_of(512, 0xaa55, false), IMAGE_FLOPPY);
    assert_int_equal(kind_of(1440 * 1024, 0xaa55, false), IMAGE_FLOPPY);
    assert_int_equal(kind_of(1440 * 1024, 0, false), IMAGE_DISK);
    assert_int_equal(kind_of(3 << 20, 0xaa55, false), IMAGE_DISK);
    assert_int_equal(kind_of(3 << 20, 0, true), IMAGE_CD);
    assert_int_equal(kind_of(3 << 20, 0xaa55, true), IMAGE_DISK); /* isohybrid */
    assert_false(image_kind("/nonexistent", &kind, &err));
    error_free(err);
    err = NULL;
    assert_false(image_kind("/tmp", &kind, &err));
    assert_string_equal(error_text(err), "/tmp: is no file with an image");
    error_free(err);
    assert_false(image_kind("/dev/null", &kind, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_options_it_is_a_pc_of_128_mib),
        cmocka_unit_test(options_take_one_or_two_dashes),
        cmocka_unit_test(a_guests_panic_has_four_outcomes),
        cmocka_unit_test(an_unknown_option_is_refused_with_the_nearest_that_exists),
        cmocka_unit_test(memory_is_a_size_from_1_mib_to_64_gib),
        cmocka_unit_test(machine_keys_are_those_of_the_pc),
        cmocka_unit_test(accelerators_are_a_list_to_try),
        cmocka_unit_test(cpu_and_smp_name_what_exists),
        cmocka_unit_test(vnc_none_is_a_machine_without_a_window),
        cmocka_unit_test(a_models_vendor_can_be_changed),
        cmocka_unit_test(smp_counts_cpus_as_sockets_times_cores_times_threads),
        cmocka_unit_test(time_can_be_chosen),
        cmocka_unit_test(identity_has_a_strict_form),
        cmocka_unit_test(boot_letters_come_once),
        cmocka_unit_test(fw_cfg_items_have_one_source),
        cmocka_unit_test(floppies_have_drives),
        cmocka_unit_test(disks_and_cds_have_places),
        cmocka_unit_test(devices_are_known_by_name),
        cmocka_unit_test(character_devices_are_known_by_name),
        cmocka_unit_test(the_terminal_has_one_owner),
        cmocka_unit_test(displays_and_cards_are_known_by_name),
        cmocka_unit_test(messages_are_chosen_by_item),
        cmocka_unit_test(harmless_options_are_accepted),
        cmocka_unit_test(short_forms_make_a_script_in_their_order),
        cmocka_unit_test(a_timeout_alone_waits_for_power_off),
        cmocka_unit_test(scripts_and_digests_run_on_the_virtual_clock),
        cmocka_unit_test(expect_takes_a_script_in_front_of_the_options),
        cmocka_unit_test(edit_distance_counts_single_changes),
        cmocka_unit_test(a_plain_image_goes_where_it_belongs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
