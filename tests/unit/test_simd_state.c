/* Vector state: when its instructions may run, FXSAVE and XSAVE images, XCR0, MXCSR, RDRAND. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/accel/interp/vec.h"
#include "tests/unit/interp_long.h"

#define CODE  0x9000u
#define IMAGE 0xa000u

/* The instruction @hex at CODE; registers of the state stay as they were set up. The vector that it
 * raises, -1 if none. */
static int run(struct interp_bench *b, const char *hex)
{
    return ilong_run(b, CODE, hex);
}

static int setup(void **state)
{
    struct interp_bench *b = ibench_new(64 * KiB, "max");
    ilong_tables(b);
    ilong_state(b, CODE);
    b->cpu->s.gpr[R_BX] = IMAGE;
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    ibench_free(*state);
    return 0;
}

enum { NONE = -1 };

static void control_bits_decide_which_exception_comes(void **state) /* [SDM2] 2.4 */
{
    static const struct {
        const char *hex;
        int ready, ts, em, no_osfxsr, no_osxsave, no_avx; /* vectors */
    } table[] = {
        {"0f fc c1", NONE, X86_NM, X86_UD, NONE, NONE, NONE},          /* paddb mm0, mm1 */
        {"66 0f fc c1", NONE, X86_NM, X86_UD, X86_UD, NONE, NONE},     /* paddb xmm0, xmm1 */
        {"c5 f9 fc c1", NONE, X86_NM, NONE, NONE, X86_UD, X86_UD},     /* vpaddb xmm0, xmm0, xmm1 */
        {"0f ae 13", NONE, X86_NM, X86_UD, X86_UD, NONE, NONE},        /* ldmxcsr [rbx] */
        {"0f ae 03", NONE, X86_NM, X86_NM, NONE, NONE, NONE},          /* fxsave [rbx] */
        {"0f ae 23", NONE, X86_NM, NONE, NONE, X86_UD, NONE},          /* xsave [rbx] */
        {"0f 01 d0", NONE, NONE, NONE, NONE, X86_UD, NONE},            /* xgetbv */
        {"0f c3 03", NONE, NONE, NONE, NONE, NONE, NONE},              /* movnti [rbx], eax */
        {"f3 0f b8 c1", NONE, NONE, NONE, NONE, NONE, NONE},           /* popcnt eax, ecx */
        {"c4 e2 70 f2 c1", NONE, NONE, NONE, NONE, NONE, NONE},        /* andn eax, ecx, ecx */
    };
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        for (unsigned k = 0; k < 6; k++) {
            const int want[] = {table[i].ready, table[i].ts, table[i].em, table[i].no_osfxsr,
                                table[i].no_osxsave, table[i].no_avx};
            ilong_state(b, CODE);
            s->gpr[R_BX] = IMAGE;
            s->cr0 |= k == 1 ? CR0_TS : k == 2 ? CR0_EM : 0;
            s->cr4 &= ~(uint64_t)(k == 3 ? CR4_OSFXSR : k == 4 ? CR4_OSXSAVE : 0);
            s->xcr0 = k == 5 ? 3 : 7;
            int got = run(b, table[i].hex);
            if (got != want[k]) {
                fail_msg("%s, case %u: vector %d, not %d", table[i].hex, k, got, want[k]);
            }
        }
    }
}

static void vex_is_invalid_in_real_mode(void **state)
{
    struct interp_bench *b = *state;
    ibench_real(b, 0x9000);
    b->cpu->s.cr4 = CR4_OSXSAVE | CR4_OSFXSR;
    b->cpu->s.xcr0 = 7;
    st16le(ibench_mem(b, X86_UD * 4), 0x1234);
    ibench_poke(b, 0x9000, "\xc5\xf9\xfc\xc1", 4);
    ilong_step(b);
    assert_int_equal(b->cpu->s.rip, 0x1234);
}

static void operands_of_16_bytes_must_be_aligned_without_vex(void **state)
{
    struct interp_bench *b = *state;
    b->cpu->s.gpr[R_BX] = IMAGE + 8;
    assert_int_equal(run(b, "66 0f fc 03"), X86_GP);      /* paddb xmm0, [rbx] */
    assert_int_equal(run(b, "c5 f9 fc 03"), -1);
    assert_int_equal(run(b, "0f 10 03"), -1);             /* movups */
    assert_int_equal(run(b, "0f 28 03"), X86_GP);         /* movaps */
    assert_int_equal(run(b, "c5 f8 28 03"), X86_GP);      /* vmovaps */
    assert_int_equal(run(b, "f3 0f 58 03"), -1);          /* addss */
    assert_int_equal(run(b, "0f ae 03"), X86_GP);         /* fxsave */
    b->cpu->s.gpr[R_BX] = IMAGE + 16;
    assert_int_equal(run(b, "0f ae 23"), X86_GP);         /* xsave wants 64 */
    assert_int_equal(run(b, "c5 fc 28 03"), X86_GP);      /* vmovaps ymm */
}

static void mxcsr_has_no_reserved_bits(void **state)
{
    struct interp_bench *b = *state;
    st32le(ibench_mem(b, IMAGE), 0x10000);
    assert_int_equal(run(b, "0f ae 13"), X86_GP);
    assert_int_equal(b->cpu->s.mxcsr, MXCSR_INIT);
    st32le(ibench_mem(b, IMAGE), 0xffbf);
    assert_int_equal(run(b, "0f ae 13"), -1);
    assert_int_equal(b->cpu->s.mxcsr, 0xffbf);
}

static void an_unmasked_exception_changes_no_register(void **state)
{
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    s->mxcsr = MXCSR_INIT & ~(MXCSR_ZE << MXCSR_MASK_SHIFT);
    st32le(s->ymm[0], 0x3f800000);
    assert_int_equal(run(b, "0f 5e c1"), X86_XM);         /* divps xmm0, xmm1: 1 / 0 */
    assert_int_equal(ld32le(s->ymm[0]), 0x3f800000);
    assert_int_equal(s->mxcsr & MXCSR_FLAGS, MXCSR_ZE | MXCSR_IE);
    s->cr4 &= ~(uint64_t)CR4_OSXMMEXCPT;
    assert_int_equal(run(b, "0f 5e c1"), X86_UD);
}

/* State that differs in every byte. */
static void fill_state(struct x86_state *s)
{
    for (unsigned i = 0; i < sizeof(s->ymm); i++) {
        ((uint8_t *)s->ymm)[i] = (uint8_t)(i * 7 + 1);
    }
    for (unsigned i = 0; i < 8; i++) {
        s->fpr[i].mant = 0x8000000000000000ull + i * 0x1111;
        s->fpr[i].se = (uint16_t)(0x3fff + i);
    }
    s->fcw = 0x27f;
    s->fsw = 0x1800;
    s->ftag = 0xa5;
    s->fop = 0x123;
    s->fip = 0x11223344;
    s->fdp = 0x55667788;
    s->mxcsr = 0x1fa1;
}

static bool same_state(const struct x86_state *a, const struct x86_state *b)
{
    for (unsigned i = 0; i < 8; i++) {
        if (a->fpr[i].mant != b->fpr[i].mant || a->fpr[i].se != b->fpr[i].se) {
            return false;
        }
    }
    return memcmp(a->ymm, b->ymm, sizeof(a->ymm)) == 0 && a->fcw == b->fcw && a->fsw == b->fsw &&
           a->ftag == b->ftag && a->fop == b->fop && a->fip == b->fip && a->fdp == b->fdp &&
           a->mxcsr == b->mxcsr;
}

static void fxsave_and_fxrstor_keep_the_state(void **state)
{
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    fill_state(s);
    for (unsigned i = 0; i < 16; i++) {
        memset(s->ymm[i] + 16, 0, 16);
    }
    struct x86_state before = *s;
    memset(ibench_mem(b, IMAGE), 0xee, 512);
    assert_int_equal(run(b, "0f ae 03"), -1);
    const uint8_t *image = ibench_mem(b, IMAGE);
    assert_int_equal(ld16le(image), 0x27f);
    assert_int_equal(image[4], 0xa5);
    assert_int_equal(ld32le(image + 28), 0xffff);
    assert_int_equal(ld64le(image + 32), before.fpr[3].mant); /* ST0, TOP is 3 */
    assert_int_equal(image[415], before.ymm[15][15]);
    assert_int_equal(image[416], 0xee);
    memset(s->ymm, 0, sizeof(s->ymm));
    memset(s->fpr, 0, sizeof(s->fpr));
    s->fcw = 0x37f;
    s->fsw = 0;
    s->mxcsr = MXCSR_INIT;
    assert_int_equal(run(b, "0f ae 0b"), -1);
    assert_true(same_state(s, &before));
}

static void xsave_and_xrstor_keep_the_state(void **state)
{
    static const char *const forms[] = {"0f ae 23", "0f c7 23", "0f ae 33"}; /* XSAVE, -C, -OPT */
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
        fill_state(s);
        struct x86_state before = *s;
        memset(ibench_mem(b, IMAGE), 0, 1024);
        s->gpr[R_AX] = s->gpr[R_DX] = ~0u;
        assert_int_equal(run(b, forms[i]), -1);
        assert_int_equal(ld64le(ibench_mem(b, IMAGE + 512)), 7);
        assert_true(ld64le(ibench_mem(b, IMAGE + 520)) == (i == 1 ? 0x8000000000000007ull : 0));
        memset(s->ymm, 0, sizeof(s->ymm));
        memset(s->fpr, 0, sizeof(s->fpr));
        s->mxcsr = MXCSR_INIT;
        s->ftag = 0;
        assert_int_equal(run(b, "0f ae 2b"), -1);
        assert_true(same_state(s, &before));
    }
}

static void xrstor_initialises_what_the_image_lacks(void **state)
{
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    fill_state(s);
    memset(ibench_mem(b, IMAGE), 0, 1024);
    st32le(ibench_mem(b, IMAGE + 24), 0x1f80);
    s->gpr[R_AX] = 4;
    s->gpr[R_DX] = 0;
    assert_int_equal(run(b, "0f ae 2b"), -1);
    assert_int_equal(s->ymm[3][16], 0);      /* AVX was asked for */
    assert_int_not_equal(s->ymm[3][0], 0);
    assert_int_equal(s->fcw, 0x27f);
    s->gpr[R_AX] = 7;
    assert_int_equal(run(b, "0f ae 2b"), -1);
    assert_int_equal(s->ymm[3][0], 0);
    assert_int_equal(s->fcw, FCW_INIT);
    assert_int_equal(s->ftag, 0);
}

static void xrstor_refuses_bad_headers(void **state)
{
    static const struct { unsigned at; uint64_t val; int vector; } table[] = {
        {512, 3, -1}, {512, 8, X86_GP}, {520, 1, X86_GP}, {528, 1, X86_GP}, {536, 1, -1},
        {520, 0x8000000000000007, -1}, {520, 0x800000000000000f, X86_GP}, {24, 0x10000, X86_GP},
    };
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        memset(ibench_mem(b, IMAGE), 0, 1024);
        st64le(ibench_mem(b, IMAGE + table[i].at), table[i].val);
        b->cpu->s.gpr[R_AX] = 7;
        b->cpu->s.gpr[R_DX] = 0;
        assert_int_equal(run(b, "0f ae 2b"), table[i].vector);
    }
}

static void xcr0_takes_only_what_the_model_has(void **state)
{
    static const struct { uint32_t index, val; int vector; } table[] = {
        {0, 1, -1}, {0, 3, -1}, {0, 7, -1}, {0, 5, X86_GP}, {0, 6, X86_GP}, {0, 0, X86_GP},
        {0, 15, X86_GP}, {1, 7, X86_GP},
    };
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        b->cpu->s.gpr[R_CX] = table[i].index;
        b->cpu->s.gpr[R_AX] = table[i].val;
        b->cpu->s.gpr[R_DX] = 0;
        assert_int_equal(run(b, "0f 01 d1"), table[i].vector);
        if (table[i].vector == -1) {
            b->cpu->s.gpr[R_CX] = 0;
            assert_int_equal(run(b, "0f 01 d0"), -1);
            assert_int_equal(b->cpu->s.gpr[R_AX], table[i].val);
        }
    }
}

static void rdrand_repeats_from_the_same_state(void **state)
{
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    uint64_t first[4];
    for (unsigned i = 0; i < 8; i++) {
        s->random = i == 4 ? 0 : s->random;
        assert_int_equal(run(b, i & 1 ? "48 0f c7 f8" : "48 0f c7 f0"), -1);
        assert_int_equal(x86_get_rflags(b->cpu) & FL_OSZAPC, FL_CF);
        if (i < 4) {
            first[i] = s->gpr[R_AX];
            assert_true(i == 0 || first[i] != first[i - 1]);
        } else {
            assert_true(first[i - 4] == s->gpr[R_AX]);
        }
    }
}

static void mmx_takes_the_x87_registers(void **state)
{
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    s->fsw = 0x2000;
    s->ftag = 0;
    s->gpr[R_AX] = 0x12345678;
    assert_int_equal(run(b, "0f 6e d0"), -1);             /* movd mm2, eax */
    assert_int_equal(s->fpr[2].mant, 0x12345678);
    assert_int_equal(s->fpr[2].se, 0xffff);
    assert_int_equal(s->ftag, 0xff);
    assert_int_equal(s->fsw, 0);
    assert_int_equal(run(b, "0f 77"), -1);
    assert_int_equal(s->ftag, 0);
    s->fcw = 0x37e;                                       /* a pending x87 exception */
    s->fsw = FSW_IE | FSW_ES | FSW_B;
    assert_int_equal(run(b, "0f 6e d0"), X86_MF);
}

static void tzcnt_is_bsf_where_it_is_unknown(void **state)
{
    struct interp_bench *b = *state;
    struct x86_model old = *b->cpu->model;
    b->cpu->s.gpr[R_CX] = 0;
    b->cpu->s.gpr[R_AX] = 77;
    assert_int_equal(run(b, "f3 0f bc c1"), -1);
    assert_int_equal(b->cpu->s.gpr[R_AX], 32);
    old.features[X86_W_7_EBX] = 0;
    b->cpu->model = &old;
    block_flush_all(b->e);
    b->cpu->s.gpr[R_AX] = 77;
    assert_int_equal(run(b, "f3 0f bc c1"), -1);
    assert_int_equal(b->cpu->s.gpr[R_AX], 77);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(control_bits_decide_which_exception_comes),
        TEST(vex_is_invalid_in_real_mode),
        TEST(operands_of_16_bytes_must_be_aligned_without_vex),
        TEST(mxcsr_has_no_reserved_bits),
        TEST(an_unmasked_exception_changes_no_register),
        TEST(fxsave_and_fxrstor_keep_the_state),
        TEST(xsave_and_xrstor_keep_the_state),
        TEST(xrstor_initialises_what_the_image_lacks),
        TEST(xrstor_refuses_bad_headers),
        TEST(xcr0_takes_only_what_the_model_has),
        TEST(rdrand_repeats_from_the_same_state),
        TEST(mmx_takes_the_x87_registers),
        TEST(tzcnt_is_bsf_where_it_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
