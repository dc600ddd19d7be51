/*
 * The x87: every instruction that computes or moves, in random states, against the host's own x87
 * (registers, tags, control and status word, memory, EFLAGS); transcendentals within 1 ulp of it;
 * environment images of all forms.
 * Sources: [SDM1] "Programming with the x87 FPU", [SDM2].
 */
#include "unit/cpu_bench.h"

#include "core/accel/interp/forms.h"
#include "core/cpu/decode.h"
#include "core/cpu/fpu.h"

#include <sys/mman.h>

enum { OPERAND = 0x20000 };      /* linear address of memory operands in the bench */

/* ---- the operations, from the table ---- */

#define ROW_N(r) NULL
#define ROW_T(r) NULL
#define ROW_J(r) NULL
#define ROW_S(r) NULL
#define ROW_V(r) NULL
#define ROW_F(r) FN_##r
#define FN_OP(n) run_##n
#define INSN(map, op, modrm, pfx, name, o1, o2, o3, attr, rd, wr, und, feat, run, emit, test)      \
    ROW_##test(run),
#define INSN8 INSN
static const insn_run x87_run[ROW_COUNT] = {
    NULL,
#include "core/cpu/insn.def"
};
#undef INSN
#undef INSN8

static void stop(struct x86_cpu *cpu, const struct insn *in)
{
}

/* ---- states ---- */

struct image {
    uint32_t cw, sw, tw, ip, cs_op, dp, ds;
    uint8_t reg[8][10];          /* from ST(0) on */
} __attribute__((packed));

struct state {
    struct image fpu;
    uint64_t flags;
    uint8_t mem[16];
};

static uint64_t seed;
static uint64_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1dull;
}

static struct x86_fpr random_value(void)
{
    struct x86_fpr v = {.mant = rnd() | BIT64(63), .se = (uint16_t)(rnd() & 0x8000)};
    switch (rnd() % 16) {
    case 0: v.mant = 0; break;
    case 1: v.mant = BIT64(63); v.se |= 0x7fff; break;
    case 2: v.se |= 0x7fff; break;                          /* NaN of either kind */
    case 3: v.mant >>= 1 + rnd() % 60; break;               /* denormal */
    case 4: break;                                          /* pseudo-denormal */
    case 5: v.mant &= ~BIT64(63); v.se |= 0x3fff; break;    /* unnormal */
    case 6: v.se |= 1 + rnd() % 80; break;                  /* nearly tiny */
    case 7: v.se |= 0x7ffe - rnd() % 80; break;             /* nearly huge */
    case 8: v = fpu_from_int((int64_t)rnd() >> (rnd() % 63)); break;
    case 9: v.mant = BIT64(63); v.se |= 0x3fff - 40 + rnd() % 80; break;
    case 10: v.mant &= ~0ull << (rnd() % 63); v.se |= 0x3fff - 20 + rnd() % 60; break;
    case 11: v.se |= rnd() % 0x7fff; break;
    default: v.se |= 0x3fff - 66 + rnd() % 132; break;
    }
    return v;
}

static void random_state(struct state *s)
{
    memset(s, 0, sizeof(*s));
    uint32_t masks = rnd() % 3 ? 0x3f : rnd() & 0x3f;
    uint32_t pc = rnd() % 3 ? 3 : (rnd() & 1) * 2;
    s->fpu.cw = 0xffff0040u | masks | pc << 8 | (rnd() & 3) << 10;
    s->fpu.sw = 0xffff0000u | (rnd() & (0x3f00 | 0x4000)) |
                (rnd() & 0x3f & masks & (rnd() % 2 ? 0x3f : 0)) |
                (rnd() % 8 ? 0 : 0x40 & masks << 6);
    unsigned top = s->fpu.sw >> 11 & 7;
    uint32_t tags = 0;
    for (unsigned i = 0; i < 8; i++) {
        struct x86_fpr v = random_value();
        memcpy(s->fpu.reg[i], &v.mant, 8);
        memcpy(s->fpu.reg[i] + 8, &v.se, 2);
        unsigned empty = i == 7 ? rnd() % 8 != 0 : rnd() % 16 == 0;
        tags |= (empty ? 3u : 0) << 2 * ((top + i) & 7);
    }
    s->fpu.tw = 0xffff0000u | tags;
    s->flags = 0x202 | (rnd() & FL_OSZAPC);
    struct x86_fpr m = random_value();
    uint64_t bits = rnd();
    switch (rnd() % 6) {
    case 0: memcpy(s->mem, &m, 10); break;
    case 1:
        bits = (bits & 0x800fffffffffffffull) | (rnd() % 3 * 0x3ff) << 52;
        break; /* m64, special */
    case 2: bits = (bits & 0x807fffffu) | (uint32_t)(rnd() % 3 * 0x7f) << 23; break; /* m32 */
    case 3: bits >>= rnd() % 63; break;
    default: break;
    }
    if (!s->mem[9]) {
        memcpy(s->mem, &bits, 8);
        s->mem[8] = (uint8_t)rnd();
        s->mem[9] = (uint8_t)rnd();
    }
}

/* ---- natively ---- */

static uint8_t *code_page;       /* four bytes an encoding: opcode, ModRM, RET */

static uint8_t *code_of(unsigned op, unsigned modrm)
{
    return code_page + ((op - 0xd8) * 256 + modrm) * 4;
}

static int make_code(void **state)
{
    code_page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(code_page, MAP_FAILED);
    for (unsigned op = 0xd8; op < 0xe0; op++) {
        for (unsigned modrm = 0; modrm < 256; modrm++) {
            uint8_t *p = code_of(op, modrm);
            p[0] = (uint8_t)op;
            p[1] = (uint8_t)modrm;
            p[2] = 0xc3;
        }
    }
    return mprotect(code_page, 8192, PROT_READ | PROT_EXEC);
}

/* The stack pointer moves below the red zone, so operands are reached by registers only. */
static void run_native(struct state *s, const uint8_t *code)
{
    uint8_t *m = s->mem;
    __asm__ volatile("lea -128(%%rsp), %%rsp\n\tfrstor (%[fpu])\n\tpush %[fl]\n\tpopfq\n\t"
                     "call *%[code]\n\tpushfq\n\tpop %[fl]\n\tlea 128(%%rsp), %%rsp\n\t"
                     "fnsave (%[fpu])\n\tfninit\n\tcld"
                     : [fl] "+r"(s->flags), "+S"(m)
                     : [code] "r"(code), [fpu] "r"(&s->fpu)
                     : "memory", "cc");
}

/* ---- by the interpreter's operations ---- */

static void run_ours(struct cpu_bench *b, struct state *s, const struct insn *in)
{
    struct x86_cpu *cpu = b->cpu;
    struct insn pair[2] = {*in, {.run = stop}};
    unsigned top = s->fpu.sw >> 11 & 7;
    cpu->s.fcw = (uint16_t)s->fpu.cw;
    cpu->s.fsw = (uint16_t)s->fpu.sw;
    cpu->s.ftag = 0;
    for (unsigned i = 0; i < 8; i++) {
        unsigned p = (top + i) & 7;
        cpu->s.fpr[p].mant = ld64le(s->fpu.reg[i]);
        cpu->s.fpr[p].se = ld16le(s->fpu.reg[i] + 8);
        cpu->s.ftag |= (uint8_t)(((s->fpu.tw >> 2 * p & 3) != 3) << p);
    }
    memcpy(bench_mem(b, OPERAND), s->mem, sizeof(s->mem));
    cpu->s.gpr[R_SI] = OPERAND;
    x86_set_rflags(cpu, s->flags, FL_OSZAPC);
    cpu->cur = pair;
    ASSERT_FINE(b, x87_run[in->row](cpu, pair));
    cpu->cur = NULL;
    s->flags = x86_get_rflags(cpu);
    memcpy(s->mem, bench_mem(b, OPERAND), sizeof(s->mem));
    top = cpu->s.fsw >> 11 & 7;
    s->fpu.cw = 0xffff0000u | cpu->s.fcw;
    s->fpu.sw = 0xffff0000u | cpu->s.fsw;
    uint32_t tags = 0;
    for (unsigned p = 0; p < 8; p++) {
        const struct x86_fpr *v = &cpu->s.fpr[p];
        unsigned i = (p - top) & 7;
        tags |= (cpu->s.ftag >> p & 1 ? fpu_tag(v) : 3u) << 2 * p;
        st64le(s->fpu.reg[i], v->mant);
        st16le(s->fpu.reg[i] + 8, v->se);
    }
    s->fpu.tw = 0xffff0000u | tags;
}

/* ---- comparing ---- */

static bool named(const char *name, const char *const *list)
{
    for (; *list; list++) {
        if (strcmp(name, *list) == 0) {
            return true;
        }
    }
    return false;
}

static const char *const transcendental[] = {
    "f2xm1", "fyl2x", "fyl2xp1", "fptan", "fpatan", "fsin", "fcos", "fsincos", NULL,
};
/* These define C0, C2, C3. */
static const char *const compares[] = {
    "fcom", "fcomp", "fcompp", "fucom",  "fucomp", "fucompp",
    "ftst", "fxam",  "ficom",  "ficomp", NULL,
};
static const char *const remainders[] = {"fprem", "fprem1", NULL};

static void print_state(const char *who, const struct state *s)
{
    print_message("%s cw %04x sw %04x tw %04x fl %llx mem %016llx%04x\n", who, s->fpu.cw & 0xffff,
                  s->fpu.sw & 0xffff, s->fpu.tw & 0xffff, (unsigned long long)s->flags,
                  (unsigned long long)ld64le(s->mem), ld16le(s->mem + 8));
    for (unsigned i = 0; i < 8; i++) {
        print_message("   st%u %04x %016llx\n", i, ld16le(s->fpu.reg[i] + 8),
                      (unsigned long long)ld64le(s->fpu.reg[i]));
    }
}

static bool same(const struct state *a, const struct state *b, uint16_t sw_mask)
{
    if ((a->fpu.cw ^ b->fpu.cw) & 0xffff || ((a->fpu.sw ^ b->fpu.sw) & sw_mask) ||
        ((a->fpu.tw ^ b->fpu.tw) & 0xffff) || memcmp(a->mem, b->mem, sizeof(a->mem)) != 0 ||
        ((a->flags ^ b->flags) & FL_OSZAPC)) {
        return false;
    }
    return memcmp(a->fpu.reg, b->fpu.reg, sizeof(a->fpu.reg)) == 0;
}

static void compare(struct cpu_bench *b, unsigned op, unsigned modrm, const struct insn *in,
                    uint16_t sw_mask)
{
    struct state start, native, ours;
    random_state(&start);
    native = ours = start;
    run_native(&native, code_of(op, modrm));
    run_ours(b, &ours, in);
    if (!same(&native, &ours, sw_mask)) {
        print_message("%02x %02x %s\n", op, modrm, insn_info[in->row].name);
        print_state("start ", &start);
        print_state("native", &native);
        print_state("ours  ", &ours);
        fail();
    }
}

static bool decoded(unsigned op, unsigned modrm, struct insn *in)
{
    uint8_t bytes[15] = {(uint8_t)op, (uint8_t)modrm};
    return decode(bytes, sizeof(bytes), DECODE_32, in) == DECODE_OK && x87_run[in->row] != NULL;
}

/* Details that the manual leaves open (C1, what unmasked faults keep) are Intel's. */
static bool host_is_other(void)
{
    __builtin_cpu_init();
    return !__builtin_cpu_is("intel");
}

/* Each encoding with registers, and with [ESI], that is no control instruction. */
static void every_instruction_agrees_with_the_host(void **state)
{
    static const char *const control[] = {
        "fldenv", "fldcw",  "fnstenv", "fnstcw", "fnsave",  "frstor",
        "fnstsw", "fninit", "fneni",   "fndisi", "fnsetpm", NULL,
    };
    struct cpu_bench *b = *state;
    struct insn in;
    if (host_is_other()) {
        skip();
    }
    for (unsigned op = 0xd8; op < 0xe0; op++) {
        for (unsigned modrm = 6; modrm < 256; modrm += modrm < 0x3e    ? 8
                                                       : modrm == 0x3e ? 0x82
                                                                       : 1) {
            if (!decoded(op, modrm, &in)) {
                continue;
            }
            const char *name = insn_info[in.row].name;
            if (named(name, control) || named(name, transcendental)) {
                continue;
            }
            uint16_t sw_mask = named(name, compares)     ? 0xffff
                               : named(name, remainders) ? 0xffff
                                                         : (uint16_t)~(FSW_C0 | FSW_C2 | FSW_C3);
            if (strcmp(name, "ffree") == 0 || strcmp(name, "fnop") == 0 ||
                strcmp(name, "ffreep") == 0 || strcmp(name, "fnclex") == 0) {
                sw_mask &= (uint16_t)~FSW_C1; /* undefined */
            }
            seed = (uint64_t)op << 8 | modrm | 1ull << 40;
            for (unsigned i = 0; i < 1500; i++) {
                compare(b, op, modrm, &in, sw_mask);
            }
        }
    }
}

/* ---- transcendentals ---- */

/* Distance in units of the last place, for values of one sign; huge if they are not comparable. */
static uint64_t ulps(const uint8_t *a, const uint8_t *b)
{
    uint64_t ma = ld64le(a), mb = ld64le(b);
    uint16_t ea = ld16le(a + 8), eb = ld16le(b + 8);
    if (ea == eb) {
        return ma > mb ? ma - mb : mb - ma;
    }
    if ((uint16_t)(ea + 1) == eb) {
        return (mb << 1) - ma;
    }
    if ((uint16_t)(eb + 1) == ea) {
        return (ma << 1) - mb;
    }
    return ~0ull;
}

/* ST(0) and ST(1) from the ranges that the entries name, everything masked. */
static void sane_state(struct state *s, const char *name)
{
    random_state(s);
    s->fpu.cw = 0xffff037f | (rnd() & 3) << 10;
    s->fpu.sw = 0xffff0000;
    s->fpu.tw = 0xffff0000 | 3u << 14;
    for (unsigned i = 0; i < 2; i++) {
        int low = -70, span = 130;
        uint16_t sign = (uint16_t)(rnd() & 0x8000);
        if (strcmp(name, "f2xm1") == 0) {
            span = 69;
        } else if (strcmp(name, "fyl2xp1") == 0 && i == 0) {
            span = 67; /* below 1/4 */
        } else if (strcmp(name, "fyl2x") == 0 && i == 0) {
            sign = 0;
            low = rnd() % 2 ? -2 : -16000;
            span = low == -2 ? 4 : 32000;
        }
        uint64_t mant = rnd() | BIT64(63);
        st64le(s->fpu.reg[i], mant);
        st16le(s->fpu.reg[i] + 8, (uint16_t)(sign | (16383 + low + (int)(rnd() % (unsigned)span))));
    }
}

static void check_transcendental(struct cpu_bench *b, unsigned modrm, const struct insn *in)
{
    const char *name = insn_info[in->row].name;
    struct state start, native, ours;
    sane_state(&start, name);
    native = ours = start;
    run_native(&native, code_of(0xd9, modrm));
    run_ours(b, &ours, in);
    uint16_t sw_mask = (uint16_t)~(FSW_C0 | FSW_C1 | FSW_C3 | FSW_UE);
    bool ok =
        !((native.fpu.sw ^ ours.fpu.sw) & sw_mask) && !((native.fpu.tw ^ ours.fpu.tw) & 0xffff);
    for (unsigned i = 0; ok && i < 2; i++) {
        ok = ulps(native.fpu.reg[i], ours.fpu.reg[i]) <= 2;
    }
    if (!ok) {
        print_message("%s\n", name);
        print_state("start ", &start);
        print_state("native", &native);
        print_state("ours  ", &ours);
        fail();
    }
}

static void transcendentals_are_close_to_the_host(
    void **state) /* [SDM1] "Transcendental Instruction Accuracy" */
{
    struct cpu_bench *b = *state;
    struct insn in;
    for (unsigned modrm = 0xf0; modrm < 0x100; modrm++) {
        if (!decoded(0xd9, modrm, &in) || !named(insn_info[in.row].name, transcendental)) {
            continue;
        }
        seed = modrm | 1ull << 41;
        for (unsigned i = 0; i < 3000; i++) {
            check_transcendental(b, modrm, &in);
        }
    }
}

/* Zeros, infinities, NaNs, denormals and empty registers in every pair, masked and unmasked. */
static void transcendental_special_cases_agree_with_the_host(void **state)
{
    static const struct x86_fpr values[] = {
        {0, 0},
        {0, 0x8000},
        {1ull << 63, 0x7fff},
        {1ull << 63, 0xffff},
        {0xc000000000001234ull, 0x7fff},
        {0x8000000000001234ull, 0xffff},
        {1ull << 63, 0x3fff},
        {1ull << 63, 0xbfff},
        {0x1234, 0x3fff},
    };
    struct cpu_bench *b = *state;
    struct insn in;
    if (host_is_other()) {
        skip();
    }
    for (unsigned modrm = 0xf0; modrm < 0x100; modrm++) {
        if (!decoded(0xd9, modrm, &in) || !named(insn_info[in.row].name, transcendental)) {
            continue;
        }
        for (unsigned n = 0; n < ARRAY_SIZE(values) * ARRAY_SIZE(values) * 4; n++) {
            const struct x86_fpr *x = &values[n % ARRAY_SIZE(values)];
            const struct x86_fpr *y = &values[n / ARRAY_SIZE(values) % ARRAY_SIZE(values)];
            unsigned variant = n / ARRAY_SIZE(values) / ARRAY_SIZE(values);
            bool whole = (x->se & 0x7fff) == 0x3fff && x->mant == 1ull << 63;
            if (strcmp(insn_info[in.row].name, "fyl2xp1") == 0 && whole) {
                continue; /* outside its domain */
            }
            struct state start = {
                .fpu = {.cw = variant & 1 ? 0xffff0340 : 0xffff037f, .sw = 0xffff0000}};
            start.fpu.tw = 0xffff0000u | (variant & 2 ? 0xfff3 : 0xfff0); /* ST(0) empty */
            memcpy(start.fpu.reg[0], x, 10);
            memcpy(start.fpu.reg[1], y, 10);
            struct state native = start, ours = start;
            run_native(&native, code_of(0xd9, modrm));
            run_ours(b, &ours, &in);
            uint16_t sw_mask = (uint16_t)~(FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3);
            bool ok = !((native.fpu.sw ^ ours.fpu.sw) & sw_mask) &&
                      !((native.fpu.tw ^ ours.fpu.tw) & 0xffff);
            for (unsigned i = 0; ok && i < 8; i++) {
                ok = ulps(native.fpu.reg[i], ours.fpu.reg[i]) <= 1;
            }
            if (!ok) {
                print_message("%s\n", insn_info[in.row].name);
                print_state("start ", &start);
                print_state("native", &native);
                print_state("ours  ", &ours);
                fail();
            }
        }
    }
}

/* ---- control ---- */

#define RUN(b, op, modrm)                                                                          \
    ({                                                                                             \
        struct insn pair_[2] = {{0}, {.run = stop}};                                               \
        assert_true(decoded(op, modrm, &pair_[0]));                                                \
        pair_[0].opsize = opsize;                                                                  \
        (b)->cpu->cur = pair_;                                                                     \
        bool faulted_ = BENCH_FAULTS(b, x87_run[pair_[0].row]((b)->cpu, pair_));                   \
        (b)->cpu->cur = NULL;                                                                      \
        faulted_;                                                                                  \
    })

static void an_unmasked_exception_waits_for_the_next_instruction(void **state) /* #MF with CR0.NE */
{
    struct cpu_bench *b = *state;
    uint8_t opsize = 4;
    assert_false(RUN(b, 0xdb, 0xe3)); /* FNINIT */
    b->cpu->s.fcw = 0x37e;
    b->cpu->s.gpr[R_SI] = OPERAND;
    assert_false(RUN(b, 0xd9, 0xfa)); /* FSQRT of nothing */
    assert_int_equal(b->cpu->s.fsw, FSW_IE | FSW_SF | FSW_ES | FSW_B);
    assert_false(RUN(b, 0xdf, 0xe0)); /* FNSTSW does not wait */
    assert_int_equal(b->cpu->s.gpr[R_AX] & 0xffff, FSW_IE | FSW_SF | FSW_ES | FSW_B);
    assert_true(RUN(b, 0xd9, 0xe8)); /* FLD1 */
    assert_int_equal(b->cpu->exc.vector, X86_MF);
    b->cpu->exc.active = false;
    assert_int_equal(b->cpu->s.ftag, 0);
    assert_false(RUN(b, 0xdb, 0xe2)); /* FNCLEX */
    assert_false(RUN(b, 0xd9, 0xe8));
    assert_int_equal(b->cpu->s.ftag, 0x80);
}

static void without_ne_the_ferr_pin_follows(void **state)
{
    struct cpu_bench *b = *state;
    uint8_t opsize = 4;
    b->cpu->s.cr0 &= ~(uint64_t)CR0_NE;
    assert_false(RUN(b, 0xdb, 0xe3));
    b->cpu->s.fcw = 0x37e;
    assert_false(RUN(b, 0xd9, 0xfa));
    assert_true(b->ferr);
    assert_false(RUN(b, 0xd9, 0xd0)); /* FNOP goes on */
    assert_false(RUN(b, 0xdb, 0xe2));
    assert_false(b->ferr);
}

static void em_and_ts_make_x87_instructions_unavailable(void **state)
{
    struct cpu_bench *b = *state;
    uint8_t opsize = 4;
    for (unsigned i = 0; i < 2; i++) {
        b->cpu->s.cr0 = (b->cpu->s.cr0 & ~(uint64_t)(CR0_EM | CR0_TS)) | (i ? CR0_EM : CR0_TS);
        assert_true(RUN(b, 0xd9, 0xe8));
        assert_int_equal(b->cpu->exc.vector, X86_NM);
        b->cpu->exc.active = false;
        assert_true(RUN(b, 0xdb, 0xe3));
        assert_int_equal(b->cpu->exc.vector, X86_NM);
        b->cpu->exc.active = false;
    }
}

/* FNSTENV's image by operand size and mode ([SDM1] figures 8-9 to 8-12). */
static void environments_have_four_forms(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    static const uint32_t prot32[] = {0xffff037f, 0xffff3800, 0xffff7fff, 0x11112222, 0x05ab3333,
                                      0x44445555, 0xffff6666};
    static const uint16_t prot16[] = {0x037f, 0x3800, 0x7fff, 0x2222, 0x3333, 0x5555, 0x6666};
    /* linear: 11112222h + 33330h = 11145552h; 44445555h + 66660h = 444abbb5h */
    static const uint32_t real32[] = {0xffff037f, 0xffff3800, 0xffff7fff, 0xffff5552, 0x011145ab,
                                      0xffffbbb5, 0x0444a000};
    static const uint16_t real16[] = {0x037f, 0x3800, 0x7fff, 0x5552, 0x45ab, 0xbbb5, 0xa000};
    for (unsigned form = 0; form < 4; form++) {
        uint8_t opsize = form & 1 ? 2 : 4;
        cpu->s.gpr[R_SI] = OPERAND;
        cpu->s.fcw = 0x37f;
        cpu->s.fsw = 0x3800;
        cpu->s.ftag = 0x80;
        cpu->s.fpr[7] = (struct x86_fpr){0};
        cpu->s.fop = 0x5ab;
        cpu->s.fip = 0x11112222;
        cpu->s.fcs = 0x3333;
        cpu->s.fdp = 0x44445555;
        cpu->s.fds = 0x6666;
        cpu->pe = form < 2;
        assert_false(RUN(b, 0xd9, 0x36)); /* FNSTENV [ESI] */
        const void *want = form == 0   ? (const void *)prot32
                           : form == 1 ? prot16
                           : form == 2 ? (const void *)real32
                                       : real16;
        assert_memory_equal(bench_mem(b, OPERAND), want, opsize == 2 ? 14 : 28);
        assert_false(RUN(b, 0xd9, 0x26)); /* FLDENV */
        assert_int_equal(cpu->s.ftag, 0x80);
        assert_int_equal(cpu->s.fsw, 0x3800);
    }
    cpu->pe = true;
}

static void fnsave_and_frstor_keep_everything(void **state)
{
    struct cpu_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    uint8_t opsize = 4;
    seed = 77;
    for (unsigned i = 0; i < 8; i++) {
        struct x86_fpr v = random_value();
        cpu->s.fpr[i] = v;
    }
    cpu->s.gpr[R_SI] = OPERAND;
    cpu->s.fcw = 0x27f;
    cpu->s.fsw = 0x2b00;
    cpu->s.ftag = 0x5a;
    struct x86_state before = cpu->s;
    assert_false(RUN(b, 0xdd, 0x36)); /* FNSAVE [ESI] */
    assert_int_equal(cpu->s.fcw, 0x37f);
    assert_int_equal(cpu->s.ftag, 0);
    memset(cpu->s.fpr, 0, sizeof(cpu->s.fpr));
    assert_false(RUN(b, 0xdd, 0x26)); /* FRSTOR */
    assert_int_equal(cpu->s.fcw, before.fcw);
    assert_int_equal(cpu->s.fsw, before.fsw);
    assert_int_equal(cpu->s.ftag, before.ftag);
    for (unsigned i = 0; i < 8; i++) {
        assert_true(cpu->s.fpr[i].mant == before.fpr[i].mant &&
                    cpu->s.fpr[i].se == before.fpr[i].se);
    }
}

static int setup(void **state)
{
    struct cpu_bench *b = bench_new("pentiumpro");
    *state = b;
    bench_protected(b);
    b->cpu->s.cr0 |= CR0_NE;
    return 0;
}

static int teardown(void **state)
{
    bench_free(*state);
    return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_unmasked_exception_waits_for_the_next_instruction),
        T(without_ne_the_ferr_pin_follows),
        T(em_and_ts_make_x87_instructions_unavailable),
        T(environments_have_four_forms),
        T(fnsave_and_frstor_keep_everything),
        T(every_instruction_agrees_with_the_host),
        T(transcendentals_are_close_to_the_host),
        T(transcendental_special_cases_agree_with_the_host),
    };
    return cmocka_run_group_tests(tests, make_code, NULL);
}
