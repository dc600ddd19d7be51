/*
 * One instruction on the processor that this program runs on, as 64-, 32- or 16-bit user code, from
 * and to a struct x86_state: general, x87, MMX and vector registers, MXCSR, flags, selectors.
 *
 * Order: host_setup, then any number of: write the code at CODE and the operands at DATA, host_run.
 *
 * A routine in 64-bit code loads the state and jumps far to CODE. The code page cannot be written
 * where it runs, only where host_code has it. All its bytes that
 * are not the instruction are INT3, so wherever it goes on, and whatever fault it raises, a signal
 * frame shows the state afterwards. 16-bit code runs in segments of an LDT (modify_ldt): code at
 * the code page, DS and SS at the data area with its size as their limit, ES a part of it.
 */
#ifndef TESTS_INSN_NATIVE_HOST_H
#define TESTS_INSN_NATIVE_HOST_H

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/cpu/cpuid.h"
#include "core/cpu/decode.h"
#include "core/cpu/fpu.h"

#include <asm/ldt.h>
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

/* Low memory, at the same addresses in this process and in the guest. */
#define NATIVE     0x3a5c7000u /* nothing that a random address is likely to hit */
#define CONTEXT    (NATIVE + 0x1000)
#define CODE_PAGE  0x10010000u
#define CODE_BYTES 0x1000u
#define CODE_AT    0x800u /* where in its page the instruction is */
#define CODE       (CODE_PAGE + CODE_AT)
#define DATA       0x10020000u
#define DATA_BYTES 0x3000u
#define ES_SKIPS   0x100u /* where ES of the LDT begins in the data area */
#define GIVE_UP    (NATIVE + 0x800)

/* Linux's selectors, and those of the LDT. */
enum {
    SEL_USER32 = 0x23,
    SEL_USER_DATA = 0x2b,
    SEL_USER64 = 0x33,
    SEL_CODE16 = 0x07,
    SEL_DATA16 = 0x0f,
    SEL_ES16 = 0x17,
    SEL_DATA32 = 0x1f,
    SEL_CODE32 = 0x27,
    SEL_READ_ONLY = 0x2f,
    SEL_LDT_COUNT = 6,
};

/* What stands in the LDT, in the order of the selectors. */
struct ldt_entry {
    uint32_t base, limit;
    uint16_t attr; /* AR_* */
};
static const struct ldt_entry ldt_entries[SEL_LDT_COUNT] = {
    {CODE_PAGE, CODE_BYTES - 1, 0x00fb},
    {DATA, DATA_BYTES - 1, 0x00f3},
    {DATA + ES_SKIPS, DATA_BYTES - ES_SKIPS - 1, 0x00f3},
    {DATA, DATA_BYTES - 1, 0x40f3},
    {CODE_PAGE, CODE_BYTES - 1, 0x40fb},
    {DATA, DATA_BYTES - 1, 0x00f1},
};

/* What the routine loads: an XSAVE image in the standard format, and the rest. */
struct host_context {
    uint8_t image[1024];
    uint64_t gpr[16];
    uint64_t flags, host_rsp, fs_base;
    uint32_t entry; /* far pointer */
    uint16_t entry_cs;
    uint16_t ds, es, ss;
};
static struct host_context *const context = (struct host_context *)(uintptr_t)CONTEXT;
static uint8_t *host_code; /* CODE_PAGE, at an address that no instruction will hit */
static uint8_t *const host_data = (uint8_t *)(uintptr_t)DATA;

/* After the instruction. */
struct host_result {
    int vector;         /* of the fault; -1: none */
    uint32_t error;     /* its error code */
    uint64_t address;   /* of a page fault */
    struct x86_state s; /* rip counts from CODE_PAGE in all modes */
};
static struct host_result host_result;

static struct {
    bool avx, ldt, fsgsbase;
    uint64_t fs_base; /* this thread's */
    uint64_t xcr0;
} host;

/* ---- after the instruction ---- */

static void host_take_fpu(struct x86_state *s, const uint8_t *x)
{
    s->fcw = ld16le(x);
    s->fsw = ld16le(x + 2);
    s->ftag = x[4];
    s->fop = ld16le(x + 6);
    s->fip = ld64le(x + 8);
    s->fdp = ld64le(x + 16);
    s->mxcsr = ld32le(x + 24);
    unsigned top = (s->fsw & FSW_TOP) >> FSW_TOP_SHIFT;
    for (unsigned i = 0; i < 8; i++) {
        s->fpr[(top + i) & 7].mant = ld64le(x + 32 + 16 * i);
        s->fpr[(top + i) & 7].se = ld16le(x + 32 + 16 * i + 8);
    }
    for (unsigned i = 0; i < 16; i++) {
        memcpy(s->ymm[i], x + 160 + 16 * i, 16);
        memset(s->ymm[i] + 16, 0, 16);
        if (host.avx && (x[512] & 4)) { /* bit 2 of XSTATE_BV: the upper halves */
            memcpy(s->ymm[i] + 16, x + 576 + 16 * i, 16);
        }
    }
}

/* Linux's order of registers in a signal frame, by x86's. */
static const uint8_t frame_order[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

static void host_on_signal(int sig, siginfo_t *info, void *opaque)
{
    uint16_t fs, gs, ds, es;
    uint64_t fs_base = 0;
    /* First of all: no #AC in here, and FS, by which the C library finds its thread. */
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandl $~0x40000, (%%rsp)\n\tpopfq\n\t"
                     "lea 128(%%rsp), %%rsp\n\tmov %%fs, %0\n\tmov %%gs, %1\n\t"
                     "mov %%ds, %2\n\tmov %%es, %3"
                     : "=&r"(fs), "=&r"(gs), "=&r"(ds), "=&r"(es)
                     :
                     : "cc", "memory");
    if (host.fsgsbase) {
        __asm__ volatile("rdfsbase %0\n\tmov %2, %%fs\n\tmov %2, %%gs\n\twrfsbase %1"
                         : "=&r"(fs_base)
                         : "r"(host.fs_base), "r"(0));
    }
    ucontext_t *uc = opaque;
    greg_t *r = uc->uc_mcontext.gregs;
    uint64_t segments = (uint64_t)r[REG_CSGSFS];
    struct host_result *res = &host_result;
    uint16_t cs = (uint16_t)segments;
    uint64_t base = cs == SEL_CODE16 || cs == SEL_CODE32 ? CODE_PAGE : 0;
    uint64_t at = (uint64_t)r[REG_RIP] + base;
    if (at - NATIVE < 0x1000) {
        signal(sig, SIG_DFL); /* our own bug */
        return;
    }
    res->vector = (int)r[REG_TRAPNO];
    res->error = (uint32_t)r[REG_ERR];
    res->address = (uint64_t)r[REG_CR2];
    if (res->vector == X86_BP && at - 1 != CODE) {
        res->vector = -1;
        at--;
    } else if (res->vector == X86_PF && res->address == at && at != CODE) {
        res->vector = -1; /* it jumped to where nothing is */
    }
    for (unsigned i = 0; i < 16; i++) {
        res->s.gpr[i] = (uint64_t)r[frame_order[i]];
    }
    res->s.rip = at - CODE_PAGE;
    res->s.rflags = (uint64_t)r[REG_EFL];
    res->s.seg[S_CS].sel = cs;
    res->s.seg[S_SS].sel = (uint16_t)(segments >> 48);
    res->s.seg[S_DS].sel = ds;
    res->s.seg[S_ES].sel = es;
    res->s.seg[S_FS].sel = fs;
    res->s.seg[S_GS].sel = gs;
    res->s.seg[S_FS].base = fs_base;
    host_take_fpu(&res->s, (const uint8_t *)uc->uc_mcontext.fpregs);
    r[REG_CSGSFS] = SEL_USER64 | (greg_t)SEL_USER_DATA << 48;
    r[REG_RIP] = GIVE_UP;
    r[REG_EFL] = 0x202;
}

/* ---- before it ---- */

static uint8_t *put(uint8_t *p, unsigned n, uint64_t bytes)
{
    memcpy(p, &bytes, n);
    return p + n;
}

/* An instruction with an absolute operand: @opcode of @n bytes, /@reg, [context + @offset]. */
static uint8_t *put_abs(uint8_t *p, unsigned n, uint64_t opcode, unsigned reg, size_t offset)
{
    p = put(p, n, opcode);
    *p++ = (uint8_t)((reg & 7) << 3 | 4);
    *p++ = 0x25;
    return put(p, 4, CONTEXT + offset);
}

/* MOV between 64-bit register @r and the context: 8B loads, 89 stores. */
static uint8_t *put_mov(uint8_t *p, unsigned opcode, unsigned r, size_t offset)
{
    return put_abs(p, 2, (opcode << 8) | 0x48 | (r & 8) >> 1, r, offset);
}

static void host_write_routine(void)
{
    uint8_t *p = put((uint8_t *)(uintptr_t)NATIVE, 8, 0x5641554154415553ull);
    /* push rbx rbp r12 r13 r14 */
    p = put(p, 2, 0x5741); /* push r15 */
    p = put_mov(p, 0x89, R_SP, offsetof(struct host_context, host_rsp));
    p = put(p, 5, 0x07b8);                            /* mov eax, 7 */
    p = put(p, 2, 0xd231);                            /* xor edx, edx */
    p = put_abs(p, 3, 0xae0f48, host.avx ? 5 : 1, 0); /* XRSTOR64, FXRSTOR64 */
    if (host.fsgsbase) {
        p = put_mov(p, 0x8b, R_AX, offsetof(struct host_context, fs_base));
        p = put(p, 5, 0xd0ae0f48f3); /* wrfsbase rax */
    }
    p = put_abs(p, 1, 0x8e, S_DS, offsetof(struct host_context, ds));
    p = put_abs(p, 1, 0x8e, S_ES, offsetof(struct host_context, es));
    p = put_abs(p, 1, 0xff, 6, offsetof(struct host_context, flags)); /* push */
    *p++ = 0x9d;                                                      /* popfq */
    for (unsigned r = 0; r < 16; r++) {
        if (r == R_SP) {
            p = put_abs(p, 1, 0x8e, S_SS, offsetof(struct host_context, ss));
        }
        p = put_mov(p, 0x8b, r, offsetof(struct host_context, gpr) + 8 * r);
    }
    put_abs(p, 1, 0xff, 5, offsetof(struct host_context, entry)); /* jmp far */

    p = (uint8_t *)(uintptr_t)GIVE_UP;
    p = put_mov(p, 0x8b, R_SP, offsetof(struct host_context, host_rsp));
    *p++ = 0xfc;                          /* cld */
    p = put(p, 2, 0xe3db);                /* fninit */
    p = put(p, 2, 0x5f41);                /* pop r15 */
    p = put(p, 8, 0x5b5d5c415d415e41ull); /* pop r14 r13 r12 rbp rbx */
    *p = 0xc3;                            /* ret */
}

static void host_load(const struct x86_state *s)
{
    uint8_t *x = context->image;
    unsigned top = (s->fsw & FSW_TOP) >> FSW_TOP_SHIFT;
    memset(x, 0, sizeof(context->image));
    st16le(x, s->fcw);
    st16le(x + 2, s->fsw);
    x[4] = s->ftag;
    st16le(x + 6, s->fop);
    st64le(x + 8, s->fip);
    st64le(x + 16, s->fdp);
    st32le(x + 24, s->mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        st64le(x + 32 + 16 * i, s->fpr[(top + i) & 7].mant);
        st16le(x + 32 + 16 * i + 8, s->fpr[(top + i) & 7].se);
    }
    x[512] = 7;
    for (unsigned i = 0; i < 16; i++) {
        memcpy(x + 160 + 16 * i, s->ymm[i], 16);
        memcpy(x + 576 + 16 * i, s->ymm[i] + 16, 16);
    }
    memcpy(context->gpr, s->gpr, sizeof(context->gpr));
    context->flags = s->rflags;
    context->fs_base = s->seg[S_FS].base;
    context->ds = s->seg[S_DS].sel;
    context->es = s->seg[S_ES].sel;
    context->ss = s->seg[S_SS].sel;
    context->entry_cs = s->seg[S_CS].sel;
    context->entry = (uint32_t)(CODE - s->seg[S_CS].base);
}

/* Runs what is at CODE from state @s; what came of it is in host_result. */
static void host_run(const struct x86_state *s)
{
    host_load(s);
    host_result.s.seg[S_FS].base = 0;
    ((void (*)(void))(uintptr_t)NATIVE)();
    __asm__ volatile("ldmxcsr %0" : : "m"((uint32_t){0x1f80}));
}

/* ---- what the host has ---- */

static bool host_has(unsigned feature)
{
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0, word = feature / 32;
    unsigned leaf = word <= X86_W_1_ECX    ? 1
                    : word <= X86_W_81_ECX ? 0x80000001
                    : word <= X86_W_7_ECX  ? 7
                                           : 0xd;
    if (word == X86_W_OTHER) {
        return true;
    }
    __get_cpuid_count(leaf, leaf == 0xd, &eax, &ebx, &ecx, &edx);
    const unsigned words[X86_WORDS] = {edx, ecx, edx, ecx, ebx, ecx, eax};
    return words[word] >> (feature % 32) & 1;
}

static bool host_covers(const struct insn_info *info)
{
    return host_has(info->feature) && (info->map < MAP_V0F || host.avx);
}

static void host_find_features(void)
{
    unsigned eax = 0, edx = 0;
    if (host_has(X86_FEATURE(1_ECX, 27))) { /* OSXSAVE */
        __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
        host.avx = host_has(X86_F_AVX) && (eax & 7) == 7;
        host.xcr0 = (uint64_t)edx << 32 | eax;
    }
    host.fsgsbase = getauxval(AT_HWCAP2) & 2; /* Linux: the kernel has switched it on */
    if (host.fsgsbase) {
        __asm__ volatile("rdfsbase %0" : "=r"(host.fs_base));
    }
}

/* 0, or why the host has no LDT for us. */
static int host_write_ldt(void)
{
    for (unsigned i = 0; i < SEL_LDT_COUNT; i++) {
        const struct ldt_entry *e = &ldt_entries[i];
        struct user_desc d = {
            .entry_number = i,
            .base_addr = e->base,
            .limit = e->limit,
            .seg_32bit = (e->attr & AR_DB) != 0,
            .contents = e->attr & AR_CODE ? 2 : 0,
            .read_exec_only = !(e->attr & AR_WRITABLE),
        };
        if (syscall(SYS_modify_ldt, 0x11, &d, sizeof(d)) != 0) {
            return errno;
        }
    }
    return 0;
}

static bool host_map(uint32_t at, size_t bytes, int protection, int fd)
{
    void *want = (void *)(uintptr_t)at;
    int flags = MAP_FIXED_NOREPLACE | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
    return mmap(want, bytes, protection, flags, fd, 0) == want;
}

/* The page's memory twice, so that a stray store of an instruction cannot change the next one. */
static bool host_map_code(void)
{
    int fd = memfd_create("code", 0);
    if (fd < 0 || ftruncate(fd, CODE_BYTES) != 0) {
        return false;
    }
    host_code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    bool mapped =
        host_code != MAP_FAILED && host_map(CODE_PAGE, CODE_BYTES, PROT_READ | PROT_EXEC, fd);
    close(fd);
    return mapped;
}

static bool host_setup(void)
{
    static uint8_t stack[256 * 1024];
    const stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction sa = {.sa_sigaction = host_on_signal,
                           .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    static const int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGTRAP};
    host_find_features();
    if (!host_map(NATIVE, 0x1000, PROT_READ | PROT_WRITE, -1) ||
        !host_map(CONTEXT, 0x1000, PROT_READ | PROT_WRITE, -1) || !host_map_code() ||
        !host_map(DATA, DATA_BYTES, PROT_READ | PROT_WRITE, -1)) {
        return false;
    }
    memset(host_code, 0xcc, CODE_BYTES);
    sigaltstack(&ss, NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
        sigaction(signals[i], &sa, NULL);
    }
    host_write_routine();
    mprotect((void *)(uintptr_t)NATIVE, 0x1000, PROT_READ | PROT_EXEC);
    host.ldt = host_write_ldt() == 0;
    return true;
}

#endif
