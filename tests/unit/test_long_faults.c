/*
 * Long mode: what single instructions raise, with vector, error code, frame and unchanged registers
 * at each privilege and code size. From [SDM2], [SDM3].
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/long_bench.h"

/* One fault: @code at CS @cs raises @vector with @error, RIP and registers as before. */
struct fault {
    const char *what;
    uint16_t cs;
    uint8_t code[12];
    uint8_t n;
    int vector;
    int64_t error;               /* -1: no error code */
    uint64_t rax, rcx, rdx, rsp; /* rsp 0: LB_STACK */
    uint64_t cr4, cr2;           /* bits added; expected */
    uint32_t flags;              /* added */
};
#define CODE(...) .code = {__VA_ARGS__}, .n = sizeof((uint8_t[]){__VA_ARGS__})

/* The frame has the interrupted state, its address and the error code. */
static void check_frame(struct interp_bench *b, const struct fault *f, const struct x86_state *was)
{
    uint64_t sp = b->cpu->s.gpr[R_SP];
    bool inner = f->cs & 3;
    if (f->error >= 0) {
        assert_int_equal(lb_get64(b, sp), f->error);
        sp += 8;
    }
    assert_int_equal(lb_get64(b, sp), LB_CODE);
    assert_int_equal(lb_get64(b, sp + 8), f->cs);
    assert_int_equal(lb_get64(b, sp + 16), was->rflags | FL_RF);
    assert_int_equal(lb_get64(b, sp + 24), was->gpr[R_SP]);
    assert_int_equal(lb_get64(b, sp + 32), was->seg[S_SS].sel);
    if (inner) {
        assert_int_equal(sp + 40, LB_RSP0);
        assert_int_equal(b->cpu->s.seg[S_SS].sel, 0);
    }
}

static void run_fault(struct interp_bench *b, const struct fault *f)
{
    struct x86_state was;
    lb_start(b, f->cs);
    struct x86_state *s = &b->cpu->s;
    s->gpr[R_AX] = f->rax;
    s->gpr[R_CX] = f->rcx;
    s->gpr[R_DX] = f->rdx;
    s->gpr[R_SP] = f->rsp ? f->rsp : LB_STACK;
    s->cr4 |= f->cr4;
    s->rflags |= f->flags;
    /* The handlers of stack faults need a good stack. */
    lb_idt(b, X86_SS, LS_CODE, 0x8e, f->rsp ? 1 : 0);
    lb_idt(b, X86_GP, LS_CODE, 0x8e, f->rsp ? 1 : 0);
    x86_state_loaded(b->cpu);
    was = *s;
    assert_int_equal(lb_run(b, f->code, f->n), EXIT_HALT);
    assert_int_equal(lb_vector(b), f->vector);
    for (unsigned i = 0; i < 16; i++) {
        assert_true(i == R_SP || s->gpr[i] == was.gpr[i]);
    }
    if (!f->rsp) {
        check_frame(b, f, &was);
    } else {
        assert_int_equal(lb_get64(b, s->gpr[R_SP]), f->error);
    }
    assert_int_equal(s->cr2, f->cr2);
    assert_int_equal(s->rflags & (FL_IF | FL_TF | FL_NT | FL_RF), 0);
}

static void run_faults(void **state, const struct fault *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        print_message("           %s\n", f[i].what);
        run_fault(*state, &f[i]);
    }
}

static void addresses_must_be_canonical(void **state)
{
    static const struct fault t[] = {
        {"mov rbx,[rax]", LS_CODE, CODE(0x48, 0x8b, 0x18), X86_GP, 0, .rax = NOT_CANONICAL},
        {"mov rbx,[rax] at CPL 3", LS_USER, CODE(0x48, 0x8b, 0x18), X86_GP, 0,
         .rax = NOT_CANONICAL},
        {"mov [rax],rbx at the last byte", LS_CODE, CODE(0x48, 0x89, 0x18), X86_GP, 0,
         .rax = NOT_CANONICAL - 1},
        {"mov rbx,[rax], upper half", LS_CODE, CODE(0x48, 0x8b, 0x18), X86_GP, 0,
         .rax = 0xffff7fffffffffffull},
        {"mov rbx,[rsp]", LS_CODE, CODE(0x48, 0x8b, 0x1c, 0x24), X86_SS, 0, .rsp = NOT_CANONICAL},
        {"push rbx", LS_CODE, CODE(0x53), X86_SS, 0, .rsp = NOT_CANONICAL + 8},
        {"pop rbx at CPL 3", LS_USER, CODE(0x5b), X86_SS, 0, .rsp = NOT_CANONICAL},
        {"push qword [rax]", LS_CODE, CODE(0xff, 0x30), X86_GP, 0, .rax = NOT_CANONICAL},
        {"pop qword [rax]", LS_CODE, CODE(0x8f, 0x00), X86_GP, 0, .rax = NOT_CANONICAL},
        {"call rax", LS_CODE, CODE(0xff, 0xd0), X86_GP, 0, .rax = NOT_CANONICAL},
        {"jmp rax", LS_CODE, CODE(0xff, 0xe0), X86_GP, 0, .rax = NOT_CANONICAL},
        {"jmp rax at CPL 3", LS_USER, CODE(0xff, 0xe0), X86_GP, 0, .rax = 1ull << 63},
        {"ret", LS_CODE, CODE(0xc3), X86_SS, 0, .rsp = NOT_CANONICAL},
        {"int3 has no room", LS_CODE, CODE(0xcc), X86_SS, 0, .rsp = NOT_CANONICAL + 16},
        {"wrfsbase rax", LS_CODE, CODE(0xf3, 0x48, 0x0f, 0xae, 0xd0), X86_GP, 0,
         .rax = NOT_CANONICAL, .cr4 = CR4_FSGSBASE},
        {"lgdt", LS_CODE, CODE(0x0f, 0x01, 0x10), X86_GP, 0, .rax = 0x3f0},
        {"lidt", LS_CODE, CODE(0x0f, 0x01, 0x18), X86_GP, 0, .rax = 0x3f0},
        {"wrmsr LSTAR", LS_CODE, CODE(0x0f, 0x30), X86_GP, 0, .rcx = 0xc0000082, .rdx = 0x8000},
        {"wrmsr FS.base", LS_CODE, CODE(0x0f, 0x30), X86_GP, 0, .rcx = 0xc0000100, .rdx = 0x8000},
        {"wrmsr SYSENTER_EIP", LS_CODE, CODE(0x0f, 0x30), X86_GP, 0, .rcx = 0x176, .rdx = 0x8000},
        {"sysret", LS_CODE, CODE(0x48, 0x0f, 0x07), X86_GP, 0, .rcx = NOT_CANONICAL},
    };
    struct interp_bench *b = *state;
    lb_put64(b, 0x3f2, NOT_CANONICAL);
    run_faults(state, t, ARRAY_SIZE(t));
}

static void instructions_have_their_modes_and_privileges(void **state)
{
    static const struct fault t[] = {
        {"swapgs at CPL 3", LS_USER, CODE(0x0f, 0x01, 0xf8), X86_GP, 0},
        {"swapgs in compatibility mode", LS_CODE32, CODE(0x0f, 0x01, 0xf8), X86_UD, -1},
        {"sysret at CPL 3", LS_USER, CODE(0x48, 0x0f, 0x07), X86_GP, 0},
        {"sysenter of AMD's", LS_USER, CODE(0x0f, 0x34), X86_UD, -1},
        {"sysexit of AMD's", LS_CODE, CODE(0x0f, 0x35), X86_UD, -1},
        {"rdfsbase without CR4", LS_CODE, CODE(0xf3, 0x0f, 0xae, 0xc0), X86_UD, -1},
        {"rdfsbase in compatibility mode", LS_CODE32, CODE(0xf3, 0x0f, 0xae, 0xc0), X86_UD, -1,
         .cr4 = CR4_FSGSBASE},
        {"stac at CPL 3", LS_USER, CODE(0x0f, 0x01, 0xcb), X86_UD, -1},
        {"clac at CPL 3", LS_USER32, CODE(0x0f, 0x01, 0xca), X86_UD, -1},
        {"rdtscp with TSD", LS_USER, CODE(0x0f, 0x01, 0xf9), X86_GP, 0, .cr4 = CR4_TSD},
        {"sgdt with UMIP", LS_USER, CODE(0x0f, 0x01, 0x00), X86_GP, 0, .cr4 = CR4_UMIP},
        {"sidt with UMIP", LS_USER32, CODE(0x0f, 0x01, 0x08), X86_GP, 0, .cr4 = CR4_UMIP},
        {"sldt with UMIP", LS_USER, CODE(0x0f, 0x00, 0xc0), X86_GP, 0, .cr4 = CR4_UMIP},
        {"str with UMIP", LS_USER, CODE(0x0f, 0x00, 0xc8), X86_GP, 0, .cr4 = CR4_UMIP},
        {"smsw with UMIP", LS_USER, CODE(0x0f, 0x01, 0xe0), X86_GP, 0, .cr4 = CR4_UMIP},
        {"hlt at CPL 3", LS_USER, CODE(0xf4), X86_GP, 0},
        {"mov cr8 at CPL 3", LS_USER, CODE(0x44, 0x0f, 0x22, 0xc0), X86_GP, 0},
        {"cli at CPL 3", LS_USER, CODE(0xfa), X86_GP, 0},
        {"in al,dx at CPL 3", LS_USER, CODE(0xec), X86_GP, 0},
        {"iretq with NT", LS_CODE, CODE(0x48, 0xcf), X86_GP, 0, .flags = FL_NT},
        {"iretd with NT", LS_CODE32, CODE(0xcf), X86_GP, 0, .flags = FL_NT},
    };
    run_faults(state, t, ARRAY_SIZE(t));
}

static void legacy_opcodes_are_invalid_in_64_bit_mode(void **state)
{
    static const uint8_t gone[] = {0x06, 0x0e, 0x16, 0x1e, 0x07, 0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f,
                                   0x60, 0x61, 0x82, 0x9a, 0xce, 0xd4, 0xd5, 0xd6, 0xea};
    for (unsigned i = 0; i < ARRAY_SIZE(gone); i++) {
        struct fault f = {.what = "", .cs = LS_USER, .code = {gone[i], 0xc0}, .n = 8,
                          .vector = X86_UD, .error = -1};
        run_fault(*state, &f);
    }
}

static void control_registers_refuse_reserved_values(void **state)
{
    static const struct fault t[] = {
        {"mov cr0: paging off in 64-bit mode", LS_CODE, CODE(0x0f, 0x22, 0xc0), X86_GP, 0,
         .rax = 0x11},
        {"mov cr0: high bits", LS_CODE, CODE(0x0f, 0x22, 0xc0), X86_GP, 0, .rax = 0x180010011},
        {"mov cr3: above the address width", LS_CODE, CODE(0x0f, 0x22, 0xd8), X86_GP, 0,
         .rax = 1ull << 41},
        {"mov cr3: bit 63 without PCIDE", LS_CODE, CODE(0x0f, 0x22, 0xd8), X86_GP, 0,
         .rax = 1ull << 63 | LB_PML4},
        {"mov cr4: PAE off", LS_CODE, CODE(0x0f, 0x22, 0xe0), X86_GP, 0, .rax = CR4_PGE},
        {"mov cr4: high bits", LS_CODE, CODE(0x0f, 0x22, 0xe0), X86_GP, 0,
         .rax = 1ull << 32 | CR4_PAE},
        {"mov cr8: above 15", LS_CODE, CODE(0x44, 0x0f, 0x22, 0xc0), X86_GP, 0, .rax = 16},
        {"mov dr7: high bits", LS_CODE, CODE(0x0f, 0x23, 0xf8), X86_GP, 0, .rax = 1ull << 32},
        {"mov dr6: high bits", LS_CODE, CODE(0x0f, 0x23, 0xf0), X86_GP, 0, .rax = 1ull << 63},
        {"mov dr8", LS_CODE, CODE(0x44, 0x0f, 0x23, 0xc0), X86_UD, -1},
        {"mov cr1", LS_CODE, CODE(0x0f, 0x22, 0xc8), X86_UD, -1},
        {"wrmsr EFER: LME off while paging", LS_CODE, CODE(0x0f, 0x30), X86_GP, 0,
         .rcx = 0xc0000080},
        {"wrmsr EFER: reserved", LS_CODE, CODE(0x0f, 0x30), X86_GP, 0, .rcx = 0xc0000080,
         .rax = 0x902},
        {"rdmsr: none there", LS_CODE, CODE(0x0f, 0x32), X86_GP, 0, .rcx = 0x12345},
    };
    run_faults(state, t, ARRAY_SIZE(t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LONG_TEST(addresses_must_be_canonical),
        LONG_TEST(instructions_have_their_modes_and_privileges),
        LONG_TEST(legacy_opcodes_are_invalid_in_64_bit_mode),
        LONG_TEST(control_registers_refuse_reserved_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
