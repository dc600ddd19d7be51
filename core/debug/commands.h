/* The handlers behind the table of commands.c. */
#ifndef CORE_DEBUG_COMMANDS_H
#define CORE_DEBUG_COMMANDS_H

#include "core/debug/command.h"

#define COMMAND(name) bool name(struct command_call *c, struct error **err)

/* cmd_memory.c */
COMMAND(cmd_x);
COMMAND(cmd_xp);
COMMAND(cmd_print);
COMMAND(cmd_in);
COMMAND(cmd_out);
COMMAND(cmd_gva2gpa);
COMMAND(cmd_gpa2hva);
COMMAND(cmd_sum);
COMMAND(cmd_pmemsave);
COMMAND(cmd_memsave);

/* cmd_machine.c */
COMMAND(cmd_help);
COMMAND(cmd_info);
COMMAND(cmd_stop);
COMMAND(cmd_cont);
COMMAND(cmd_reset);
COMMAND(cmd_powerdown);
COMMAND(cmd_quit);
COMMAND(cmd_nmi);
COMMAND(cmd_boot_set);
COMMAND(cmd_dump);
COMMAND(cmd_dump_protocol);
COMMAND(cmd_qom_list);
COMMAND(cmd_qom_get);
COMMAND(cmd_qom_types);
COMMAND(cmd_gdbserver);
COMMAND(cmd_cpu);
COMMAND(cmd_log);
COMMAND(cmd_logfile);
COMMAND(cmd_trace_event);
COMMAND(cmd_trace_format);
COMMAND(cmd_set_action);

/* cmd_media.c */
COMMAND(cmd_eject);
COMMAND(cmd_change);
COMMAND(cmd_change_medium);
COMMAND(cmd_remove_medium);
COMMAND(cmd_tray);
COMMAND(info_block);
COMMAND(info_blockstats);
COMMAND(query_block);
COMMAND(query_blockstats);

/* cmd_keys.c */
COMMAND(cmd_sendkey);
COMMAND(cmd_type);
COMMAND(cmd_send_key);
COMMAND(cmd_input_send_event);

/* cmd_mouse.c */
COMMAND(cmd_mouse_move);
COMMAND(cmd_mouse_button);
COMMAND(cmd_mouse_set);
COMMAND(info_mice);
COMMAND(query_mice);

/* cmd_break.c */
COMMAND(cmd_break);
COMMAND(cmd_delete);
COMMAND(info_breaks);
COMMAND(query_breaks);

/* cmd_screen.c */
COMMAND(cmd_screendump);
COMMAND(cmd_screentext);

/* info_cpu.c */
COMMAND(info_registers);
COMMAND(info_cpus);
COMMAND(info_mem);
COMMAND(info_tlb);
COMMAND(query_cpus);

/* info_machine.c */
COMMAND(info_status);
COMMAND(info_version);
COMMAND(info_name);
COMMAND(info_uuid);
COMMAND(info_chardev);
COMMAND(info_kvm);
COMMAND(info_jit);
COMMAND(info_none);
COMMAND(info_memory_size);
COMMAND(info_mtree);
COMMAND(info_qtree);
COMMAND(info_qdm);
COMMAND(info_roms);
COMMAND(info_trace_events);

/* info_board.c */
COMMAND(info_provider);
COMMAND(info_pci);
COMMAND(query_pci);
COMMAND(info_int);
COMMAND(info_boot);

/* qmp_query.c */
COMMAND(query_version);
COMMAND(query_commands);
COMMAND(query_schema);
COMMAND(query_status);
COMMAND(query_name);
COMMAND(query_uuid);
COMMAND(query_target);
COMMAND(query_kvm);
COMMAND(query_machines);
COMMAND(query_current_machine);
COMMAND(query_cpu_definitions);
COMMAND(query_chardev);
COMMAND(query_display_options);
COMMAND(query_memory_size);
COMMAND(query_empty_list);
COMMAND(query_vnc);
COMMAND(query_replay);
COMMAND(trace_get_state);
COMMAND(trace_set_state);
COMMAND(human_monitor_command);

/* "running", "paused"... as in query-status. */
const char *run_state_name(const struct machine *m);

/* The text screen as UTF-8 in *out; false: a graphics mode, or no display. */
bool screen_text(struct debug *d, struct text *out);

#endif
