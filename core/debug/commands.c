/* The table of commands. Names, arguments and answers are QEMU's where it has the command. */
#include "core/debug/commands.h"

/* clang-format off: a table */

#define FMT       {"fmt", ARG_FORMAT, false, 0}
#define REQ(n, t) {n, t, false, 0}
#define OPT(n, t) {n, t, true, 0}
#define OPTION(n, t, letter) {n, t, true, letter}

#define NO_ARGS {{NULL, 0, false, 0}}

#define INFO(name, help, run) {name, CMD_INFO, NULL, help, run, NO_ARGS}
#define QUERY(name, run)      {name, CMD_QMP, NULL, NULL, run, NO_ARGS}

static bool nothing(struct command_call *c, struct error **err)
{
    return true;
}

const struct command commands[] = {
    /* the human monitor itself */
    {"help|?", CMD_HMP, "[cmd]", "show the help of all commands or of one",
     cmd_help, {OPT("name", ARG_REST)}},
    {"info", CMD_HMP, "[subcommand]", "show what is asked for; alone: a list", cmd_info, NO_ARGS},
    {"cpu", CMD_HMP, "index", "choose the CPU that other commands look at",
     cmd_cpu, {REQ("index", ARG_INT)}},

    /* the machine as a whole */
    {"quit|q", CMD_BOTH, NULL, "end the machine", cmd_quit, NO_ARGS},
    {"stop|s", CMD_BOTH, NULL, "let the machine stand still", cmd_stop, NO_ARGS},
    {"cont|c", CMD_BOTH, NULL, "let it go on", cmd_cont, NO_ARGS},
    {"system_reset", CMD_BOTH, NULL, "reset the machine", cmd_reset, NO_ARGS},
    {"system_powerdown", CMD_BOTH, NULL, "press the power button (ACPI)", cmd_powerdown, NO_ARGS},
    {"nmi", CMD_HMP, NULL, "raise NMI on all CPUs", cmd_nmi, NO_ARGS},
    {"inject-nmi", CMD_QMP, NULL, NULL, cmd_nmi, NO_ARGS},
    {"boot_set", CMD_HMP, "letters", "drives to boot from, from the next reset on: of a, b, c, d, n",
     cmd_boot_set, {REQ("bootdevice", ARG_WORD)}},
    {"set-action", CMD_QMP, NULL, NULL, cmd_set_action,
     {OPT("reboot", ARG_WORD), OPT("shutdown", ARG_WORD)}},

    /* memory and ports */
    {"x", CMD_HMP, "/fmt addr", "show memory at a linear address",
     cmd_x, {FMT, REQ("addr", ARG_INT)}},
    {"xp", CMD_HMP, "/fmt addr", "show memory at a physical address",
     cmd_xp, {FMT, REQ("addr", ARG_INT)}},
    {"print|p", CMD_HMP, "/fmt expr", "show the value of an expression; $reg is a register",
     cmd_print,
     {FMT, REQ("val", ARG_INT)}},
    {"i", CMD_HMP, "/fmt addr", "read a port",
     cmd_in, {FMT, REQ("addr", ARG_INT), OPT("index", ARG_INT)}},
    {"o", CMD_HMP, "/fmt addr value", "write a port",
     cmd_out, {FMT, REQ("addr", ARG_INT), REQ("val", ARG_INT)}},
    {"sum", CMD_HMP, "addr size", "show the checksum of physical memory, as BSD's sum has it",
     cmd_sum,
     {REQ("start", ARG_INT), REQ("size", ARG_INT)}},
    {"gva2gpa", CMD_HMP, "addr", "show the physical address behind a linear one", cmd_gva2gpa,
     {REQ("addr", ARG_INT)}},
    {"gpa2hva", CMD_HMP, "addr", "show where this process keeps a physical address", cmd_gpa2hva,
     {REQ("addr", ARG_INT)}},
    {"memsave", CMD_BOTH, "addr size file", "save memory from a linear address on", cmd_memsave,
     {REQ("val", ARG_INT), REQ("size", ARG_INT), REQ("filename", ARG_WORD),
     OPT("cpu-index", ARG_INT)}},
    {"pmemsave", CMD_BOTH, "addr size file", "save memory from a physical address on", cmd_pmemsave,
     {REQ("val", ARG_INT), REQ("size", ARG_INT), REQ("filename", ARG_WORD)}},

    /* breaks */
    {"break|b", CMD_BOTH, "[list|what [if condition]]",
     "stop when something happens: 07C0:0010, io 0x3f2 w, mmio ADDR, pci 00:01.0 0x60, cmos 0x0f, "
     "msr N, int 13 if ah == 2, exception gp, irq 6, mode protected, insn N, text 'A:'",
     cmd_break, {OPT("what", ARG_REST)}},
    {"delete|d", CMD_BOTH, "[id]", "forget one break, or all", cmd_delete, {OPT("id", ARG_INT)}},

    {"gdbserver", CMD_HMP, "[device|none]",
     "start a server for gdb, on port 1234 of this host or on a device as of -gdb; none: end it",
     cmd_gdbserver, {OPT("device", ARG_REST)}},

    /* screen and keyboard */
    {"screendump", CMD_BOTH, "filename [-f ppm|png]", "save the screen as a picture",
     cmd_screendump,
     {REQ("filename", ARG_WORD), OPTION("format", ARG_WORD, 'f'), OPT("device", ARG_WORD),
     OPT("head", ARG_INT)}},
    {"screentext", CMD_BOTH, NULL, "show the text screen", cmd_screentext, NO_ARGS},
    {"sendkey", CMD_HMP, "keys [hold_ms]", "press keys together, as in ctrl-alt-delete",
     cmd_sendkey,
     {REQ("keys", ARG_WORD), OPT("hold-time", ARG_INT)}},
    {"send-key", CMD_QMP, NULL, NULL,
     cmd_send_key, {REQ("keys", ARG_JSON), OPT("hold-time", ARG_INT)}},
    {"input-send-event", CMD_QMP, NULL, NULL, cmd_input_send_event,
     {OPT("device", ARG_WORD), OPT("head", ARG_INT), REQ("events", ARG_JSON)}},
    {"mouse_move", CMD_HMP, "dx dy [dz]", "move the mouse (dz: its wheel)", cmd_mouse_move,
     {REQ("dx", ARG_INT), REQ("dy", ARG_INT), OPT("dz", ARG_INT)}},
    {"mouse_button", CMD_HMP, "state", "hold buttons: 1 left, 2 middle, 4 right", cmd_mouse_button,
     {REQ("button_state", ARG_INT)}},
    {"mouse_set", CMD_HMP, "index", "choose the mouse that moves",
     cmd_mouse_set, {REQ("index", ARG_INT)}},
    {"type", CMD_BOTH, "text", "type text; \\n is Enter, <F1> and <C-A-Del> are keys", cmd_type,
     {REQ("text", ARG_REST)}},

    /* drives */
    {"eject", CMD_BOTH, "[-f] device", "take a medium out (-f: although the guest locked it)",
     cmd_eject,
     {OPTION("force", ARG_FLAG, 'f'), OPT("device", ARG_WORD), OPT("id", ARG_WORD)}},
    {"change", CMD_HMP, "device [-f] filename [format [read-only|read-write|retain]]",
     "put another medium in",
     cmd_change, {REQ("device", ARG_WORD), OPTION("force", ARG_FLAG, 'f'), REQ("target", ARG_WORD),
                  OPT("arg", ARG_WORD), OPT("read-only-mode", ARG_WORD)}},
    {"blockdev-change-medium", CMD_QMP, NULL, NULL, cmd_change_medium,
     {OPT("device", ARG_WORD), OPT("id", ARG_WORD), REQ("filename", ARG_WORD),
     OPT("format", ARG_WORD),
      OPT("force", ARG_BOOL), OPT("read-only-mode", ARG_WORD)}},
    {"blockdev-remove-medium", CMD_QMP, NULL, NULL, cmd_remove_medium, {REQ("id", ARG_WORD)}},
    {"blockdev-open-tray", CMD_QMP, NULL, NULL, cmd_tray,
     {OPT("device", ARG_WORD), OPT("id", ARG_WORD), OPT("force", ARG_BOOL)}},
    {"blockdev-close-tray", CMD_QMP, NULL, NULL,
     cmd_tray, {OPT("device", ARG_WORD), OPT("id", ARG_WORD)}},

    /* devices as objects */
    {"qom-list", CMD_BOTH, "[path]", "the objects and properties below a path of /machine",
     cmd_qom_list, {OPT("path", ARG_WORD)}},
    {"qom-get", CMD_BOTH, "path property", "a property: a number of a device's state, or its type",
     cmd_qom_get, {REQ("path", ARG_WORD), REQ("property", ARG_WORD)}},
    {"qom-list-types", CMD_QMP, NULL, NULL, cmd_qom_types,
     {OPT("implements", ARG_WORD), OPT("abstract", ARG_BOOL)}},

    /* messages */
    {"log", CMD_HMP, "item1[,...]", "switch log messages; help lists them",
     cmd_log, {REQ("items", ARG_WORD)}},
    {"logfile", CMD_HMP, "filename", "write messages and traces to a file from here on",
     cmd_logfile,
     {REQ("filename", ARG_WORD)}},
    {"trace-format", CMD_BOTH, "text|json", "how traces are written from here on", cmd_trace_format,
     {REQ("format", ARG_WORD)}},
    {"trace-event", CMD_HMP, "name on|off", "switch trace points by shell pattern", cmd_trace_event,
     {REQ("name", ARG_WORD), REQ("option", ARG_BOOL)}},
    {"trace-event-get-state", CMD_QMP, NULL, NULL, trace_get_state,
     {REQ("name", ARG_WORD), OPT("vcpu", ARG_INT)}},
    {"trace-event-set-state", CMD_QMP, NULL, NULL, trace_set_state,
     {REQ("name", ARG_WORD), REQ("enable", ARG_BOOL), OPT("ignore-unavailable", ARG_BOOL),
     OPT("vcpu", ARG_INT)}},

    /* info */
    {"block", CMD_INFO, "[-n] [-v] [device]", "drives and what is in them", info_block,
     {OPTION("nodes", ARG_FLAG, 'n'), OPTION("verbose", ARG_FLAG, 'v'), OPT("device", ARG_WORD)}},
    INFO("blockstats", "how much was read and written", info_blockstats),
    INFO("boot", "how far booting has come, from what firmware leaves in memory", info_boot),
    INFO("breakpoints|breaks", "breaks, and how often each was hit", info_breaks),
    INFO("chardev", "character devices", info_chardev),
    INFO("cpus", "CPUs and the threads that run them", info_cpus),
    INFO("int", "interrupt vectors or gates", info_int),
    INFO("irq", "how often each interrupt was acknowledged", info_provider),
    {"jit", CMD_INFO, "[addr]", "accelerator, instruction counts, what the translator did; or its code "
     "for a linear address", info_jit, {OPT("addr", ARG_INT)}},
    INFO("kvm", "whether KVM runs the machine", info_kvm),
    {"lapic", CMD_INFO, "[apic-id]", "local APIC", info_provider, {OPT("apic-id", ARG_INT)}},
    INFO("mem", "ranges of mapped linear addresses", info_mem),
    INFO("memory_size_summary", "how much memory there is", info_memory_size),
    INFO("mice", "mice", info_mice),
    {"mtree", CMD_INFO, "[-f]", "regions of memory and ports (-f: flattened)", info_mtree,
     {OPTION("flatview", ARG_FLAG, 'f')}},
    INFO("name", "the machine's name", info_name),
    INFO("numa", "memory nodes", info_none),
    INFO("pam", "who answers reads and writes of C0000h-FFFFFh", info_provider),
    INFO("pci", "PCI functions", info_pci),
    INFO("pic", "interrupt controllers", info_provider),
    INFO("qdm", "types of devices that are there", info_qdm),
    INFO("qtree", "devices with their state", info_qtree),
    {"registers", CMD_INFO, "[-a|vcpu]", "registers of the chosen CPU, of one or (-a) of all",
     info_registers,
     {OPTION("cpustate_all", ARG_FLAG, 'a'), OPT("vcpu", ARG_INT)}},
    INFO("roms", "read-only memory", info_roms),
    INFO("snapshots", "saved machines inside of images", info_none),
    INFO("status", "whether the machine runs", info_status),
    INFO("tlb", "page tables", info_tlb),
    {"trace-events", CMD_INFO, "[name]", "trace points and whether they are on", info_trace_events,
     {OPT("name", ARG_WORD)}},
    INFO("usb", "USB devices", info_none),
    INFO("uuid", "the machine's UUID", info_uuid),
    INFO("version", "the version of this program", info_version),
    INFO("vnc", "VNC servers", info_none),

    /* QMP's own */
    {"qmp_capabilities", CMD_QMP, NULL, NULL, nothing, {OPT("enable", ARG_JSON)}},
    {"human-monitor-command", CMD_QMP, NULL, NULL, human_monitor_command,
     {REQ("command-line", ARG_WORD), OPT("cpu-index", ARG_INT)}},
    QUERY("query-version", query_version),
    QUERY("query-commands", query_commands),
    QUERY("query-qmp-schema", query_schema),
    QUERY("query-status", query_status),
    QUERY("query-name", query_name),
    QUERY("query-uuid", query_uuid),
    QUERY("query-target", query_target),
    QUERY("query-kvm", query_kvm),
    QUERY("query-machines", query_machines),
    QUERY("query-current-machine", query_current_machine),
    QUERY("query-cpu-definitions", query_cpu_definitions),
    QUERY("query-cpus-fast", query_cpus),
    QUERY("query-block", query_block),
    QUERY("query-blockstats", query_blockstats),
    QUERY("query-breakpoints", query_breaks),
    QUERY("query-chardev", query_chardev),
    QUERY("query-pci", query_pci),
    QUERY("query-vnc", query_vnc),
    QUERY("query-display-options", query_display_options),
    QUERY("query-memory-size-summary", query_memory_size),
    QUERY("query-replay", query_replay),
    QUERY("query-hotpluggable-cpus", query_empty_list),
    QUERY("query-named-block-nodes", query_empty_list),
    QUERY("query-mice", query_mice),
    QUERY("query-iothreads", query_empty_list),
    QUERY("query-rx-filter", query_empty_list),
    QUERY("query-tpm", query_empty_list),
    QUERY("query-tpm-models", query_empty_list),
    QUERY("query-tpm-types", query_empty_list),
    QUERY("query-jobs", query_empty_list),
    QUERY("query-fdsets", query_empty_list),
    QUERY("query-memory-devices", query_empty_list),
    {NULL, 0, NULL, NULL, NULL, NO_ARGS},
};
