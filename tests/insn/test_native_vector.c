/*
 * The interpreter against the processor it runs on: every row of insn.def of test class V (MMX,
 * SSE, AVX and the later integer extensions), with random operands and state, as 64-bit user code.
 * General, vector and MMX registers, MXCSR, flags and memory must be equal; a fault of one must be
 * the same fault of the other, with the same MXCSR. Rows of features that this host lacks are named
 * as not covered. Flags that a row leaves undefined are not compared, unless -x is given.
 *
 * Documented differences: RCPPS, RSQRTPS and their scalar forms are compared within the manual's
 * error bound (processors differ). Where an unmasked overflow or underflow faults, PE may differ: a
 * processor looks at the result with its exponent unbounded, we at the one of the format.
 *
 * Usage: test_native_vector [-x] [-n CASES] [-s SEED] [NAME...]: only rows of these mnemonics.
 *
 * At NATIVE a routine loads all state from a context, runs the instruction at CODE and stores all
 * state again; a signal handler catches faults.
 */
#include "tests/unit/interp_long.h"

#include "core/accel/interp/vec.h"
#include "core/cpu/flags.h"

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)

#include <cpuid.h>

/* Low memory, at the same addresses in this process and in the guest. */
#define NATIVE     0x10000000u
#define CONTEXT    (NATIVE + 0x1000)
#define CODE       (NATIVE + 0x3000)
#define DATA       (NATIVE + 0x4000)
#define DATA_BYTES 0x3000u
#define ALL_BYTES  0x7000u
#define LEAVE      (NATIVE + 0x400) /* after the instruction */
#define GIVE_UP    (NATIVE + 0x800) /* after a fault */

/* What the routine loads and stores: an XSAVE image in the standard format, and the rest. */
struct context {
    uint8_t image[1024];
    uint64_t gpr[16];
    uint64_t flags, host_rsp;
};
static struct context *const context = (struct context *)(uintptr_t)CONTEXT;
static uint8_t *const native = (uint8_t *)(uintptr_t)NATIVE;
static bool host_avx;

/* ---- native execution ---- */

static struct {
    volatile sig_atomic_t vector; /* -1: none */
    uint32_t mxcsr;
    uint64_t address;
} fault;

static void on_signal(int sig, siginfo_t *info, void *opaque)
{
    ucontext_t *uc = opaque;
    greg_t *r = uc->uc_mcontext.gregs;
    if ((uint64_t)r[REG_RIP] - CODE >= 0x1000) {
        signal(sig, SIG_DFL);    /* our own bug */
        return;
    }
    fault.vector = (sig_atomic_t)r[REG_TRAPNO];
    fault.mxcsr = uc->uc_mcontext.fpregs->mxcsr;
    fault.address = (uint64_t)(uintptr_t)info->si_addr;
    r[REG_RIP] = GIVE_UP;
    r[REG_EFL] = 0x202;
}

static uint8_t *put(uint8_t *p, unsigned n, uint64_t bytes)
{
    memcpy(p, &bytes, n);
    return p + n;
}

/* An instruction with an absolute operand: @opcode of @n bytes, /@reg, [@address]. */
static uint8_t *put_abs(uint8_t *p, unsigned n, uint64_t opcode, unsigned reg, uint32_t address)
{
    p = put(p, n, opcode);
    *p++ = (uint8_t)((reg & 7) << 3 | 4);
    *p++ = 0x25;
    return put(p, 4, address);
}

/* MOV between register @r and the context: 8B loads, 89 stores. */
static uint8_t *put_mov(uint8_t *p, unsigned opcode, unsigned r, uint32_t address)
{
    return put_abs(p, 2, (opcode << 8) | 0x48 | (r & 8) >> 1, r, address);
}

static uint8_t *put_state(uint8_t *p, bool load)
{
    p = put(p, 5, 0x07b8);       /* mov eax, 7 */
    p = put(p, 2, 0xd231);       /* xor edx, edx */
    if (host_avx) {
        return put_abs(p, 3, 0xae0f48, load ? 5 : 4, CONTEXT); /* XRSTOR64, XSAVE64 */
    }
    return put_abs(p, 3, 0xae0f48, load ? 1 : 0, CONTEXT); /* FXRSTOR64, FXSAVE64 */
}

static uint8_t *put_jmp(uint8_t *p, uint32_t to)
{
    *p = 0xe9;
    return put(p + 1, 4, to - (uint32_t)(uintptr_t)(p + 5));
}

#define GPR_AT(r) (CONTEXT + (uint32_t)offsetof(struct context, gpr) + 8 * (r))
#define FLAGS_AT  (CONTEXT + (uint32_t)offsetof(struct context, flags))
#define RSP_AT    (CONTEXT + (uint32_t)offsetof(struct context, host_rsp))

static void write_routine(void)
{
    uint8_t *p = put(native, 8, 0x5641554154415553ull); /* push rbx rbp r12 r13 r14 */
    p = put(p, 2, 0x5741);                              /* push r15 */
    p = put_mov(p, 0x89, R_SP, RSP_AT);
    p = put_state(p, true);
    p = put_abs(p, 1, 0xff, 6, FLAGS_AT);               /* push [flags] */
    *p++ = 0x9d;                                        /* popfq */
    for (unsigned r = 0; r < 16; r++) {
        p = put_mov(p, 0x8b, r, GPR_AT(r));
    }
    put_jmp(p, CODE);

    p = native + (LEAVE - NATIVE);
    for (unsigned r = 0; r < 16; r++) {
        p = put_mov(p, 0x89, r, GPR_AT(r));
    }
    p = put_mov(p, 0x8b, R_SP, RSP_AT);
    *p++ = 0x9c;                                        /* pushfq */
    p = put_abs(p, 1, 0x8f, 0, FLAGS_AT);               /* pop [flags] */
    p = put_state(p, false);
    put_jmp(p, GIVE_UP);

    p = native + (GIVE_UP - NATIVE);
    p = put_mov(p, 0x8b, R_SP, RSP_AT);
    *p++ = 0xfc;                                        /* cld */
    p = put(p, 2, 0xe3db);                              /* fninit */
    p = put(p, 2, 0x5f41);                              /* pop r15 */
    put(p, 8, 0x5b5d5c415d415e41ull);                   /* pop r14 r13 r12 rbp rbx */
    p[8] = 0xc3;                                        /* ret */
}

/* Runs what is at CODE. False if it faulted. */
static bool run_native(void)
{
    fault.vector = -1;
    ((void (*)(void))(uintptr_t)NATIVE)();
    host_set_mxcsr(MXCSR_INIT);
    return fault.vector < 0;
}

/* ---- the host's features ---- */

static bool host_has(unsigned feature)
{
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0, word = feature / 32;
    unsigned leaf = word <= X86_W_1_ECX ? 1 : word <= X86_W_81_ECX ? 0x80000001
                    : word <= X86_W_7_ECX ? 7 : 0xd;
    if (word == X86_W_OTHER) {
        return true;
    }
    __get_cpuid_count(leaf, leaf == 0xd, &eax, &ebx, &ecx, &edx);
    const unsigned words[X86_WORDS] = {edx, ecx, edx, ecx, ebx, ecx, eax};
    return words[word] >> (feature % 32) & 1;
}

static bool covered(const struct insn_info *info)
{
    bool vex = info->map >= MAP_V0F;
    return host_has(info->feature) && (!vex || host_avx);
}

/* ---- cases ---- */

struct test_case {
    struct insn in;
    uint8_t bytes[16];
    struct x86_state s;          /* before the instruction */
};

struct native_test {
    struct interp_bench *b;
    struct x86_model model;
    struct ram_block block;
    uint8_t data[DATA_BYTES];
    uint64_t rng;
    bool exact;
    unsigned long cases, skipped, faults, failed;
    unsigned row_failed;         /* of this row: the first few are shown */
};

static uint64_t rnd(struct native_test *t)
{
    t->rng ^= t->rng << 13;
    t->rng ^= t->rng >> 7;
    t->rng ^= t->rng << 17;
    return t->rng * 0x2545f4914f6cdd1dull;
}

static uint64_t rnd_integer(struct native_test *t)
{
    static const uint64_t border[] = {0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
                                      0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff,
                                      0x8000000000000000, ~0ull};
    uint64_t r = rnd(t);
    return (r & 3) == 0 ? border[(r >> 8) % ARRAY_SIZE(border)] : (r & 3) == 1 ? r >> 56 : rnd(t);
}

/* Singles and doubles: special values, small integers, and near each other or the formats' ends. */
static uint32_t rnd_single(struct native_test *t)
{
    static const uint32_t special[] = {
        0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001,
        0x7f800001, 0xffbfffff, 1, 0x80000001, 0x7fffff, 0x807fffff, 0x800000, 0x7f7fffff,
        0x4f000000, 0xcf000000, 0x4effffff, 0x5f000000, 0x3f000000, 0x3fc00000, 0x40200000,
        0x477fe000, 0x477ff000, 0x38800000, 0x387fffff, 0x33000000, 0x33000001,
    };
    uint64_t r = rnd(t);
    switch (r & 7) {
    case 0: case 1: return special[(r >> 8) % ARRAY_SIZE(special)];
    case 2: return 0x3f000000 + (uint32_t)(r >> 40);
    case 3: return (uint32_t)(r >> 32) & 0x80ffffff;
    case 4: return 0x7f000000 | (uint32_t)(r >> 40);
    default: return (uint32_t)(r >> 32);
    }
}

static uint64_t rnd_double(struct native_test *t)
{
    static const uint64_t special[] = {
        0, 1ull << 63, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000,
        0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000001, 0x7ff0000000000001,
        0xfff7ffffffffffff, 1, 0x8000000000000001, 0xfffffffffffff, 0x10000000000000,
        0x7fefffffffffffff, 0x41dfffffffc00000, 0x41e0000000000000, 0xc1e0000000200000,
        0x43e0000000000000, 0xc3e0000000000000, 0x3fe0000000000000, 0x3ff8000000000000,
        0x47efffffe0000000, 0x47effffff0000000, 0x3810000000000000, 0x36a0000000000000,
    };
    uint64_t r = rnd(t);
    switch (r & 7) {
    case 0: case 1: return special[(r >> 8) % ARRAY_SIZE(special)];
    case 2: return 0x3fe0000000000000 + (r >> 12);
    case 3: return rnd(t) & 0x801fffffffffffff;
    case 4: /* of the size of integers */
        return (0x3ff0000000000000 + ((r >> 4 & 0x7f) << 52)) ^ (r << 63) ^
               (r >> 20 << 30 & 0xfffffffffffff);
    default: return rnd(t);
    }
}

static void rnd_vector(struct native_test *t, void *to, unsigned bytes)
{
    uint64_t kind = rnd(t) >> 32;
    for (unsigned i = 0; i < bytes; i += 8) {
        uint64_t v = kind % 3 == 0   ? rnd_integer(t)
                     : kind % 3 == 1 ? rnd_double(t)
                                     : rnd_single(t) | (uint64_t)rnd_single(t) << 32;
        st64le((uint8_t *)to + i, v);
    }
}

static uint8_t rnd_modrm(struct native_test *t, const struct insn_info *info)
{
    uint8_t v = (uint8_t)(rnd(t) >> 33);
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
    v = mem && v >= 0xc0 ? v & 0x7f : reg ? v | 0xc0 : v;
    return info->attr & A_VSIB ? (uint8_t)((v & 0x78) | 4) : v;
}

static uint8_t *put_vex(struct native_test *t, const struct insn_info *info, uint8_t *p)
{
    static const uint8_t pp[] = {[PFX_X] = 0, [PFX_NP] = 0, [PFX_P66] = 1, [PFX_PF3] = 2,
                                 [PFX_PF2] = 3};
    uint64_t r = rnd(t) >> 20;
    unsigned l = info->attr & A_L0 ? 0 : info->attr & A_L1 ? 1 : r & 1;
    unsigned w = info->attr & A_W0 ? 0 : info->attr & A_W1 ? 1 : r >> 1 & 1;
    unsigned vvvv = info->has_vvvv ? r >> 2 & 15 : 15;
    unsigned last = vvvv << 3 | l << 2 | pp[info->pfx];
    if (info->map == MAP_V0F && !w && (r & 0x100)) {
        *p++ = 0xc5;
        *p++ = (uint8_t)((r >> 9 & 1) << 7 | last);
        return p;
    }
    *p++ = 0xc4;
    *p++ = (uint8_t)((r >> 10 & 7) << 5 | (info->map - MAP_V0F + 1));
    *p++ = (uint8_t)(w << 7 | last);
    return p;
}

static uint8_t *put_legacy(struct native_test *t, const struct insn_info *info, uint8_t *p)
{
    uint64_t r = rnd(t) >> 20;
    if (info->pfx == PFX_P66 || ((info->pfx == PFX_PF2 || info->pfx == PFX_NF) && (r & 7) == 0)) {
        *p++ = 0x66;
    }
    if (info->pfx == PFX_PF3 || info->pfx == PFX_PF2) {
        *p++ = info->pfx == PFX_PF3 ? 0xf3 : 0xf2;
    }
    if (r & 8) {
        *p++ = (uint8_t)(0x40 | (r >> 4 & 15));
    }
    *p++ = 0x0f;
    if (info->map != MAP_M0F) {
        *p++ = info->map == MAP_M38 ? 0x38 : 0x3a;
    }
    return p;
}

/* Random bytes of an instruction of @row; false if they came out as something else. */
static bool make_bytes(struct native_test *t, unsigned row, struct test_case *c)
{
    const struct insn_info *info = &insn_info[row];
    uint8_t *p = c->bytes;
    p = info->map >= MAP_V0F ? put_vex(t, info, p) : put_legacy(t, info, p);
    *p++ = info->opcode;
    if (info->has_modrm) {
        *p++ = rnd_modrm(t, info);
    }
    while (p < c->bytes + sizeof(c->bytes)) {
        *p++ = (uint8_t)(rnd(t) >> 40);
    }
    return decode(c->bytes, INSN_MAX_BYTES, DECODE_64, &c->in) == DECODE_OK && c->in.row == row;
}

/* Indices that stay near the base. */
static void aim_indices(struct native_test *t, struct test_case *c)
{
    union vec *index = (union vec *)(void *)c->s.ymm[c->in.index & 15];
    bool wide = (insn_info[c->in.row].opcode & 1) != 0;
    for (unsigned i = 0; i < 8; i++) {
        index->d[i] = (uint32_t)((int32_t)(rnd(t) >> 33 & 0xff) - 0x80);
    }
    for (unsigned i = 0; wide && i < 4; i++) {
        index->sq[i] = (int32_t)index->d[i];
    }
}

/* Registers such that the memory operand lies in the data area; false where that cannot be. */
static bool aim(struct native_test *t, struct test_case *c)
{
    const struct insn *in = &c->in;
    uint64_t target = DATA + 0x800 + (rnd(t) >> 20) % 0x1800;
    uint64_t *base = &c->s.gpr[in->base / 8 & 15], *index = &c->s.gpr[in->index / 8 & 15];
    bool vsib = insn_info[in->row].attr & A_VSIB;
    if (rnd(t) >> 61) {
        target &= ~0x1full;
    }
    c->s.gpr[R_DI] = DATA + 0x800 + (rnd(t) >> 20) % 0x1800; /* of MASKMOVDQU */
    if (!in->mem) {
        return true;
    }
    if (in->base == GPR_OFF_ZERO || in->base == GPR_OFF_RIP) {
        return false;            /* a displacement alone: the forms with a base are as good */
    }
    uint64_t offset = (uint64_t)(int64_t)in->disp;
    if (vsib) {
        aim_indices(t, c);
    } else if (in->index != GPR_OFF_ZERO) {
        if (in->index == in->base) {
            return false;
        }
        *index = rnd(t) >> 56;
        offset += *index << in->scale;
    }
    *base = target - offset;
    return true;
}

static bool make_case(struct native_test *t, unsigned row, struct test_case *c)
{
    struct x86_state *s = &c->s;
    if (!make_bytes(t, row, c)) {
        return false;
    }
    for (unsigned i = 0; i < 16; i++) {
        s->gpr[i] = rnd_integer(t);
        rnd_vector(t, s->ymm[i], 32);
    }
    for (unsigned i = 0; i < 8; i++) {
        rnd_vector(t, &s->fpr[i].mant, 8);
        s->fpr[i].se = (uint16_t)rnd(t);
    }
    if (!host_avx) {
        for (unsigned i = 0; i < 16; i++) {
            memset(s->ymm[i] + 16, 0, 16);
        }
    }
    uint64_t r = rnd(t) >> 16;
    s->fcw = 0x37f;
    s->fsw = (uint16_t)(r & FSW_TOP);
    s->ftag = (uint8_t)(r >> 16);
    r = rnd(t) >> 16;
    s->mxcsr = (uint32_t)r & (MXCSR_FLAGS | MXCSR_DAZ | MXCSR_RC | MXCSR_FTZ);
    s->mxcsr |= r & 0x30000 ? MXCSR_MASKS : (uint32_t)(r >> 20) & MXCSR_MASKS;
    if (r & 0x40000) {
        s->mxcsr &= ~(uint32_t)(MXCSR_DAZ | MXCSR_FTZ);
    }
    s->rflags = (rnd(t) & (FL_OSZAPC | FL_DF)) | FL_1 | FL_IF;
    return aim(t, c);
}

/* ---- the guest ---- */

static void setup_guest(struct native_test *t, const struct test_case *c)
{
    struct x86_state *s = &t->b->cpu->s;
    ilong_state(t->b, CODE);
    memcpy(s->gpr, c->s.gpr, sizeof(s->gpr));
    memcpy(s->ymm, c->s.ymm, sizeof(s->ymm));
    memcpy(s->fpr, c->s.fpr, sizeof(s->fpr));
    s->gpr[16] = s->gpr[17] = 0;
    s->rflags = c->s.rflags;
    s->mxcsr = c->s.mxcsr;
    s->fcw = c->s.fcw;
    s->fsw = c->s.fsw;
    s->ftag = c->s.ftag;
    x86_state_loaded(t->b->cpu);
    space_write_bytes(&t->b->mem, DATA, t->data, DATA_BYTES);
    space_write_bytes(&t->b->mem, CODE, c->bytes, sizeof(c->bytes));
}

static void load_context(const struct test_case *c)
{
    uint8_t *x = context->image;
    unsigned top = (c->s.fsw & FSW_TOP) >> FSW_TOP_SHIFT;
    memset(x, 0, sizeof(context->image));
    st16le(x, c->s.fcw);
    st16le(x + 2, c->s.fsw);
    x[4] = c->s.ftag;
    st32le(x + 24, c->s.mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        st64le(x + 32 + 16 * i, c->s.fpr[(top + i) & 7].mant);
        st16le(x + 32 + 16 * i + 8, c->s.fpr[(top + i) & 7].se);
    }
    x[512] = 7;
    for (unsigned i = 0; i < 16; i++) {
        memcpy(x + 160 + 16 * i, c->s.ymm[i], 16);
        memcpy(x + 576 + 16 * i, c->s.ymm[i] + 16, 16);
    }
    memcpy(context->gpr, c->s.gpr, sizeof(context->gpr));
    context->flags = c->s.rflags;
}

/* ---- comparing ---- */

static void report(struct native_test *t, const struct test_case *c, const char *what,
                   const void *ours, const void *theirs, unsigned n)
{
    t->failed++;
    if (t->row_failed++ >= 3) {
        return;
    }
    printf("%s [", insn_info[c->in.row].name);
    for (unsigned i = 0; i < c->in.len; i++) {
        printf("%02x", c->bytes[i]);
    }
    printf("] %s: ", what);
    for (unsigned i = n; i-- > 0;) {
        printf("%02x", ((const uint8_t *)ours)[i]);
    }
    printf(", native ");
    for (unsigned i = n; i-- > 0;) {
        printf("%02x", ((const uint8_t *)theirs)[i]);
    }
    printf("; mxcsr %x", c->s.mxcsr);
    const unsigned regs[] = {c->in.reg, c->in.vvvv, c->in.rm};
    for (unsigned k = 0; k < 3; k++) {
        const union vec *v = (const union vec *)(const void *)c->s.ymm[regs[k] & 15];
        printf(" %s=%016llx_%016llx_%016llx_%016llx", k == 0 ? "reg" : k == 1 ? "vvvv" : "rm",
               (unsigned long long)v->q[3], (unsigned long long)v->q[2],
               (unsigned long long)v->q[1], (unsigned long long)v->q[0]);
    }
    printf(" flags=%x %s imm=%x\n", (unsigned)c->s.rflags, c->in.mem ? "mem" : "",
           (unsigned)c->in.imm);
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

/* RCP and RSQRT: both within 1.5 * 2^-12 of the true value. */
static bool close_enough(const uint8_t *ours, const uint8_t *theirs)
{
    for (unsigned i = 0; i < 8; i++) {
        uint32_t a = ld32le(ours + 4 * i), b = ld32le(theirs + 4 * i);
        uint32_t d = a > b ? a - b : b - a;
        if (d > 2 * 3 << 11) {   /* 3 * 2^-12 as units of 2^-24 */
            return false;
        }
    }
    return true;
}

static bool approximate(unsigned row)
{
    const char *name = insn_info[row].name;
    name += name[0] == 'v';
    return !strncmp(name, "rcp", 3) || !strncmp(name, "rsqrt", 5);
}

static bool compare_vectors(struct native_test *t, const struct test_case *c)
{
    const struct x86_state *s = &t->b->cpu->s;
    const uint8_t *x = context->image;
    for (unsigned i = 0; i < 16; i++) {
        uint8_t theirs[32] = {0};
        memcpy(theirs, x + 160 + 16 * i, 16);
        if (x[512] & XCR0_AVX) {
            memcpy(theirs + 16, x + 576 + 16 * i, 16);
        }
        if (memcmp(s->ymm[i], theirs, 32) &&
            !(approximate(c->in.row) && close_enough(s->ymm[i], theirs))) {
            report(t, c, "vector", s->ymm[i], theirs, 32);
            return false;
        }
    }
    return true;
}

static bool compare_x87(struct native_test *t, const struct test_case *c)
{
    const struct x86_state *s = &t->b->cpu->s;
    const uint8_t *x = context->image;
    unsigned top = (s->fsw & FSW_TOP) >> FSW_TOP_SHIFT;
    uint16_t ours[2] = {s->fsw, s->ftag}, theirs[2] = {ld16le(x + 2), x[4]};
    if (memcmp(ours, theirs, sizeof(ours))) {
        report(t, c, "x87 tags and status", ours, theirs, sizeof(ours));
        return false;
    }
    for (unsigned i = 0; i < 8; i++) {
        const struct x86_fpr *f = &s->fpr[(top + i) & 7];
        uint8_t mine[10];
        st64le(mine, f->mant);
        st16le(mine + 8, f->se);
        if (memcmp(mine, x + 32 + 16 * i, 10)) {
            report(t, c, "mmx", mine, x + 32 + 16 * i, 10);
            return false;
        }
    }
    return true;
}

static bool compare_rest(struct native_test *t, const struct test_case *c)
{
    const struct x86_state *s = &t->b->cpu->s;
    uint32_t mask = FL_OSZAPC | FL_DF, mxcsr = ld32le(context->image + 24);
    if (!t->exact) {
        mask &= ~undefined_flags(c->in.row);
    }
    uint32_t ours = (uint32_t)x86_get_rflags(t->b->cpu) & mask;
    uint32_t theirs = (uint32_t)context->flags & mask;
    if (ours != theirs) {
        report(t, c, "flags", &ours, &theirs, 4);
        return false;
    }
    if (s->mxcsr != mxcsr) {
        report(t, c, "mxcsr", &s->mxcsr, &mxcsr, 4);
        return false;
    }
    for (unsigned i = 0; i < 16; i++) {
        if (s->gpr[i] != context->gpr[i]) {
            report(t, c, "general register", &s->gpr[i], &context->gpr[i], 8);
            return false;
        }
    }
    const uint8_t *mine = ram_host(&t->block) + (DATA - NATIVE), *host = native + (DATA - NATIVE);
    for (unsigned i = 0; i < DATA_BYTES; i += 8) {
        if (memcmp(mine + i, host + i, 8)) {
            report(t, c, "memory", mine + i, host + i, 8);
            return false;
        }
    }
    return true;
}

static void compare(struct native_test *t, const struct test_case *c)
{
    int ours = ilong_vector(t->b, CODE + c->in.len), theirs = fault.vector;
    if (ours != theirs) {
        report(t, c, "faults", &ours, &theirs, 4);
        return;
    }
    if (ours >= 0) {
        t->faults++;
        uint32_t differs = t->b->cpu->s.mxcsr ^ fault.mxcsr;
        if (fault.mxcsr & (MXCSR_OE | MXCSR_UE) & ~(fault.mxcsr >> MXCSR_MASK_SHIFT)) {
            differs &= ~(uint32_t)MXCSR_PE;
        }
        if (differs) {
            report(t, c, "mxcsr of the fault", &t->b->cpu->s.mxcsr, &fault.mxcsr, 4);
        }
        return;
    }
    if (compare_vectors(t, c) && compare_x87(t, c)) {
        compare_rest(t, c);
    }
}

static void run_case(struct native_test *t, struct test_case *c)
{
    memcpy(native + (DATA - NATIVE), t->data, DATA_BYTES);
    memcpy(native + (CODE - NATIVE), c->bytes, sizeof(c->bytes));
    put_jmp(native + (CODE - NATIVE) + c->in.len, LEAVE);
    load_context(c);
    t->cases++;
    run_native();
    if (fault.vector == X86_PF && fault.address - DATA >= DATA_BYTES) {
        t->skipped++;            /* it went outside our pages */
        return;
    }
    setup_guest(t, c);
    ilong_step(t->b);
    compare(t, c);
}

static void run_row(struct native_test *t, unsigned row, unsigned n)
{
    t->row_failed = 0;
    for (unsigned i = 0; i < n; i++) {
        struct test_case c;
        bool made = false;
        memset(&c, 0, sizeof(c));
        for (unsigned tries = 0; tries < 40 && !made; tries++) {
            made = make_case(t, row, &c);
        }
        if (made) {
            run_case(t, &c);
        }
        if (i % 8 == 0) {
            rnd_vector(t, t->data, DATA_BYTES);
            for (unsigned k = 0; k < DATA_BYTES; k += 64) {
                rnd_vector(t, t->data + k, 64);
            }
        }
    }
}

static bool setup_native(struct native_test *t)
{
    static uint8_t stack[256 * 1024];
    const stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};
    struct sigaction sa = {.sa_sigaction = on_signal,
                           .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    static const int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGTRAP};
    unsigned eax = 0, edx = 0;
    if (host_has(X86_FEATURE(1_ECX, 27))) { /* OSXSAVE */
        __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
        host_avx = host_has(X86_F_AVX) && (eax & 7) == 7;
    }
    void *p = mmap(native, ALL_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (p != native) {
        return false;
    }
    sigaltstack(&ss, NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
        sigaction(signals[i], &sa, NULL);
    }
    write_routine();
    t->b = ibench_new(64 * KiB, NULL);
    t->model = *x86_model_default();
    memset(t->model.features, 0xff, sizeof(t->model.features)); /* whatever models claim */
    t->b->cpu->model = &t->model;
    if (!ram_block_new(&t->b->arena, &t->block, "native", ALL_BYTES, NULL)) {
        return false;
    }
    region_ram(&t->b->mmio_region, "native", &t->block);
    region_map(&t->b->mem.root, &t->b->mmio_region, NATIVE, 1);
    space_commit(&t->b->mem);
    ilong_tables(t->b);
    x86_tlb_flush(t->b->cpu);
    return true;
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

/* What the host cannot show: its XCR0 has more than ours. */
static bool by_unit_test(const struct insn_info *info)
{
    return !strncmp(info->name, "xsave", 5) || !strcmp(info->name, "xrstor");
}

int main(int argc, char **argv)
{
    static struct native_test t = {.rng = 88172645463325252ull};
    unsigned n = 60, absent = 0;
    for (int i = 1; i < argc; i++) {
        t.exact = t.exact || !strcmp(argv[i], "-x");
        if (!strcmp(argv[i], "-n") && i + 1 < argc) {
            n = (unsigned)strtoul(argv[i + 1], NULL, 0);
        }
        if (!strcmp(argv[i], "-s") && i + 1 < argc) {
            t.rng += strtoull(argv[i + 1], NULL, 0) * 0x9e3779b97f4a7c15ull;
        }
    }
    if (!setup_native(&t)) {
        printf("skipped: no memory at the address that the test needs\n");
        return 0;
    }
    for (unsigned row = 1; row < ROW_COUNT; row++) {
        const struct insn_info *info = &insn_info[row];
        if (info->test != TEST_V || by_unit_test(info) || !wanted(info, argc, argv)) {
            continue;
        }
        if (!covered(info)) {
            printf("%s%s", absent++ ? " " : "not covered on this host: ", info->name);
            continue;
        }
        run_row(&t, row, n);
    }
    printf("%s%lu cases, %lu outside memory, %lu faults alike, %lu failed\n", absent ? "\n" : "",
           t.cases, t.skipped, t.faults, t.failed);
    return t.failed != 0;
}

#else

int main(void)
{
    printf("skipped: the host is no x86-64\n");
    return 0;
}

#endif
