/*
 * The interpreter against the processor it runs on: every row of insn.def of test class N or T,
 * with random operands and state, as 32-bit user code. Registers, memory and flags must be equal; a
 * fault of one must be a fault of the other. Flags that a row leaves undefined are not compared,
 * unless -x is given: the chosen values are those of Intel's current processors, but OF after ROL
 * and ROR of a register by an immediate.
 *
 * Usage: test_native [-x] [-n CASES] [-s SEED] [NAME...]: only rows of these mnemonics.
 *
 * The process jumps into a 32-bit code segment at NATIVE, where registers are loaded from a
 * context, the instruction runs, and they are stored again; a signal handler catches its faults.
 */
#include "tests/unit/interp_bench.h"

#include "core/cpu/flags.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)

/* Low memory, at the same addresses in this process and in the guest. */
#define NATIVE     0x10000000u
#define CONTEXT    (NATIVE + 0x800)
#define STACK_TOP  (NATIVE + 0xff0)
#define CODE       (NATIVE + 0x1000)
#define DATA       (NATIVE + 0x2000)
#define DATA_BYTES 0x3000u
#define ALL_BYTES  0x5000u

struct context {
    uint32_t gpr[8];
    uint32_t flags;
    uint32_t entry;              /* far pointer into the 32-bit segment */
    uint16_t entry_cs;
};

static struct context *const context = (struct context *)(uintptr_t)CONTEXT;
static uint8_t *const native = (uint8_t *)(uintptr_t)NATIVE;

enum { USER32_CS = 0x23, USER_CS = 0x33, USER_DS = 0x2b }; /* Linux's selectors */

/* ---- native execution ---- */

static uint64_t resume_rip, resume_rsp;
static volatile sig_atomic_t signalled;

static void on_signal(int sig, siginfo_t *info, void *opaque)
{
    ucontext_t *uc = opaque;
    greg_t *r = uc->uc_mcontext.gregs;
    uint64_t segments = (uint64_t)r[REG_CSGSFS];
    if ((segments & 0xffff) != USER32_CS) {
        signal(sig, SIG_DFL);    /* our own bug */
        return;
    }
    signalled = sig;
    r[REG_CSGSFS] =
        (greg_t)((segments & 0x0000ffffffff0000ull) | USER_CS | (uint64_t)USER_DS << 48);
    r[REG_RIP] = (greg_t)resume_rip;
    r[REG_RSP] = (greg_t)resume_rsp;
    r[REG_EFL] = 0x202;
}

static uint8_t *put(uint8_t *p, unsigned n, uint64_t bytes)
{
    memcpy(p, &bytes, n);
    return p + n;
}

/* MOV between register @r and the context: 8B loads, 89 stores. */
static uint8_t *put_mov(uint8_t *p, uint8_t opcode, unsigned r)
{
    *p++ = opcode;
    *p++ = (uint8_t)(r << 3 | 5);
    return put(p, 4, CONTEXT + 4 * r);
}

static uint8_t *put_jmp(uint8_t *p, uint32_t to)
{
    *p = 0xe9;
    return put(p + 1, 4, to - (uint32_t)(uintptr_t)(p + 5));
}

#define BACK32 (NATIVE + 0x100)
#define BACK64 (NATIVE + 0x200)

static void write_stubs(void)
{
    uint8_t *p = native;
    *p++ = 0xbc; /* mov esp, STACK_TOP */
    p = put(p, 4, STACK_TOP);
    p = put(p, 2, 0x35ff); /* push dword [flags] */
    p = put(p, 4, CONTEXT + offsetof(struct context, flags));
    *p++ = 0x9d; /* popfd */
    for (unsigned r = 0; r < 8; r++) {
        p = put_mov(p, 0x8b, r);
    }
    put_jmp(p, CODE);

    p = native + (BACK32 - NATIVE);
    for (unsigned r = 0; r < 8; r++) {
        p = put_mov(p, 0x89, r);
    }
    *p++ = 0xbc;
    p = put(p, 4, STACK_TOP);
    *p++ = 0x9c; /* pushfd */
    p = put(p, 2, 0x058f); /* pop dword [flags] */
    p = put(p, 4, CONTEXT + offsetof(struct context, flags));
    *p++ = 0xea; /* jmp far BACK64 */
    p = put(p, 4, BACK64);
    put(p, 2, USER_CS);
}

/* Runs what is at CODE. False if it faulted. */
static bool run_native(void)
{
    context->entry = NATIVE;
    context->entry_cs = USER32_CS;
    signalled = 0;
    __asm__ volatile("sub $128, %%rsp\n\t" /* the red zone */
                     "push %%rbp\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "mov %%rax, %[rip]\n\t"
                     "mov %%rsp, %[rsp]\n\t"
                     "movw $0xb848, (%[back])\n\t" /* mov rax, imm64; jmp rax */
                     "mov %%rax, 2(%[back])\n\t"
                     "movw $0xe0ff, 10(%[back])\n\t"
                     "mov $0x2b, %%eax\n\t"
                     "mov %%eax, %%ds\n\t"
                     "mov %%eax, %%es\n\t"
                     "ljmpl *(%[entry])\n\t"
                     "1: cld\n\t"
                     "mov %[rsp], %%rsp\n\t"
                     "pop %%rbp\n\t"
                     "add $128, %%rsp\n\t"
                     : [rip] "=m"(resume_rip), [rsp] "+m"(resume_rsp)
                     : [back] "d"((uintptr_t)BACK64), [entry] "c"(&context->entry)
                     : "rax", "rbx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "cc", "memory");
    return signalled == 0;
}

/* ---- cases ---- */

struct test_case {
    struct insn in;
    uint8_t bytes[16];
    uint32_t gpr[8];
    uint32_t flags;
};

struct native_test {
    struct interp_bench *b;
    struct ram_block block;
    uint8_t data[DATA_BYTES];
    uint64_t rng;
    bool exact;
    unsigned long cases, skipped, faults, failed;
};

static uint32_t rnd(struct native_test *t)
{
    t->rng ^= t->rng << 13;
    t->rng ^= t->rng >> 7;
    t->rng ^= t->rng << 17;
    return (uint32_t)(t->rng >> 20);
}

/* Values near the borders as often as others. */
static uint32_t rnd_value(struct native_test *t)
{
    static const uint32_t border[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
                                      0x80000000, 0xffffffff, 0x99, 9, 0x10000, 0xff00};
    uint32_t r = rnd(t);
    switch (r & 3) {
    case 0: return border[(r >> 2) % ARRAY_SIZE(border)];
    case 1: return (r >> 2) & 0xff;
    default: return rnd(t);
    }
}

static uint8_t rnd_modrm(struct native_test *t, const struct insn_info *info)
{
    uint8_t v = (uint8_t)rnd(t);
    unsigned m = info->modrm;
    if (m < 8) {
        return (uint8_t)((v & 0xc7) | m << 3);
    }
    if (m <= 0xff) {
        return (uint8_t)m;
    }
    if (m < MODRM_M) {
        v = (uint8_t)((v & 0xc7) | (m & 7) << 3);
    }
    bool mem = (m >= MODRM_M0 && m < MODRM_R0) || m == MODRM_M;
    bool reg = (m >= MODRM_R0 && m < MODRM_M) || m == MODRM_R;
    return mem && v >= 0xc0 ? v & 0x7f : reg ? v | 0xc0 : v;
}

/* Random bytes of an instruction of @row; false if they came out as something else. */
static bool make_bytes(struct native_test *t, unsigned row, struct test_case *c)
{
    const struct insn_info *info = &insn_info[row];
    uint8_t *p = c->bytes;
    uint32_t r = rnd(t);
    if ((info->attr & A_STRING) && (r & 1)) {
        *p++ = r & 2 ? 0xf2 : 0xf3;
    }
    if ((r & 0xc) == 0) {
        *p++ = 0x66;
    }
    if ((info->attr & A_LOCK) && (r & 0x70) == 0) {
        *p++ = 0xf0;
    }
    if (info->pfx == PFX_PF3) {
        *p++ = 0xf3;
    }
    if (info->map == MAP_M0F) {
        *p++ = 0x0f;
    }
    *p++ = (uint8_t)(info->opcode + (info->opcodes > 1 ? (r >> 8) % info->opcodes : 0));
    if (info->has_modrm) {
        *p++ = rnd_modrm(t, info);
    }
    while (p < c->bytes + sizeof(c->bytes)) {
        *p++ = (uint8_t)rnd_value(t);
    }
    return decode(c->bytes, INSN_MAX_BYTES, DECODE_32, &c->in) == DECODE_OK && c->in.row == row;
}

/* Registers such that the memory operand lies in the data area; false where that cannot be. */
static bool aim(struct native_test *t, struct test_case *c)
{
    const struct insn *in = &c->in;
    uint32_t target = DATA + 0x800 + rnd(t) % 0x1800;
    uint32_t *base = &c->gpr[in->base / 8 & 7], *index = &c->gpr[in->index / 8 & 7];
    if (!in->mem) {
        return true;
    }
    if (insn_info[in->row].operand[0] == OPD_Ob || insn_info[in->row].operand[0] == OPD_Ov ||
        insn_info[in->row].operand[1] == OPD_Ob || insn_info[in->row].operand[1] == OPD_Ov) {
        memcpy(c->bytes + in->len - 4, &target, 4);
        return true;
    }
    if (in->base == GPR_OFF_ZERO) {
        return false;            /* a displacement alone: the forms with a base are as good */
    }
    uint32_t offset = (uint32_t)in->disp;
    if (in->index != GPR_OFF_ZERO) {
        if (in->index == in->base) {
            return false;
        }
        *index = rnd(t) & 0xff;
        offset += *index << in->scale;
    }
    *base = target - offset;
    return true;
}

static bool make_case(struct native_test *t, unsigned row, struct test_case *c)
{
    const struct insn_info *info = &insn_info[row];
    if (!make_bytes(t, row, c)) {
        return false;
    }
    for (unsigned i = 0; i < 8; i++) {
        c->gpr[i] = rnd_value(t);
    }
    c->flags = (rnd(t) & (FL_OSZAPC | FL_DF)) | FL_1 | FL_IF;
    if (info->attr & A_STACK) {
        c->gpr[R_SP] = DATA + 0x1000 + (rnd(t) & 0xfff);
        c->gpr[R_BP] = c->gpr[R_SP] + 0x100;
    }
    if (info->test == TEST_T) {
        c->gpr[R_SI] = DATA + 0x800 + rnd(t) % 0x1800;
        c->gpr[R_DI] = DATA + 0x800 + rnd(t) % 0x1800;
        c->gpr[R_BX] = DATA + rnd(t) % 0x2000;
        c->gpr[R_CX] = rnd(t) % 80;
    }
    if (info->operand[1] == OPD_Gv && strncmp(info->name, "bt", 2) == 0) {
        c->gpr[c->in.r / 8] = (rnd(t) & 0x3fff) - 0x2000; /* bits around the operand */
    }
    return aim(t, c);
}

/* ---- comparing ---- */

static void setup_guest(struct native_test *t, const struct test_case *c)
{
    struct x86_state *s = &t->b->cpu->s;
    for (unsigned i = 0; i < 6; i++) {
        s->seg[i] = (struct x86_seg){.sel = USER_DS, .attr = 0xc0f3, .limit = 0xffffffff};
    }
    s->seg[S_CS] = (struct x86_seg){.sel = USER32_CS, .attr = 0xc0fb, .limit = 0xffffffff};
    s->cr0 = CR0_PE | CR0_ET;
    s->idtr.limit = 0;           /* a fault is a shutdown */
    s->activity = ACT_RUNNING;
    s->rip = CODE;
    s->rflags = c->flags;
    for (unsigned i = 0; i < 8; i++) {
        s->gpr[i] = c->gpr[i];
    }
    x86_state_loaded(t->b->cpu);
    space_write_bytes(&t->b->mem, DATA, t->data, DATA_BYTES);
    space_write_bytes(&t->b->mem, CODE, c->bytes, sizeof(c->bytes));
}

static uint32_t undefined_flags(unsigned row)
{
    static const struct { char letter; uint32_t flag; } letters[] = {
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

static void report(struct native_test *t, const struct test_case *c, const char *what,
                   uint32_t ours, uint32_t theirs)
{
    static const char *const names[8] = {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"};
    if (t->failed++ < 40) {
        printf("%s [", insn_info[c->in.row].name);
        for (unsigned i = 0; i < c->in.len; i++) {
            printf("%02x", c->bytes[i]);
        }
        printf("] %s: %x, native %x;", what, ours, theirs);
        for (unsigned i = 0; i < 8; i++) {
            printf(" %s=%x", names[i], c->gpr[i]);
        }
        printf(" flags=%x\n", c->flags);
    }
}

/* Where the guest's and the native data area differ first; DATA_BYTES if nowhere. */
static unsigned data_difference(struct native_test *t)
{
    const uint8_t *ours = ram_host(&t->block) + (DATA - NATIVE), *theirs = native + (DATA - NATIVE);
    for (unsigned i = 0; i < DATA_BYTES; i++) {
        if (ours[i] != theirs[i]) {
            return i;
        }
    }
    return DATA_BYTES;
}

static void compare(struct native_test *t, const struct test_case *c, bool fine, bool native_fine)
{
    const struct x86_state *s = &t->b->cpu->s;
    uint32_t mask = FL_OSZAPC | FL_DF;
    if (!t->exact) {
        mask &= ~undefined_flags(c->in.row);
    }
    if (fine != native_fine) {
        report(t, c, "faults", !fine, !native_fine);
        return;
    }
    if (!fine) {
        t->faults++;
        return;
    }
    uint32_t flags = (uint32_t)x86_get_rflags(t->b->cpu);
    if ((flags ^ context->flags) & mask) {
        report(t, c, "flags", flags & mask, context->flags & mask);
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        if (s->gpr[i] != context->gpr[i]) {
            static const char *const names[8] = {"eax", "ecx", "edx", "ebx",
                                                 "esp", "ebp", "esi", "edi"};
            report(t, c, names[i], (uint32_t)s->gpr[i], context->gpr[i]);
            return;
        }
    }
    unsigned at = data_difference(t);
    if (at < DATA_BYTES) {
        report(t, c, "memory", ram_host(&t->block)[DATA - NATIVE + at], native[DATA - NATIVE + at]);
    }
}

static void run_case(struct native_test *t, struct test_case *c)
{
    if (c->in.row == ROW_M1_0x9d_X_X_popf) { /* no TF, NT or AC */
        st32le(t->data + (c->gpr[R_SP] - DATA), (rnd(t) & (FL_OSZAPC | FL_DF)) | FL_1 | FL_IF);
    }
    memcpy(native + (DATA - NATIVE), t->data, DATA_BYTES);
    memcpy(native + (CODE - NATIVE), c->bytes, sizeof(c->bytes));
    put_jmp(native + (CODE - NATIVE) + c->in.len, BACK32);
    memcpy(context->gpr, c->gpr, sizeof(c->gpr));
    context->flags = c->flags;
    t->cases++;
    bool native_fine = run_native();
    if (signalled == SIGSEGV || signalled == SIGBUS) {
        t->skipped++;            /* it went outside our pages */
        return;
    }
    setup_guest(t, c);
    t->b->stop_at = interp_icount(t->b->cpu) + 1;
    ibench_run(t->b);
    compare(t, c, t->b->cpu->s.activity == ACT_RUNNING, native_fine);
}

static void run_row(struct native_test *t, unsigned row, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct test_case c;
        bool made = false;
        memset(&c, 0, sizeof(c));
        for (unsigned tries = 0; tries < 20 && !made; tries++) {
            made = make_case(t, row, &c);
        }
        if (made) {
            run_case(t, &c);
        }
        if (i % 16 == 0) {
            for (unsigned k = 0; k < DATA_BYTES; k += 4) {
                st32le(t->data + k, rnd_value(t));
            }
        }
    }
}

static bool setup_native(struct native_test *t)
{
    static uint8_t stack[65536];
    const stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction sa = {.sa_sigaction = on_signal,
                           .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    static const int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGTRAP};
    void *p = mmap(native, ALL_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (p != native) {
        return false;
    }
    sigaltstack(&ss, NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
        sigaction(signals[i], &sa, NULL);
    }
    write_stubs();
    t->b = ibench_new(64 * KiB, "pentiumpro");
    if (!ram_block_new(&t->b->arena, &t->block, "native", ALL_BYTES, NULL)) {
        return false;
    }
    region_ram(&t->b->mmio_region, "native", &t->block);
    region_map(&t->b->mem.root, &t->b->mmio_region, NATIVE, 1);
    space_commit(&t->b->mem);
    x86_tlb_flush(t->b->cpu);
    return true;
}

/* A first step into the 32-bit segment: false where the host kernel has none. */
static bool has_32_bit(void)
{
    put_jmp(native + (CODE - NATIVE), BACK32);
    memset(context, 0, sizeof(*context));
    context->flags = FL_1 | FL_IF;
    return run_native();
}

static bool wanted(const struct insn_info *info, int argc, char **argv)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] == '-') {
            i += argv[i][1] != 'x';
            continue;
        }
        any = true;
        if (!strcmp(argv[i], info->name)) {
            return true;
        }
    }
    return !any;
}

int main(int argc, char **argv)
{
    static struct native_test t = {.rng = 88172645463325252ull};
    unsigned n = 200;
    for (int i = 1; i < argc; i++) {
        t.exact = t.exact || !strcmp(argv[i], "-x");
        if (!strcmp(argv[i], "-n") && i + 1 < argc) {
            n = (unsigned)strtoul(argv[i + 1], NULL, 0);
        }
        if (!strcmp(argv[i], "-s") && i + 1 < argc) {
            t.rng += strtoull(argv[i + 1], NULL, 0) * 0x9e3779b97f4a7c15ull;
        }
    }
    if (!setup_native(&t) || !has_32_bit()) {
        printf("skipped: this host runs no 32-bit code segment\n");
        return 0;
    }
    for (unsigned row = 1; row < ROW_COUNT; row++) {
        const struct insn_info *info = &insn_info[row];
        if ((info->test == TEST_N || info->test == TEST_T) && !(info->attr & A_O64) &&
            wanted(info, argc, argv)) {
            run_row(&t, row, n);
        }
    }
    printf("%lu cases, %lu outside memory, %lu faults alike, %lu failed\n", t.cases, t.skipped,
           t.faults, t.failed);
    return t.failed != 0;
}

#else

int main(void)
{
    printf("skipped: the host is no x86\n");
    return 0;
}

#endif
