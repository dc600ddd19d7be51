/* The table of options and the handlers that many rows share. Help texts and docs come from it. */
#include "core/main/options_table.h"

#include "core/base/alloc.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

OPTION_HANDLER(opt_step)
{
    return script_add(&c->script, row->param, arg, 0, err);
}

OPTION_HANDLER(opt_time_limit)
{
    return parse_duration(arg, (int64_t *)((char *)c + row->param), err);
}

OPTION_HANDLER(opt_string)
{
    char **where = (char **)((char *)c + row->param);
    if (arg[0] == '\0') {
        return error_set(err, "the argument is empty");
    }
    if (*where != NULL) {
        return error_set(err, "was given before, as %s", *where);
    }
    *where = xstrdup(arg);
    return true;
}

/* May be empty; the last one counts. */
OPTION_HANDLER(opt_append)
{
    free(c->append);
    c->append = xstrdup(arg);
    return true;
}

OPTION_HANDLER(opt_set)
{
    *(bool *)((char *)c + row->param) = true;
    return true;
}

OPTION_HANDLER(opt_clear)
{
    *(bool *)((char *)c + row->param) = false;
    return true;
}

OPTION_HANDLER(opt_show)
{
    static void (*const shows[])(FILE *, const char *) = {
        [SHOW_HELP] = options_help,         [SHOW_VERSION] = options_version,
        [SHOW_MARKDOWN] = options_markdown, [SHOW_MAN] = options_man,
        [SHOW_COMPLETION] = options_completion,
    };
    c->show = shows[row->param];
    return true;
}

OPTION_HANDLER(opt_only)
{
    size_t len = strlen(arg);
    for (const char *p = row->only; p != NULL;
         p = strchr(p, '|') != NULL ? strchr(p, '|') + 1 : NULL) {
        if (strncmp(p, arg, len) == 0 && (p[len] == '|' || p[len] == '\0') && len > 0) {
            return true;
        }
    }
    return error_set(err, "is not supported yet; accepted: %s", row->only);
}

OPTION_HANDLER(opt_nothing)
{
    return true;
}

#define GROUP(text)                                                                                \
    {                                                                                              \
        NULL, NULL, NULL, NULL, 0, NULL, text                                                      \
    }
#define FIELD(name) offsetof(struct config, name)

const struct option_row option_rows[] = {
    GROUP("The machine"),
    {"machine", "M", "pc[,KEY=VALUE]", opt_machine, 0, NULL,
     "the machine; keys: accel=NAME[:NAME], smm=on|off, acpi=on|off, hpet=on|off, graphics=on|off, "
     "max-ram-below-4g=SIZE; \"help\" lists machines"},
    {"accel", NULL, "NAME[:NAME][,KEY=VALUE]", opt_accel, 0, NULL,
     "what runs the CPU: the first of the list that works here (may be repeated); tcg is the best "
     "software CPU; \"help\" lists them; default auto. Keys of jit: check=on|off (compare with the "
     "interpreter), perf=on|off (name translations for Linux perf)"},
    {"enable-kvm", NULL, NULL, opt_kvm, 0, NULL, "the same as -accel kvm"},
    {"cpu", NULL, "MODEL", opt_cpu, 0, NULL, "the CPU model; \"help\" lists them"},
    {"smp", NULL, "[cpus=]N[,maxcpus=N,sockets=N,cores=N,threads=N]", opt_smp, 0, NULL,
     "number of CPUs, 1 to 64; 1 if not given"},
    {"m", NULL, "[size=]N[K|M|G]", opt_memory, 0, NULL,
     "guest memory, 1M to 64G; a bare number is MiB; default 128"},
    {"bios", NULL, "FILE", opt_string, FIELD(bios), NULL,
     "the system BIOS (64, 128 or 256 KiB); default bios-256k.bin, then bios.bin"},
    {"L", NULL, "FOLDER", opt_bios_dir, 0, NULL,
     "where firmware is looked for first (may be repeated)"},
    {"rtc", NULL, "[base=]utc|localtime|DATE", opt_rtc, 0, NULL,
     "what the real time clock shows at the start; on the virtual clock default is 2026-01-01"},
    {"uuid", NULL, "UUID", opt_uuid, 0, NULL, "the machine's UUID"},
    {"name", NULL, "NAME", opt_name, 0, NULL, "a name for the machine"},
    {"fw_cfg", NULL, "[name=]NAME,string=TEXT|file=FILE", opt_fw_cfg, 0, NULL,
     "one more file for the guest to read from the firmware configuration device"},
    {"no-acpi", NULL, NULL, opt_clear, FIELD(acpi), NULL, "the same as -machine acpi=off"},
    {"nodefaults", NULL, NULL, opt_clear, FIELD(defaults), NULL,
     "no video card, serial and parallel port, floppy and CD drive but those that are asked for"},
    {"global", NULL, "isa-debugcon.iobase=PORT|isa-serial.line-time=on", opt_global, 0, NULL,
     "port of -debugcon; characters on serial lines take the time that the baud rate says; "
     "settings "
     "of other devices are accepted without effect"},

    GROUP("Media and booting"),
    {"fda", NULL, "FILE", opt_floppy, 0, NULL, "floppy image in drive A:"},
    {"fdb", NULL, "FILE", opt_floppy, 1, NULL, "floppy image in drive B:"},
    {"hda", NULL, "FILE", opt_disk, 0, NULL, "hard disk image, primary master"},
    {"hdb", NULL, "FILE", opt_disk, 1, NULL, "hard disk image, primary slave"},
    {"hdc", NULL, "FILE", opt_disk, 2, NULL, "hard disk image, secondary master"},
    {"hdd", NULL, "FILE", opt_disk, 3, NULL, "hard disk image, secondary slave"},
    {"cdrom", NULL, "FILE", opt_disk, 2, NULL, "CD image, secondary master"},
    {"drive", NULL, "[if=ide|floppy][,file=FILE][,index=N][,media=disk|cdrom]", opt_drive, 0, NULL,
     "a drive; further keys: bus=N, unit=N, format=raw, snapshot=on, readonly=on, id=NAME; a "
     "comma in a file name is written twice"},
    {"kernel", NULL, "FILE", opt_string, FIELD(kernel), NULL,
     "starts a Linux or multiboot 1 kernel without a boot medium"},
    {"initrd", NULL, "FILE", opt_string, FIELD(initrd), NULL,
     "its initial RAM disk; for a multiboot kernel the modules, FILE[ ARGUMENTS][,FILE...]"},
    {"append", NULL, "TEXT", opt_append, 0, NULL, "its command line"},
    {"snapshot", NULL, NULL, opt_set, FIELD(snapshot), NULL,
     "what the guest writes to images is forgotten at the end"},
    {"boot", NULL, "[order=]abcdn[,KEY=VALUE]", opt_boot, 0, NULL,
     "drives to boot from; keys: once=LETTERS, menu=on, strict=on, splash-time=MS, "
     "reboot-timeout=MS"},
    {"no-fd-bootchk", NULL, NULL, opt_clear, FIELD(floppy_check), NULL,
     "boot floppies without a boot signature, too"},

    {"flat", NULL, "[file=]FILE,addr=ADDRESS[,KEY=VALUE]", opt_flat, 0, NULL,
     "run a program without firmware: FILE is loaded to ADDRESS and started there in real mode; "
     "what it writes to ports 0x3f8 and 0xf1 is printed, HLT ends the run. Keys: ax, bx, cx, dx, "
     "si, di, bp, sp: registers; exits=N: end after N device accesses"},

    GROUP("Ports and devices"),
    {"serial", NULL, "BACKEND|mon:BACKEND|chardev:ID|none", opt_serial, 0, NULL,
     "what COM1 is connected to, given again COM2 and up to COM4; none: that port is not there; "
     "mon: a monitor shares the line, Ctrl-A h tells how; BACKEND: null, stdio, pty, file:PATH, "
     "pipe:PATH, unix:PATH, tcp:HOST:PORT, telnet:HOST:PORT, the last three with ,server=on|off "
     ",wait=on|off; default: one port, to null"},
    {"parallel", NULL, "BACKEND|chardev:ID|none", opt_parallel, 0, NULL,
     "where LPT1 prints to; none: there is no LPT1; default null"},
    {"debugcon", NULL, "BACKEND|chardev:ID", opt_debugcon, 0, NULL, "a debug console at port E9h"},
    {"chardev", NULL, "null|stdio|pty|file|pipe|socket,id=ID[,KEY=VALUE]", opt_chardev, 0, NULL,
     "a named back end for chardev:ID and chardev=ID; keys: path=, host=, port=, server=on|off, "
     "wait=on|off, telnet=on|off, mux=on|off (several users share it)"},
    {"monitor", NULL, "BACKEND|chardev:ID|none", opt_monitor, 0, NULL,
     "a monitor for people; \"help\" in it lists its commands"},
    {"qmp", NULL, "BACKEND|chardev:ID", opt_monitor, 1, NULL, "a monitor for programs: QMP"},
    {"qmp-pretty", NULL, "BACKEND|chardev:ID", opt_monitor, 3, NULL,
     "the same with indented answers"},
    {"mon", NULL, "[chardev=]ID[,mode=readline|control][,pretty=on|off]", opt_mon, 0, NULL,
     "a monitor on a -chardev; mode=control: QMP"},
    {"device", NULL, "NAME[,KEY=VALUE]", opt_device, 0, NULL,
     "an optional device; \"help\" lists them, \"NAME,help\" its keys"},

    GROUP("Screen and keyboard"),
    {"vga", NULL, "std|none", opt_vga, 0, NULL, "the video card"},
    {"display", NULL, "NAME", opt_display, 0, NULL,
     "who shows the screen; \"help\" lists them; default term in a terminal, else none"},
    {"vnc", NULL, "none", opt_vnc, 0, NULL, "no display: remote ones are not supported yet"},
    {"nographic", NULL, NULL, opt_set, FIELD(nographic), NULL,
     "no display; COM1 on the terminal unless -serial says otherwise"},
    {"k", NULL, "LAYOUT", opt_keyboard, 0, NULL, "keyboard layout for typed text; en-us"},

    GROUP("Running"),
    {"clock", NULL, "host|virtual[,insn=NS][,io=NS]", opt_clock, 0, NULL,
     "what time is for the guest: the host's, or a function of what it did (an instruction 30 ns, "
     "a device access 1000 ns): repeatable, and idle time costs nothing"},
    {"S", NULL, NULL, opt_set, FIELD(paused), NULL, "do not start the CPU"},
    {"gdb", NULL, "tcp:[HOST]:PORT|unix:PATH|BACKEND", opt_gdb, 0, NULL,
     "a server for gdb's `target remote`; without HOST only this host can connect"},
    {"s", NULL, NULL, opt_gdb, 0, NULL, "the same as -gdb tcp::1234"},
    {"no-reboot", NULL, NULL, opt_set, FIELD(action.no_reboot), NULL,
     "end instead of resetting the machine"},
    {"no-shutdown", NULL, NULL, opt_set, FIELD(action.no_shutdown), NULL,
     "stop instead of ending when the guest powers off"},
    {"action", NULL, "reboot=reset|shutdown,shutdown=poweroff|pause,panic=ACTION", opt_action, 0,
     NULL,
     "the same two as keys, and what a guest's panic does: shutdown, exit-failure, pause or none"},
    {"pidfile", NULL, "FILE", opt_string, FIELD(pidfile), NULL,
     "write the process number to a file"},

    GROUP("Messages"),
    {"d", NULL, "ITEM[,ITEM]", opt_log, 0, NULL, "log items; \"help\" lists them"},
    {"D", NULL, "FILE", opt_string, FIELD(log_path), NULL, "where -d and -trace write"},
    {"trace", NULL, "[enable=]PATTERN[,file=FILE][,format=text|json]", opt_trace, 0, NULL,
     "trace points by shell pattern; \"help\" lists them"},
    {"version", "V", NULL, opt_show, SHOW_VERSION, NULL, "the version and what is built in"},
    {"help", "h", NULL, opt_show, SHOW_HELP, NULL, "this text"},
    {"help-markdown", NULL, NULL, opt_show, SHOW_MARKDOWN, NULL, "this text for docs/options.md"},
    {"help-man", NULL, NULL, opt_show, SHOW_MAN, NULL, "the manual page; make install puts it"},
    {"help-completion", NULL, NULL, opt_show, SHOW_COMPLETION, NULL,
     "completion for bash; make install puts it, too"},

    GROUP("Automation (also: coldboot expect SCRIPT -- OPTIONS)"),
    {"expect", NULL, "TEXT", opt_step, STEP_WAIT, NULL, "wait until TEXT is on the screen"},
    {"expect-prompt", NULL, "TEXT", opt_step, STEP_WAIT_PROMPT, NULL,
     "wait until TEXT stands left of the cursor, on a screen that the last input changed"},
    {"expect-still", NULL, "TIME", opt_step, STEP_WAIT_STILL, NULL,
     "wait until the screen has not changed for TIME"},
    {"expect-serial", NULL, "TEXT", opt_step, STEP_WAIT_SERIAL, NULL,
     "wait until COM1 has sent TEXT"},
    {"type", NULL, "TEXT", opt_step, STEP_TYPE, NULL,
     "type; \\n is Enter, <F1> and <C-A-Del> are keys"},
    {"key", NULL, "NAME[-NAME]", opt_step, STEP_KEY, NULL, "press keys together: ctrl-alt-delete"},
    {"mouse", NULL, "DX DY[ WHEEL]", opt_step, STEP_MOUSE, NULL,
     "move the mouse right and down (less than 0: left and up), turn its wheel"},
    {"click", NULL, "BUTTON", opt_step, STEP_CLICK, NULL,
     "click left, middle or right (1, 2, 3), side or extra"},
    {"press", NULL, "BUTTON", opt_step, STEP_PRESS, NULL, "hold a button of the mouse"},
    {"release", NULL, "BUTTON", opt_step, STEP_RELEASE, NULL, "let a button of the mouse go"},
    {"sleep", NULL, "TIME", opt_step, STEP_SLEEP, NULL,
     "let TIME of the guest's clock pass: 2s, 500ms"},
    {"screenshot", NULL, "FILE", opt_step, STEP_SCREENSHOT, NULL,
     "save the screen as PNG (.ppm: PPM)"},
    {"screentext", NULL, "FILE", opt_step, STEP_SCREENTEXT, NULL,
     "save the text screen as UTF-8; - is standard output"},
    {"fail-if", NULL, "TEXT", opt_step, STEP_FAIL_IF, NULL,
     "fail as soon as TEXT is on the screen"},
    {"timeout", NULL, "TIME", opt_time_limit, FIELD(script.limit_ns), NULL,
     "limit of each step in guest time, default 60s; alone: end with status 4 unless the guest "
     "powers off before"},
    {"host-timeout", NULL, "TIME", opt_time_limit, FIELD(host_limit_ns), NULL,
     "limit of a whole script in host time, default 300s"},
    {"digest", NULL, NULL, opt_set, FIELD(digest), NULL,
     "print a hash of the final state, the instruction count and the virtual time"},

    GROUP("Accepted without effect"),
    {"seed", NULL, "N", opt_seed, 0, NULL, "the machine draws no random numbers"},
    {"net", NULL, "none", opt_only, 0, "none", "there is no network card yet"},
    {"nic", NULL, "none", opt_only, 0, "none", "there is no network card yet"},
    {"msg", NULL, "ANY", opt_nothing, 0, NULL, "form of messages"},
    {"no-hpet", NULL, NULL, opt_clear, FIELD(hpet), NULL, "the same as -machine hpet=off"},
    {"no-user-config", NULL, NULL, opt_nothing, 0, NULL, "no configuration file is ever read"},
    {"overcommit", NULL, "ANY", opt_nothing, 0, NULL, "host memory policy"},
    {"compat", NULL, "ANY", opt_nothing, 0, NULL, "QEMU's interface policy"},
    {NULL, NULL, NULL, NULL, 0, NULL, NULL},
};

static const char no_net[] = "the network is not supported yet";
static const char no_saving[] = "saved machines are not supported yet";

const struct refused_row refused_rows[] = {
    {"blockdev", "use -drive"},
    {"netdev", no_net},
    {"loadvm", no_saving},
    {"incoming", no_saving},
    {"dtb", "PCs have no device trees"},
    {"option-rom", "option ROMs cannot be added yet"},
    {"pflash", "flash drives are not supported yet; -bios takes a file"},
    {"usb", "USB is not supported yet"},
    {"usbdevice", "USB is not supported yet"},
    {"audio", "sound is not supported yet"},
    {"audiodev", "sound is not supported yet"},
    {"daemonize", "running in the background is not supported"},
    {"icount", "use -clock virtual,insn=NS"},
    {"full-screen", "there is no window yet"},
    {"curses", "use -display term"},
    {"sdl", "there is no window yet"},
    {"smbios", "SMBIOS texts cannot be changed yet"},
    {"acpitable", "ACPI tables cannot be added yet"},
    {"numa", "memory nodes are not supported"},
    {"object", "objects are not supported"},
    {"readconfig", "configuration files are not supported"},
    {"sandbox", "there is no sandbox yet"},
    {NULL, NULL},
};
