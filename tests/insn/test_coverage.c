/*
 * What tests each row of insn.def: the host's own processor (test_native), captures of processors
 * (test_moo), or a unit test that is named here. A row without any fails; so does a name that no
 * longer fits. Run from the project's folder, whose sources it looks into.
 *
 * Usage: test_coverage [-v]   -v prints a line a row.
 */
#include "tests/insn/rows.h"

#include <stdio.h>
#include <stdlib.h>

struct declared {
    const char *mnemonic;
    const char *file, *function; /* tests/unit/FILE.c has the test FUNCTION */
};

/* For rows that no process can run, or not to their end: what they do. */
static const struct declared declared[] = {
    {"int", "test_system_rows", "software_interrupts_are_traps"},
    {"int3", "test_system_rows", "software_interrupts_are_traps"},
    {"icebp", "test_system_rows", "software_interrupts_are_traps"},
    {"in", "test_system_rows", "in_takes_its_port_from_dx_or_a_byte"},
    {"out", "test_system_rows", "out_writes_the_accumulators_low_part"},
    {"ins", "test_system_rows", "string_port_instructions_move_one_element"},
    {"outs", "test_system_rows", "string_port_instructions_move_one_element"},
    {"cli", "test_system_rows", "cli_and_sti_change_if"},
    {"sti", "test_system_rows", "cli_and_sti_change_if"},
    {"hlt", "test_interp", "hlt_leaves_and_an_interrupt_goes_on_behind_it"},
    {"sldt", "test_system_rows", "sldt_and_str_store_selectors"},
    {"str", "test_system_rows", "sldt_and_str_store_selectors"},
    {"lldt", "test_segment", "ltr_and_lldt_are_checked"},
    {"ltr", "test_segment", "ltr_and_lldt_are_checked"},
    {"sgdt", "test_system", "descriptor_table_registers_go_through_memory"},
    {"sidt", "test_system", "descriptor_table_registers_go_through_memory"},
    {"lgdt", "test_system", "descriptor_table_registers_go_through_memory"},
    {"lidt", "test_system", "descriptor_table_registers_go_through_memory"},
    {"smsw", "test_system", "lmsw_sets_pe_and_never_clears_it"},
    {"lmsw", "test_system", "lmsw_sets_pe_and_never_clears_it"},
    {"clts", "test_system", "clts_clears_ts"},
    {"mov", "test_system", "absent_and_bad_control_registers_fault"},
    {"invlpg", "test_system_rows", "cache_instructions_change_nothing"},
    {"invd", "test_system_rows", "cache_instructions_change_nothing"},
    {"wbinvd", "test_system_rows", "cache_instructions_change_nothing"},
    {"invpcid", "test_long_mode", "invpcid_checks_its_descriptor"},
    {"clac", "test_long_mode", "smap_lets_pass_while_ac_is_set"},
    {"stac", "test_long_mode", "smap_lets_pass_while_ac_is_set"},
    {"monitor", "test_system_rows", "monitor_and_mwait_take_no_unknown_extensions"},
    {"mwait", "test_system_rows", "monitor_and_mwait_take_no_unknown_extensions"},
    {"xsetbv", "test_simd_state", "xcr0_takes_only_what_the_model_has"},
    {"swapgs", "test_long_mode", "swapgs_and_bases"},
    {"syscall", "test_long_mode", "syscall_and_sysret"},
    {"sysret", "test_long_mode", "syscall_and_sysret"},
    {"sysenter", "test_long_mode", "sysenter_and_sysexit_of_intels"},
    {"sysexit", "test_long_mode", "sysenter_and_sysexit_of_intels"},
    {"rdpmc", "test_system_rows", "rdpmc_has_two_counters_that_stand_still"},
    {"rdmsr", "test_system", "unknown_msrs_fault"},
    {"wrmsr", "test_system", "unknown_msrs_fault"},
    {"rsm", "test_smm", "rsm_gives_back_all_of_it"},
};

static bool natively(const struct insn_info *info)
{
    return runs_natively(info) && (!only_faults(info) || row_is_ud(info));
}

static const struct declared *declared_for(const struct insn_info *info)
{
    for (unsigned i = 0; i < ARRAY_SIZE(declared); i++) {
        if (!strcmp(declared[i].mnemonic, info->name)) {
            return &declared[i];
        }
    }
    return NULL;
}

/* Of what the 286's captures consist: one-byte opcodes up to those of the 80186, no 0F. */
static bool captured(const struct insn_info *info)
{
    return info->map == MAP_M1 && !(info->attr & (A_FPU | A_O64)) &&
           !(info->opcode >= 0x62 && info->opcode <= 0x67);
}

static bool has_test(const struct declared *d)
{
    char path[128], line[256], wanted[128];
    snprintf(path, sizeof(path), "tests/unit/%s.c", d->file);
    snprintf(wanted, sizeof(wanted), "static void %s(", d->function);
    FILE *f = fopen(path, "r");
    bool found = false;
    while (f != NULL && !found && fgets(line, sizeof(line), f)) {
        found = !strncmp(line, wanted, strlen(wanted));
    }
    if (f != NULL) {
        fclose(f);
    }
    return found;
}

/* Every entry is of use and names a test that is there. */
static unsigned stale(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(declared); i++) {
        bool used = false;
        for (unsigned row = 1; row < ROW_COUNT && !used; row++) {
            used = !natively(&insn_info[row]) && declared_for(&insn_info[row]) == &declared[i];
        }
        if (!used) {
            printf("%s: is declared, but no row needs it\n", declared[i].mnemonic);
        } else if (!has_test(&declared[i])) {
            printf("%s: tests/unit/%s.c has no test %s\n", declared[i].mnemonic, declared[i].file,
                   declared[i].function);
        } else {
            continue;
        }
        n++;
    }
    return n;
}

static void print_row(const struct insn_info *info, const struct declared *d)
{
    printf("%-12s map %u opcode %02x:%s%s", info->name, info->map, info->opcode,
           natively(info)        ? " native"
           : runs_natively(info) ? " native (faults)"
                                 : "",
           captured(info) ? " captures" : "");
    printf(d != NULL ? " %s/%s\n" : "\n", d ? d->file : "", d ? d->function : "");
}

int main(int argc, char **argv)
{
    unsigned native = 0, by_list = 0, missing = 0;
    for (unsigned row = 1; row < ROW_COUNT; row++) {
        const struct insn_info *info = &insn_info[row];
        const struct declared *d = natively(info) ? NULL : declared_for(info);
        native += natively(info);
        by_list += d != NULL;
        if (!natively(info) && d == NULL) {
            printf("%s, opcode %02x of map %u: no test\n", info->name, info->opcode, info->map);
            missing++;
        }
        if (argc > 1 && !strcmp(argv[1], "-v")) {
            print_row(info, d);
        }
    }
    unsigned bad = stale();
    printf("%u rows: %u run natively, %u by unit tests that are named, %u without a test\n",
           ROW_COUNT - 1, native, by_list, missing);
    return missing != 0 || bad != 0;
}
