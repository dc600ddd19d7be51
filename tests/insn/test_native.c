/*
 * The interpreter against the processor it runs on: every row of insn.def that user code may run,
 * with random operands and state, as 64-, 32- and 16-bit code. General, x87, MMX and vector
 * registers, MXCSR, flags, selectors, memory and where it goes on must be equal; a fault of one
 * must be the same fault of the other, with the same error code and the same state.
 *
 * Rows of features that this host lacks are named as not covered. Flags that a row leaves undefined
 * are not compared, unless -x is given. What else may differ is in `differences`.
 *
 * Usage: test_native [-m BITS] [-n CASES] [-s SEED] [-x] [-v] [NAME...]
 *   -m  only code of 16, 32 or 64 bits; -n cases a row and mode; NAME: only these mnemonics
 *   -v  a line a row: how many cases, and how many of them faulted
 */
#if defined(__x86_64__)

#include "tests/insn/native_prepare.h"
#include "core/cpu/flags.h"

#include <stdio.h>
#include <stdlib.h>

struct native_test {
    struct guest g;
    struct native_case c;
    uint64_t seed;
    bool exact, verbose;
    bool quiet;    /* differences are not reported */
    unsigned only; /* bits; 0: all modes */
    unsigned per_row;
    unsigned long cases, faults, failed;
    unsigned row_failed; /* of this row: the first few are shown */
    unsigned row_done;   /* ran to the end, alike or not */
};

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* ---- documented differences ---- */

enum {
    APPROXIMATE = 1,
    TRANSCENDENTAL = 2,
    PUSHED = 4,
    HALF_STORED = 8,
    HALF_LOADED = 16,
    WRAPS = 32,
};

static const struct difference {
    const char *name;
    unsigned what;
} differences[] = {
    /* Processors differ within the manual's error bound. */
    {"rcpps", APPROXIMATE},
    {"rcpss", APPROXIMATE},
    {"rsqrtps", APPROXIMATE},
    {"rsqrtss", APPROXIMATE},
    {"vrcpps", APPROXIMATE},
    {"vrcpss", APPROXIMATE},
    {"vrsqrtps", APPROXIMATE},
    {"vrsqrtss", APPROXIMATE},
    /* [SDM1] "Transcendental Instruction Accuracy": ours are within 1 ulp of the true value. */
    {"f2xm1", TRANSCENDENTAL},
    {"fyl2x", TRANSCENDENTAL},
    {"fyl2xp1", TRANSCENDENTAL},
    {"fptan", TRANSCENDENTAL},
    {"fpatan", TRANSCENDENTAL},
    {"fsin", TRANSCENDENTAL},
    {"fcos", TRANSCENDENTAL},
    {"fsincos", TRANSCENDENTAL},
    /* [SDM2] "CALL" looks at the target before it pushes; processors push first: the address is
     * there when the target faults, and a fault of the stack comes before it. */
    {"call", PUSHED},
    /* What of ten bytes is stored when the page of the others is not there is open. */
    {"fstp", HALF_STORED},
    {"fbstp", HALF_STORED},
    /* What is loaded when MXCSR turns out to be bad is open. */
    {"xrstor", HALF_LOADED | WRAPS},
    /* [SDM3] "Segment Wraparound": images of hundreds of bytes that wrap at 64 KiB. */
    {"xsave", WRAPS},
    {"xsavec", WRAPS},
    {"xsaveopt", WRAPS},
    {"fxsave", WRAPS},
    {"fxrstor", WRAPS},
    {"fnsave", WRAPS},
    {"frstor", WRAPS},
};

static unsigned difference_of(unsigned row)
{
    for (unsigned i = 0; i < ARRAY_SIZE(differences); i++) {
        if (!strcmp(insn_info[row].name, differences[i].name)) {
            return differences[i].what;
        }
    }
    return 0;
}

/* Registers that tell of the machine or come by chance: not compared. */
enum { OWN_RM = 16 };
static const struct own_result {
    const char *name;
    uint32_t registers; /* BIT(R_AX) and so on; OWN_RM: the operand that ModRM.rm names */
} own_results[] = {
    {"cpuid", BIT(R_AX) | BIT(R_BX) | BIT(R_CX) | BIT(R_DX)},
    {"rdtsc", BIT(R_AX) | BIT(R_DX)},
    {"rdtscp", BIT(R_AX) | BIT(R_CX) | BIT(R_DX)},
    {"xgetbv", BIT(R_AX) | BIT(R_DX)},
    {"rdpid", BIT(OWN_RM)},
    {"rdrand", BIT(OWN_RM)},
    {"rdseed", BIT(OWN_RM)},
};

/* The bits of a register to compare. */
static uint64_t comparable(const struct native_case *c, unsigned gpr)
{
    /* In other code the upper halves are undefined. */
    uint64_t mask = host_result.s.seg[S_CS].sel == SEL_USER64 ? ~0ull : 0xffffffff;
    for (unsigned i = 0; i < ARRAY_SIZE(own_results); i++) {
        const struct own_result *o = &own_results[i];
        if (host_result.vector < 0 && !strcmp(insn_info[c->in.row].name, o->name)) {
            bool rm = (o->registers & BIT(OWN_RM)) && c->in.m / 8 == gpr;
            mask &= rm                        ? ~size_mask(c->in.opsize)
                    : o->registers & BIT(gpr) ? ~0xffffffffull
                                              : ~0ull;
        }
    }
    return mask;
}

static uint32_t undefined_flags(unsigned row)
{
    static const struct {
        char letter;
        uint32_t flag;
    } letters[] = {
        {'O', FL_OF}, {'S', FL_SF}, {'Z', FL_ZF}, {'A', FL_AF}, {'P', FL_PF}, {'C', FL_CF},
    };
    uint32_t mask = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(letters); i++) {
        if (strchr(insn_info[row].undefined, letters[i].letter)) {
            mask |= letters[i].flag;
        }
    }
    return mask;
}

/* ---- reports ---- */

static void print_value(const char *name, const void *value, unsigned n)
{
    printf(" %s=", name);
    for (unsigned i = n; i-- > 0;) {
        printf("%02x", ((const uint8_t *)value)[i]);
    }
}

static void print_case(const struct native_case *c)
{
    static const char *const gprs[8] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    for (unsigned i = 0; i < 8; i++) {
        printf(" %s=%llx", gprs[i], (unsigned long long)c->s.gpr[i]);
    }
    printf(" flags=%x ds=%x es=%x ss=%x mxcsr=%x\n   ", (unsigned)c->s.rflags, c->s.seg[S_DS].sel,
           c->s.seg[S_ES].sel, c->s.seg[S_SS].sel, c->s.mxcsr);
    if (insn_info[c->in.row].attr & A_FPU) {
        unsigned top = (c->s.fsw & FSW_TOP) >> FSW_TOP_SHIFT;
        printf(" cw=%x sw=%x tags=%x", c->s.fcw, c->s.fsw, c->s.ftag);
        for (unsigned i = 0; i < 8; i++) {
            const struct x86_fpr *f = &c->s.fpr[(top + i) & 7];
            printf(" st%u=%04x:%016llx", i, f->se, (unsigned long long)f->mant);
        }
    } else if (insn_info[c->in.row].test == TEST_V) {
        print_value("reg", c->s.ymm[c->in.reg & 15], 32);
        print_value("vvvv", c->s.ymm[c->in.vvvv & 15], 32);
        print_value("rm", c->s.ymm[c->in.rm & 15], 32);
    }
    printf("%s\n", c->in.mem ? " mem" : "");
}

static bool report(struct native_test *t, const char *what, const void *ours, const void *theirs,
                   unsigned n)
{
    const struct native_case *c = &t->c;
    if (t->quiet) {
        return false;
    }
    t->failed++;
    if (t->row_failed++ >= 3) {
        return false;
    }
    printf("%d-bit %s [", 16 << c->mode, insn_info[c->in.row].name);
    for (unsigned i = 0; i < c->in.len; i++) {
        printf("%02x", c->bytes[i]);
    }
    printf("] %s, faults %d and %d at %llx:", what, t->g.result.vector, host_result.vector,
           (unsigned long long)host_result.address);
    print_value("ours", ours, n);
    print_value("native", theirs, n);
    printf(";");
    print_case(c);
    return false;
}

static bool equal(struct native_test *t, const char *what, const void *ours, const void *theirs,
                  unsigned n)
{
    return memcmp(ours, theirs, n) == 0 || report(t, what, ours, theirs, n);
}

static bool equal_bits(struct native_test *t, const char *what, uint64_t ours, uint64_t theirs,
                       uint64_t mask)
{
    ours &= mask;
    theirs &= mask;
    return ours == theirs || report(t, what, &ours, &theirs, 8);
}

/* ---- comparing ---- */

/* RCP and RSQRT: both within 1.5 * 2^-12 of the true value. */
static bool close_singles(const uint8_t *ours, const uint8_t *theirs)
{
    for (unsigned i = 0; i < 8; i++) {
        uint32_t a = ld32le(ours + 4 * i), b = ld32le(theirs + 4 * i);
        uint32_t d = a > b ? a - b : b - a;
        if (d > 2 * 3 << 11) { /* 3 * 2^-12 as units of 2^-24 */
            return false;
        }
    }
    return true;
}

static bool same_vectors(struct native_test *t)
{
    const struct x86_state *a = &t->g.result.s, *b = &host_result.s;
    for (unsigned i = 0; i < 16; i++) {
        if ((difference_of(t->c.in.row) & APPROXIMATE) && close_singles(a->ymm[i], b->ymm[i])) {
            continue;
        }
        if (!equal(t, "vector", a->ymm[i], b->ymm[i], 32)) {
            return false;
        }
    }
    uint32_t mask = ~0u, unmasked = b->mxcsr & ~(b->mxcsr >> MXCSR_MASK_SHIFT);
    if (host_result.vector == X86_XM && (unmasked & (MXCSR_OE | MXCSR_UE))) {
        /* A processor looks at the result with its exponent unbounded, we at that of the format. */
        mask &= ~(uint32_t)MXCSR_PE;
    }
    return equal_bits(t, "mxcsr", a->mxcsr, b->mxcsr, mask);
}

/* How far apart two values are, in units of the last place; large where that means nothing. */
static uint64_t ulps(const struct x86_fpr *a, const struct x86_fpr *b)
{
    if (a->se != b->se) {
        return a->mant == b->mant ? ~0ull : 2; /* at a power of two, or far apart */
    }
    return a->mant > b->mant ? a->mant - b->mant : b->mant - a->mant;
}

/* [SDM1] "x87 FPU Instruction and Data (Operand) Pointers", "Fopcode Compatibility Mode": later
 * processors note the opcode and the operand of instructions with unmasked exceptions only (CPUID
 * tells: FDP_EXCPTN_ONLY), and no selectors. We note all of them, as the manual's older ones. */
static bool same_pointers(struct native_test *t)
{
    const struct x86_state *a = &t->g.result.s, *b = &host_result.s, *before = &t->c.s;
    bool excepted = b->fsw & FSW_ES;
    return equal_bits(t, "x87 instruction pointer", a->fip, b->fip, ~0ull) &&
           ((!excepted && b->fop == before->fop) ||
            equal_bits(t, "x87 opcode", a->fop, b->fop, 0x7ff)) &&
           ((!excepted && b->fdp == before->fdp) ||
            equal_bits(t, "x87 data pointer", a->fdp, b->fdp, ~0ull));
}

static bool same_x87(struct native_test *t)
{
    const struct x86_state *a = &t->g.result.s, *b = &host_result.s;
    unsigned what = difference_of(t->c.in.row), top = (a->fsw & FSW_TOP) >> FSW_TOP_SHIFT;
    uint16_t mask = 0xffff;
    if (what & TRANSCENDENTAL) {
        mask &= (uint16_t) ~(FSW_C0 | FSW_C1 | FSW_C3 | FSW_OE | FSW_UE | FSW_PE);
    }
    if (!equal_bits(t, "x87 status", a->fsw, b->fsw, mask) ||
        !equal_bits(t, "x87 tags", a->ftag, b->ftag, 0xff) ||
        !equal_bits(t, "x87 control", a->fcw, b->fcw, 0xffff)) {
        return false;
    }
    for (unsigned i = 0; i < 8; i++) {
        const struct x86_fpr *x = &a->fpr[(top + i) & 7], *y = &b->fpr[(top + i) & 7];
        char name[] = "st0";
        name[2] = (char)('0' + i);
        if ((what & TRANSCENDENTAL) && i < 2 && ulps(x, y) <= 2) {
            continue;
        }
        if (!equal(t, name, x, y, 10)) {
            return false;
        }
    }
    return same_pointers(t);
}

static bool same_integers(struct native_test *t)
{
    const struct x86_state *a = &t->g.result.s, *b = &host_result.s;
    uint64_t flags = FL_OSZAPC | FL_DF | FL_AC | FL_NT | FL_ID | FL_TF;
    if (!t->exact) {
        flags &= ~(uint64_t)undefined_flags(t->c.in.row);
    }
    if (!equal_bits(t, "rip", a->rip, b->rip, ~0ull) ||
        !equal_bits(t, "flags", a->rflags, b->rflags, flags)) {
        return false;
    }
    for (unsigned i = 0; i < (t->c.mode == DECODE_64 ? 16 : 8); i++) {
        static const char *const names[16] = {"ax", "cx", "dx",  "bx",  "sp",  "bp",  "si",  "di",
                                              "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"};
        if (!equal_bits(t, names[i], a->gpr[i], b->gpr[i], comparable(&t->c, i))) {
            return false;
        }
    }
    for (unsigned i = 0; i < 6; i++) {
        static const char *const names[6] = {"es", "cs", "ss", "ds", "fs", "gs"};
        /* The kernel's IRET to user code makes all null selectors 0. */
        uint16_t ours = a->seg[i].sel < 4 ? 0 : a->seg[i].sel;
        if (!equal_bits(t, names[i], ours, b->seg[i].sel, b->seg[i].sel < 4 ? ~3u : ~0u)) {
            return false;
        }
    }
    return equal_bits(t, "fs base", a->seg[S_FS].base, b->seg[S_FS].base,
                      t->c.mode == DECODE_64 && host.fsgsbase ? ~0ull : 0);
}

static bool same_memory(struct native_test *t)
{
    const uint8_t *ours = ram_host(&t->g.data);
    if (host_result.vector >= 0 && (difference_of(t->c.in.row) & (PUSHED | HALF_STORED))) {
        return true;
    }
    if (memcmp(ours, host_data, DATA_BYTES) == 0) {
        return true;
    }
    unsigned i = 0;
    while (ours[i] == host_data[i]) {
        i++;
    }
    i &= ~7u;
    return report(t, "memory", ours + i, host_data + i, 8);
}

static bool same(struct native_test *t)
{
    uint32_t error = host_result.vector >= 0 && has_error_code(host_result.vector) ? ~0u : 0;
    bool paged = host_result.vector == X86_PF;
    if (paged && host_result.address - (CODE_PAGE - 0x10000) > 0x40000) {
        error &= ~1u; /* who has pages there is up to the kernels */
    }
    return equal(t, "fault", &t->g.result.vector, &host_result.vector, 4) &&
           equal_bits(t, "address", t->g.result.address, host_result.address, paged ? ~0ull : 0) &&
           equal_bits(t, "error code", t->g.result.error, host_result.error, error) &&
           same_integers(t) && same_vectors(t) && same_x87(t) && same_memory(t);
}

/* ---- runs ---- */

static void run_on_host(const struct native_case *c)
{
    unsigned n = c->valid ? c->in.len : INSN_MAX_BYTES;
    memcpy(host_data, c->data, DATA_BYTES);
    memset(host_code + CODE_AT, 0xcc, sizeof(c->bytes));
    memcpy(host_code + CODE_AT, c->bytes, n);
    host_run(&c->s);
}

/* Does an image begin so near to 64 KiB that it may reach beyond? */
static bool wraps(const struct native_case *c)
{
    const uint64_t *gpr = c->s.gpr;
    uint64_t ea = gpr[c->in.base / 8] + gpr[c->in.index / 8] + (uint64_t)(int64_t)c->in.disp;
    return (uint16_t)ea > 0x10000 - 1024;
}

/* A case whose outcome is open: see `differences`. */
static bool is_open(const struct native_test *t)
{
    const struct native_case *c = &t->c;
    unsigned what = difference_of(c->in.row);
    int ours = t->g.result.vector, theirs = host_result.vector;
    if (ours < 0 || theirs < 0) {
        return false;
    }
    return ((what & PUSHED) && ours == X86_GP && theirs != X86_UD) ||
           ((what & HALF_LOADED) && ours == X86_GP && theirs == X86_GP) ||
           ((what & WRAPS) && c->in.adsize == 2 && wraps(c));
}

/* A difference must show twice: now and then an interrupt of the host comes in between. */
static void run_case(struct native_test *t)
{
    struct native_case *c = &t->c;
    t->cases++;
    run_on_host(c);
    space_write_bytes(&t->g.b->mem, DATA, c->data, DATA_BYTES);
    space_write_bytes(&t->g.b->mem, CODE, host_code + CODE_AT, sizeof(c->bytes));
    guest_run(&t->g, &c->s);
    t->row_done += host_result.vector < 0;
    t->quiet = true;
    bool fine = same(t) || is_open(t);
    t->quiet = false;
    if (!fine) {
        run_on_host(c);
        fine = same(t);
    }
    t->faults += fine && host_result.vector >= 0;
}

static void run_row(struct native_test *t, enum decode_mode mode, unsigned row)
{
    struct random r = random_begin(t->seed, row << 2 | mode);
    unsigned long cases = t->cases, faults = t->faults, failed = t->failed;
    t->row_failed = t->row_done = 0;
    t->c.mode = mode;
    /* Of rows that nearly always fault a few more, until one runs to its end. */
    bool must_end = t->per_row >= 40 && !only_faults(&insn_info[row]);
    unsigned most = must_end ? 10 * t->per_row : t->per_row;
    for (unsigned i = 0; i < t->per_row || (t->row_done == 0 && i < most); i++) {
        bool made = false;
        memset(&t->c.s, 0, sizeof(t->c.s));
        if (i % 8 == 0) {
            random_data(&r, &t->c);
        }
        for (unsigned tries = 0; tries < 60 && !made; tries++) {
            made = make_case(&r, row, &t->c);
        }
        if (made) {
            run_case(t);
        }
    }
    if (must_end && t->row_done == 0) {
        printf("%d-bit %s: none of %lu cases ran to the end\n", 16 << mode, insn_info[row].name,
               t->cases - cases);
        t->failed++;
    }
    if (t->verbose) {
        printf("%d-bit %-12s %5lu cases, %5lu faults, %5lu failed\n", 16 << mode,
               insn_info[row].name, t->cases - cases, t->faults - faults, t->failed - failed);
    }
}

static bool wanted(const struct insn_info *info, int argc, char **argv)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-') {
            i += argv[i][1] != 'x' && argv[i][1] != 'v';
            continue;
        }
        any = true;
        if (!strcmp(argv[i], info->name)) {
            return true;
        }
    }
    return !any;
}

static void run_mode(struct native_test *t, enum decode_mode mode, int argc, char **argv)
{
    unsigned long cases = t->cases, faults = t->faults, failed = t->failed;
    unsigned absent = 0;
    for (unsigned row = 1; row < ROW_COUNT; row++) {
        const struct insn_info *info = &insn_info[row];
        if (!runs_natively(info) || !wanted(info, argc, argv) ||
            (info->attr & (mode == DECODE_64 ? A_I64 : A_O64))) {
            continue;
        }
        if (!host_covers(info)) {
            absent++;
            printf("%d-bit %s: not covered, this host lacks it\n", 16 << mode, info->name);
            continue;
        }
        run_row(t, mode, row);
    }
    printf("%d-bit code: %lu cases, %lu faults alike, %u rows not covered, %lu failed\n",
           16 << mode, t->cases - cases, t->faults - faults, absent, t->failed - failed);
}

static void read_options(struct native_test *t, int argc, char **argv)
{
    const char *set = getenv("COLDBOOT_TEST_SET");
    t->per_row = set != NULL && !strcmp(set, "reduced") ? 10 : 40;
    for (int i = 1; i < argc; i++) {
        t->exact = t->exact || !strcmp(argv[i], "-x");
        t->verbose = t->verbose || !strcmp(argv[i], "-v");
        unsigned long v = i + 1 < argc ? strtoul(argv[i + 1], NULL, 0) : 0;
        if (!strcmp(argv[i], "-n")) {
            t->per_row = (unsigned)v;
        } else if (!strcmp(argv[i], "-s")) {
            t->seed = v;
        } else if (!strcmp(argv[i], "-m")) {
            t->only = (unsigned)v;
        }
    }
}

int main(int argc, char **argv)
{
    static struct native_test t;
    read_options(&t, argc, argv);
    if (SANITIZED) {
        printf("skipped: random addresses hit the sanitizer's own memory\n");
        return 0;
    }
    if (!host_setup()) {
        printf("skipped: no memory at the addresses that the test needs\n");
        return 0;
    }
    guest_setup(&t.g);
    for (enum decode_mode mode = DECODE_16; mode <= DECODE_64; mode++) {
        if (t.only != 0 && t.only != 16u << mode) {
            continue;
        }
        if (mode == DECODE_16 && !host.ldt) {
            printf("16-bit code: not run, the kernel refuses an LDT\n");
            continue;
        }
        run_mode(&t, mode, argc, argv);
    }
    printf("%lu cases, %lu faults alike, %lu differences without an explanation\n", t.cases,
           t.faults, t.failed);
    return t.failed != 0;
}

#else

#include <stdio.h>

int main(void)
{
    printf("skipped: the host is no x86-64\n");
    return 0;
}

#endif
