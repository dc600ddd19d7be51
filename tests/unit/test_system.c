/*
 * System instructions, CPUID, MSRs and the reset state.
 * Sources: [SDM2], the entries; [SDM3] "Processor State After Reset", "Debug Registers"; [SDM4].
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/interp_bench.h"

#include "core/cpu/flags.h"

enum { CODE = 0x1000, HANDLER = 0x3000, COUNTER = 0x5000, DATA = 0x6000 };

static int setup(void **state)
{
    *state = ibench_new(2 * MiB, NULL);
    return 0;
}

static int setup_p6(void **state)
{
    *state = ibench_new(2 * MiB, "pentiumpro");
    return 0;
}

static int setup_486(void **state)
{
    *state = ibench_new(2 * MiB, "486");
    return 0;
}

static int teardown(void **state)
{
    ibench_free(*state);
    return 0;
}

/* Real mode; every vector counts its calls at COUNTER + 2 * vector and halts. */
static void prepare(struct interp_bench *b, const uint8_t *code, unsigned n)
{
    uint8_t none[64] = {0};
    ibench_poke(b, COUNTER, none, sizeof(none));
    for (unsigned v = 0; v < 32; v++) {
        uint16_t slot = (uint16_t)(COUNTER + 2 * v);
        uint8_t handler[] = {0x36, 0xff, 0x06, (uint8_t)slot, (uint8_t)(slot >> 8), 0xf4};
        uint8_t vector[] = {(uint8_t)(v * 16), HANDLER >> 8 | v >> 4, 0, 0};
        ibench_poke(b, HANDLER + 16 * v, handler, sizeof(handler));
        ibench_poke(b, 4 * v, vector, sizeof(vector));
    }
    static const uint8_t hlt = 0xf4;
    ibench_poke(b, CODE, code, n);
    ibench_poke(b, CODE + n, &hlt, 1);
    ibench_real(b, CODE);
}

/* Runs to the HLT behind the code or in a handler. Returns the vector taken, or -1. */
static int run_code(struct interp_bench *b)
{
    assert_int_equal(ibench_run(b), EXIT_HALT);
    for (unsigned v = 0; v < 32; v++) {
        if (ld16le(ibench_mem(b, COUNTER + 2 * v))) {
            return (int)v;
        }
    }
    return -1;
}

#define PREPARE(b, ...)                                                                            \
    do {                                                                                           \
        static const uint8_t code_[] = {__VA_ARGS__};                                              \
        prepare(b, code_, sizeof(code_));                                                          \
    } while (0)

static void power_on_state_is_the_manuals(void **state)
{
    struct x86_state s;
    memset(&s, 0xff, sizeof(s));
    memset(s.seg, 0, sizeof(s.seg));
    x86_state_reset(&s, 0x543, false);
    assert_int_equal(s.rip, 0xfff0);
    assert_int_equal(s.seg[S_CS].sel, 0xf000);
    assert_int_equal(s.seg[S_CS].base, 0xffff0000);
    assert_int_equal(s.seg[S_CS].limit, 0xffff);
    assert_int_equal(s.seg[S_DS].attr, 0x93);
    assert_int_equal(s.cr0, 0x60000010);
    assert_int_equal(s.rflags, 2);
    assert_int_equal(s.gpr[R_DX], 0x543);
    assert_int_equal(s.gpr[R_AX], 0);
    assert_int_equal(s.dr[6], 0xffff0ff0);
    assert_int_equal(s.dr[7], 0x400);
    assert_int_equal(s.idtr.limit, 0xffff);
    assert_int_equal(s.smbase, 0x30000);
    assert_true(s.a20);
}

static void init_keeps_the_x87_and_the_msrs(void **state)
{
    struct x86_state s = {0};
    x86_state_reset(&s, 0x543, false);
    s.fcw = 0x27f;
    s.fpr[3].mant = 5;
    s.mtrr_def = 0x806;
    s.smbase = 0xa0000;
    s.cr0 = CR0_PE | CR0_CD;
    s.gpr[R_AX] = 1;
    s.rip = 5;
    x86_state_reset(&s, 0x543, true);
    assert_int_equal(s.fcw, 0x27f);
    assert_int_equal(s.fpr[3].mant, 5);
    assert_int_equal(s.mtrr_def, 0x806);
    assert_int_equal(s.smbase, 0xa0000);
    assert_int_equal(s.cr0, CR0_CD | CR0_ET);
    assert_int_equal(s.gpr[R_AX], 0);
    assert_int_equal(s.rip, 0xfff0);
}

static void cpuid_tells_the_model(void **state)
{
    struct interp_bench *b = *state;
    PREPARE(b, 0x66, 0x31, 0xc0, 0x0f, 0xa2, /* xor eax,eax; cpuid */
            0x66, 0x89, 0xde, 0x66, 0x89, 0xc7, /* mov esi,ebx; mov edi,eax */
            0x66, 0xb8, 1, 0, 0, 0, 0x0f, 0xa2); /* mov eax,1; cpuid */
    assert_int_equal(run_code(b), -1);
    assert_int_equal(b->cpu->s.gpr[R_SI], 0x756e6547); /* Genu */
    assert_int_equal(b->cpu->s.gpr[R_DI], 1);
    assert_int_equal(b->cpu->s.gpr[R_AX], 0x543);
    assert_int_equal(b->cpu->s.gpr[R_DX], 0x8001bf); /* FPU VME DE PSE TSC MSR MCE CX8 MMX */
    struct x86_cpuid out;
    x86_cpuid(b->cpu, 0x1234, 0, &out); /* above the last: as the last */
    assert_int_equal(out.eax, 0x543);
}

static void models_are_found_by_name(void **state)
{
    assert_null(x86_model_find("z80"));
    for (unsigned i = 0; x86_model_list(i); i++) {
        const struct x86_model *m = x86_model_list(i);
        assert_ptr_equal(x86_model_find(m->name), m);
        assert_int_equal(strlen(m->vendor), 12);
        assert_true(x86_has(m, X86_F_BASE));
    }
}

static void descriptor_table_registers_go_through_memory(void **state)
{
    struct interp_bench *b = *state;
    static const uint8_t image[] = {0x34, 0x12, 0x11, 0x22, 0x33, 0x44};
    PREPARE(b, 0x0f, 0x01, 0x16, DATA & 0xff, DATA >> 8,     /* lgdt [DATA]: 24 bits of base */
            0x0f, 0x01, 0x06, 0x10, DATA >> 8,               /* sgdt [DATA+10h] */
            0x66, 0x0f, 0x01, 0x16, DATA & 0xff, DATA >> 8,  /* o32 lgdt [DATA] */
            0x0f, 0x01, 0x06, 0x20, DATA >> 8);              /* sgdt [DATA+20h]: all 32 bits */
    ibench_poke(b, DATA, image, sizeof(image));
    assert_int_equal(run_code(b), -1);
    static const uint8_t narrow[] = {0x34, 0x12, 0x11, 0x22, 0x33, 0x00};
    assert_memory_equal(ibench_mem(b, DATA + 0x10), narrow, 6);
    assert_memory_equal(ibench_mem(b, DATA + 0x20), image, 6);
    assert_int_equal(b->cpu->s.gdtr.base, 0x44332211);
    assert_int_equal(b->cpu->s.gdtr.limit, 0x1234);
}

static void lmsw_sets_pe_and_never_clears_it(void **state)
{
    struct interp_bench *b = *state;
    PREPARE(b, 0xb8, 0x0b, 0, 0x0f, 0x01, 0xf0,        /* mov ax,PE|MP|TS; lmsw ax */
            0x0f, 0x01, 0xe3,                          /* smsw bx */
            0x31, 0xc0, 0x0f, 0x01, 0xf0,              /* xor ax,ax; lmsw ax */
            0x66, 0x0f, 0x01, 0xe1);                   /* smsw ecx */
    assert_int_equal(run_code(b), -1);
    assert_int_equal(b->cpu->s.gpr[R_BX] & 0xffff, 0x1b);
    assert_int_equal(b->cpu->s.gpr[R_CX], 0x60000011);
    assert_true(b->cpu->pe);
}

static void clts_clears_ts(void **state)
{
    struct interp_bench *b = *state;
    PREPARE(b, 0xb8, 0x08, 0, 0x0f, 0x01, 0xf0, 0x0f, 0x06); /* mov ax,TS; lmsw ax; clts */
    assert_int_equal(run_code(b), -1);
    assert_int_equal(b->cpu->s.cr0 & CR0_TS, 0);
}

/* Code that must fault (or not), in real mode. */
static void check(struct interp_bench *b, const uint8_t *code, unsigned n, int vector)
{
    prepare(b, code, n);
    int got = run_code(b);
    if (got != vector) {
        print_message("%02x %02x %02x: vector %d, not %d\n", code[0], code[1], code[2], got,
                      vector);
        fail();
    }
}
#define CHECK(b, vector, ...)                                                                      \
    do {                                                                                           \
        static const uint8_t code_[] = {__VA_ARGS__};                                              \
        check(b, code_, sizeof(code_), vector);                                                    \
    } while (0)

static void absent_and_bad_control_registers_fault(void **state)
{
    struct interp_bench *b = *state;
    CHECK(b, X86_UD, 0x0f, 0x20, 0xc8);                              /* mov eax,cr1 */
    CHECK(b, X86_UD, 0x0f, 0x20, 0xe8);                              /* mov eax,cr5 */
    CHECK(b, -1, 0x0f, 0x20, 0xe0);                                  /* mov eax,cr4 */
    CHECK(b, X86_GP, 0x66, 0xb8, 0, 0, 0, 0x80, 0x0f, 0x22, 0xc0);   /* PG without PE */
    CHECK(b, X86_GP, 0x66, 0xb8, 0, 0, 0, 0x20, 0x0f, 0x22, 0xc0);   /* NW without CD */
    CHECK(b, X86_GP, 0x66, 0xb8, 0x20, 0, 0, 0, 0x0f, 0x22, 0xe0);   /* CR4.PAE on a Pentium */
    CHECK(b, -1, 0x66, 0xb8, 0x5f, 0, 0, 0, 0x0f, 0x22, 0xe0);
}

static void models_without_cr4_have_no_cr4(void **state)
{
    struct interp_bench *b = *state;
    CHECK(b, X86_UD, 0x0f, 0x20, 0xe0);
    CHECK(b, X86_UD, 0x0f, 0x31); /* RDTSC */
    CHECK(b, X86_UD, 0x0f, 0x32); /* RDMSR */
}

static void
debug_registers_4_and_5_are_6_and_7(void **state) /* [SDM3] "Debug Registers DR4 and DR5" */
{
    struct interp_bench *b = *state;
    PREPARE(b, 0x66, 0xb8, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x23, 0xf0, /* mov dr6,-1 */
            0x0f, 0x21, 0xe3,                                        /* mov ebx,dr4 */
            0x66, 0xb8, 0xff, 0xdf, 0, 0, 0x0f, 0x23, 0xf8,          /* mov dr7,dfffh */
            0x0f, 0x21, 0xe9);                                       /* mov ecx,dr5 */
    assert_int_equal(run_code(b), -1);
    assert_int_equal(b->cpu->s.gpr[R_BX], 0xffffefff);
    assert_int_equal(b->cpu->s.gpr[R_CX], 0x7ff);
    CHECK(b, X86_UD, 0x66, 0xb8, 8, 0, 0, 0, 0x0f, 0x22, 0xe0, 0x0f, 0x21,
          0xe3); /* CR4.DE; mov ebx,dr4 */
}

static void general_detect_guards_the_debug_registers(void **state)
{
    struct interp_bench *b = *state;
    CHECK(b, X86_DB, 0x66, 0xb8, 0, 0x24, 0, 0, 0x0f, 0x23, 0xf8, 0x0f, 0x21, 0xc3);
    assert_int_equal(b->cpu->s.dr[6] & 0xf000, DR6_BD);
    assert_int_equal(b->cpu->s.dr[7], 0x400); /* GD is off in the handler */
}

static void unknown_msrs_fault(void **state)
{
    struct interp_bench *b = *state;
    CHECK(b, X86_GP, 0x66, 0xb9, 0x34, 0x12, 0, 0, 0x0f, 0x32);      /* mov ecx,1234h; rdmsr */
    CHECK(b, X86_GP, 0x66, 0xb9, 0x34, 0x12, 0, 0, 0x0f, 0x30);
    CHECK(b, X86_GP, 0x66, 0xb9, 0xfe, 0, 0, 0, 0x0f, 0x32);         /* MTRRs: a P6 has them */
    CHECK(b, X86_GP, 0x66, 0xb9, 0x80, 0, 0, 0xc0, 0x0f, 0x32);      /* EFER */
    CHECK(b, -1, 0x66, 0xb9, 0, 0, 0, 0, 0x0f, 0x32);                /* P5_MC_ADDR */
}

static void misc_enable_is_kept_and_its_rest_refused(void **state) /* [SDM4] IA32_MISC_ENABLE */
{
    struct interp_bench *b = *state;
    CHECK(b, -1, 0x66, 0xb9, 0xa0, 1, 0, 0, 0x0f, 0x32);             /* mov ecx,1a0h; rdmsr */
    assert_int_equal(b->cpu->s.gpr[R_AX], 0x1801); /* after reset; no BTS, no PEBS */
    CHECK(b, -1, 0x66, 0xb9, 0xa0, 1, 0, 0, 0x66, 0xb8, 8, 0, 5, 0, 0x66, 0x31, 0xd2, 0x0f, 0x30,
          0x66, 0x31, 0xc0, 0x0f, 0x32);
    assert_int_equal(b->cpu->s.gpr[R_AX], 0x51808);
    CHECK(b, X86_GP, 0x66, 0xb9, 0xa0, 1, 0, 0, 0x66, 0xb8, 2, 0, 0, 0, 0x66, 0x31, 0xd2, 0x0f,
          0x30);
}

static void the_time_stamp_counter_can_be_set(void **state)
{
    struct interp_bench *b = *state;
    PREPARE(b, 0x66, 0xb9, 0x10, 0, 0, 0, 0x66, 0xb8, 0, 0, 0, 0x10, 0x66, 0xba, 5, 0, 0, 0, 0x0f,
            0x30, 0x0f, 0x31); /* mov ecx,10h; mov eax,10000000h; mov edx,5; wrmsr; rdtsc */
    assert_int_equal(run_code(b), -1);
    assert_int_equal(b->cpu->s.gpr[R_DX], 5);
    assert_in_range(b->cpu->s.gpr[R_AX], 0x10000000, 0x10000100);
}

static void mtrrs_are_kept_and_checked(void **state)
{
    struct interp_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    assert_int_equal(x86_rdmsr(cpu, 0xfe), 0x508);
    x86_wrmsr(cpu, 0x268, 0x0606060606060606ull);
    assert_int_equal(x86_rdmsr(cpu, 0x268), 0x0606060606060606ull);
    assert_int_equal(x86_rdmsr(cpu, 0x269), 0);
    x86_wrmsr(cpu, 0x200, 0xe0000000 | 6);
    x86_wrmsr(cpu, 0x201, 0xfe0000800ull);
    assert_int_equal(x86_rdmsr(cpu, 0x201), 0xfe0000800ull);
    static const struct {
        uint32_t index;
        uint64_t val;
    } bad[] = {{0x250, 2}, {0x200, 7}, {0x201, BIT64(36) | 0x800}, {0x2ff, 0x300}, {0xfe, 0}};
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        volatile bool faulted = true;
        if (setjmp(cpu->unwind) == 0) {
            x86_wrmsr(cpu, bad[i].index, bad[i].val);
            faulted = false;
        }
        assert_true(faulted);
        cpu->exc.active = false;
    }
}

/* From prepare's real mode into virtual-8086 mode at the same place; gates lead to the same
 * handlers, in a flat 16-bit segment at level 0. */
static void enter_v86(struct interp_bench *b)
{
    enum { GDT = 0x8000, IDT = 0x8100, TSS = 0x8200 };
    struct x86_state *s = &b->cpu->s;
    st64le(ibench_mem(b, GDT + 8), 0x00009b000000ffffull);
    st64le(ibench_mem(b, GDT + 16), 0x000093000000ffffull);
    for (unsigned v = 0; v < 32; v++) {
        st64le(ibench_mem(b, IDT + v * 8), (HANDLER + v * 16) | 8ull << 16 | 0x86ull << 40);
    }
    st32le(ibench_mem(b, TSS + 4), 0x7800);
    st16le(ibench_mem(b, TSS + 8), 16);
    s->gdtr = (struct x86_dtr){.base = GDT, .limit = 0x17};
    s->idtr = (struct x86_dtr){.base = IDT, .limit = 0xff};
    s->tr = (struct x86_seg){.sel = 0x18, .base = TSS, .limit = 0x67, .attr = AR_P | 11};
    s->cr0 |= CR0_PE;
    s->rflags |= FL_VM;
    for (unsigned seg = 0; seg < 6; seg++) {
        s->seg[seg].attr = AR_P | AR_DPL | AR_S | AR_WRITABLE | AR_ACCESSED;
    }
    x86_state_loaded(b->cpu);
}

/* System instructions at CPL 3, in virtual-8086 mode: #GP(0) or #UD. */
static void privileged_instructions_need_level_0(void **state)
{
    static const struct {
        uint8_t code[3];
        int vector;
    } cases[] = {
        {{0x0f, 0x20, 0xc0}, X86_GP}, {{0x0f, 0x22, 0xc0}, X86_GP}, {{0x0f, 0x21, 0xc0}, X86_GP},
        {{0x0f, 0x23, 0xc0}, X86_GP}, {{0x0f, 0x30, 0}, X86_GP},    {{0x0f, 0x32, 0}, X86_GP},
        {{0x0f, 0x06, 0}, X86_GP},    {{0x0f, 0x08, 0}, X86_GP},    {{0x0f, 0x09, 0}, X86_GP},
        {{0x0f, 0x01, 0xf0}, X86_GP}, {{0x0f, 0x01, 0x17}, X86_GP}, {{0x0f, 0x01, 0x1f}, X86_GP},
        {{0x0f, 0x01, 0x3f}, X86_GP}, {{0x0f, 0x00, 0xd0}, X86_UD}, {{0x0f, 0x00, 0xd8}, X86_UD},
        {{0x0f, 0x00, 0xc0}, X86_UD}, {{0x0f, 0x02, 0xc0}, X86_UD}, {{0x0f, 0xaa, 0}, X86_UD},
        {{0xf4, 0, 0}, X86_GP},
    };
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        prepare(b, cases[i].code, 3);
        enter_v86(b);
        int got = run_code(b);
        if (got != cases[i].vector) {
            print_message("%02x %02x %02x: vector %d, not %d\n", cases[i].code[0], cases[i].code[1],
                          cases[i].code[2], got, cases[i].vector);
            fail();
        }
    }
}

#define T(name)   cmocka_unit_test_setup_teardown(name, setup, teardown)
#define T4(name)  cmocka_unit_test_setup_teardown(name, setup_486, teardown)
#define T6(name)  cmocka_unit_test_setup_teardown(name, setup_p6, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(power_on_state_is_the_manuals),
        T(init_keeps_the_x87_and_the_msrs),
        T(cpuid_tells_the_model),
        T(models_are_found_by_name),
        T(descriptor_table_registers_go_through_memory),
        T(lmsw_sets_pe_and_never_clears_it),
        T(clts_clears_ts),
        T(absent_and_bad_control_registers_fault),
        T4(models_without_cr4_have_no_cr4),
        T(debug_registers_4_and_5_are_6_and_7),
        T(general_detect_guards_the_debug_registers),
        T(unknown_msrs_fault),
        T(the_time_stamp_counter_can_be_set),
        T6(mtrrs_are_kept_and_checked),
        T6(misc_enable_is_kept_and_its_rest_refused),
        T(privileged_instructions_need_level_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
