/*
 * Which rows of insn.def a process of the host can run, for the native test and for the list of
 * what covers each row.
 */
#ifndef TESTS_INSN_ROWS_H
#define TESTS_INSN_ROWS_H

#include "core/base/bits.h"
#include "core/cpu/decode.h"

#include <string.h>

static inline bool row_named(const struct insn_info *info, const char *const *names, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!strcmp(info->name, names[i])) {
            return true;
        }
    }
    return false;
}

/* Not rows that the kernel takes. */
static inline bool runs_natively(const struct insn_info *info)
{
    static const char *const not_here[] = {
        "int",  "int3", "icebp", "syscall", "sysenter", "rdpmc", /* the kernel's */
        "sgdt", "sidt", "sldt",  "str",     "smsw", /* it feigns them where UMIP forbids them */
    };
    return !row_named(info, not_here, ARRAY_SIZE(not_here));
}

/* UD0, UD1 and UD2 are there to fault. */
static inline bool row_is_ud(const struct insn_info *info)
{
    return info->name[0] == 'u' && info->name[1] == 'd';
}

/* Rows that at CPL 3 do nothing but fault. */
static inline bool only_faults(const struct insn_info *info)
{
    static const char *const names[] = {
        "in",   "out",  "ins",  "outs", "cli",     "sti",   "hlt", "lldt",   "ltr",     "lgdt",
        "lidt", "lmsw", "clac", "stac", "monitor", "mwait", "rsm", "xsetbv", "invpcid",
    };
    return (info->attr & A_CPL0) || row_is_ud(info) || row_named(info, names, ARRAY_SIZE(names));
}

#endif
