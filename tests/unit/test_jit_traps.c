/*
 * System calls of translated code: on the JIT they leave the same state as on the interpreter, with
 * all that is derived from it, wherever a slice ends.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/long_bench.h"
#include "unit/random.h"

#include "core/accel/jit/jit.h"
#include "core/device/state.h"

#define TIMES 80u                                       /* system calls of a program */

static uint64_t seed = 1;

/* ---- two machines ---- */

struct pair {
    struct interp_bench *interp, *jit;
};

static int fresh(void **state)
{
    struct pair *p = calloc(1, sizeof(*p));
    p->interp = lb_new("max");
    p->jit = lb_new("max");
    assert_true(jit_attach(p->jit->e, NULL));
    *state = p;
    return 0;
}

static int done(void **state)
{
    struct pair *p = *state;
    jit_detach(p->jit->e);
    ibench_free(p->jit);
    ibench_free(p->interp);
    free(p);
    return 0;
}

/* The state with the arithmetic flags where they belong. */
static struct x86_state state_of(struct interp_bench *b)
{
    struct x86_state s = b->cpu->s;
    s.rflags = x86_get_rflags(b->cpu);
    return s;
}

static void assert_same(struct pair *p)
{
    struct x86_state a = state_of(p->interp), b = state_of(p->jit);
    const struct x86_cpu *x = p->interp->cpu, *y = p->jit->cpu;
    struct state_buf first = {0}, second = {0};
    state_save(&first, x86_state_fields, &a, NULL);
    state_save(&second, x86_state_fields, &b, NULL);
    const char *differs = state_differs(x86_state_fields, first.data, second.data, true);
    assert_string_equal(differs ? differs : "", "");
    state_buf_free(&first);
    state_buf_free(&second);
    assert_int_equal(x->mode, y->mode);
    assert_int_equal(x->cpl, y->cpl);
    assert_int_equal(x->super_tlb, y->super_tlb);
    assert_int_equal(x->tlb - x->tlbs[0], y->tlb - y->tlbs[0]);
    assert_int_equal(x->align_check, y->align_check);
    assert_int_equal(x->pend_mask, y->pend_mask);
    assert_memory_equal(x->seg_top_r, y->seg_top_r, sizeof(x->seg_top_r));
    assert_memory_equal(x->seg_top_w, y->seg_top_w, sizeof(x->seg_top_w));
    assert_int_equal(interp_icount(x), interp_icount(y));
}

/* Both run what is at RIP for some instructions, and then until they halt. */
static void run_both(struct pair *p)
{
    uint64_t some = random_64(&seed) % (TIMES * 8);
    struct interp_bench *both[] = {p->interp, p->jit};
    enum vcpu_exit_reason why[2];
    for (unsigned i = 0; i < 2; i++) {
        both[i]->stop_at = interp_icount(both[i]->cpu) + some;
        why[i] = ibench_run(both[i]);
    }
    assert_int_equal(why[0], why[1]);
    assert_same(p);
    for (unsigned i = 0; i < 2; i++) {
        both[i]->stop_at = ~0ull;
        assert_int_equal(ibench_run(both[i]), EXIT_HALT);
    }
    assert_same(p);
}

/* ---- SYSCALL, SYSRET ---- */

#define STAR    (0x18ull << 48 | 0x08ull << 32)
#define SFMASKS (FL_OSZAPC | FL_IF | FL_DF | FL_IOPL | FL_NT | FL_AC | FL_ID)

/* The caller makes TIMES calls, with arithmetic flags of its count; then it does what faults. The
 * kernel changes the flags that it returns by R15. */
static void start_caller(struct interp_bench *b, uint64_t sfmask, uint64_t r15, uint64_t star)
{
    static const uint8_t caller[] = {
        0x81, 0xeb, 1, 0, 0, 0,                         /* again: sub ebx, 1 */
        0x0f, 0x05,                                     /* syscall */
        0x41, 0x0f, 0x92, 0xc0,                         /* setc r8b */
        0x49, 0x01, 0xc1,                               /* add r9, rax */
        0x85, 0xdb,                                     /* test ebx, ebx */
        0x75, 0xed,                                     /* jnz again */
        0xf4,                                           /* hlt: #GP(0) */
    };
    static const uint8_t kernel[] = {
        0x0f, 0x01, 0xf8,                               /* swapgs */
        0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0,       /* mov rax, gs:[0] */
        0x41, 0x0f, 0x20, 0xd4,                         /* mov r12, cr2 */
        0x0f, 0x20, 0xda,                               /* mov rdx, cr3 */
        0x0f, 0x20, 0xc6,                               /* mov rsi, cr0 */
        0x4c, 0x01, 0xe7,                               /* add rdi, r12 */
        0x4d, 0x31, 0xfb,                               /* xor r11, r15 */
        0x0f, 0x01, 0xf8,                               /* swapgs */
        0x48, 0x0f, 0x07,                               /* sysret */
    };
    struct x86_state *s = &b->cpu->s;
    lb_start(b, LS_USER);
    s->gpr[R_BX] = TIMES;
    s->gpr[R_15] = r15;
    s->sfmask = sfmask;
    s->star = star;
    s->kernel_gs_base = LB_PAGES + 0x3000;
    x86_state_loaded(b->cpu);
    ibench_poke(b, s->lstar, kernel, sizeof(kernel));
    ibench_poke(b, LB_CODE, caller, sizeof(caller));
}

static void system_calls_are_as_on_the_interpreter(void **state)
{
    struct pair *p = *state;
    struct interp_bench *both[] = {p->interp, p->jit};
    for (unsigned i = 0; i < 300; i++) {
        uint64_t sfmask = random_64(&seed) & SFMASKS, r15 = random_64(&seed) & SFMASKS;
        uint64_t star = i % 3 ? STAR : random_64(&seed) << 32;
        r15 &= i % 4 == 0 ? ~0ull : ~(uint64_t)FL_AC;
        r15 |= i % 16 == 0 ? (uint64_t)FL_TF : 0;
        for (unsigned k = 0; k < 2; k++) {
            start_caller(both[k], sfmask, r15, star);
            both[k]->cpu->s.cr2 = ~sfmask;
            both[k]->cpu->s.cr0 |= i % 7 == 0 ? CR0_AM : 0;
            both[k]->cpu->s.efer &= i % 11 == 0 ? ~(uint64_t)EFER_SCE : ~0ull;
            x86_state_loaded(both[k]->cpu);
        }
        run_both(p);
    }
}

/* Both run start_caller's program with this kernel, at @rip. */
static void run_kernel(struct pair *p, const uint8_t *kernel, unsigned n, uint64_t rip)
{
    struct interp_bench *both[] = {p->interp, p->jit};
    for (unsigned k = 0; k < 2; k++) {
        start_caller(both[k], FL_IF, 0, STAR);
        both[k]->cpu->s.rip = rip;
        both[k]->cpu->s.rflags |= FL_IF;
        both[k]->raise = PEND_INTR;
        both[k]->vector = 0x40;
        ibench_poke(both[k], both[k]->cpu->s.lstar, kernel, n);
        lb_put64(both[k], LB_PML4 + 255 * 8, LB_PDPT | 7); /* the caller's page, high up */
        lb_put64(both[k], LB_PDPT + 511 * 8, LB_PD | 7);
        x86_state_loaded(both[k]->cpu);
    }
    run_both(p);
}

/* The last of many returns goes to an address that is not canonical: #GP(0) in the kernel. */
static void a_return_to_no_address_faults_in_the_kernel(void **state)
{
    static const uint8_t kernel[] = {
        0x48, 0x8d, 0x04, 0x09,                         /* lea rax, [rcx + rcx] */
        0x85, 0xdb,                                     /* test ebx, ebx */
        0x48, 0x0f, 0x44, 0xc8,                         /* cmovz rcx, rax */
        0x48, 0x0f, 0x07,                               /* sysret */
    };
    struct pair *p = *state;
    run_kernel(p, kernel, sizeof(kernel), 0x7fffc0000000 + LB_CODE);
    assert_int_equal(lb_vector(p->jit), X86_GP);
    assert_int_equal(lb_get64(p->jit, p->jit->cpu->s.gpr[R_SP] + 16), LS_CODE);
}

/* Before the last return EFER.SCE goes off. */
static void a_return_looks_at_efer(void **state)
{
    static const uint8_t kernel[] = {
        0x85, 0xdb,                                     /* test ebx, ebx */
        0x75, 0x0c,                                     /* jnz return */
        0xb9, 0x80, 0, 0, 0xc0,                         /* mov ecx, 0xc0000080 */
        0x0f, 0x32,                                     /* rdmsr */
        0x83, 0xe0, 0xfe,                               /* and eax, ~1 */
        0x0f, 0x30,                                     /* wrmsr */
        0x48, 0x0f, 0x07,                               /* return: sysret */
    };
    struct pair *p = *state;
    run_kernel(p, kernel, sizeof(kernel), LB_CODE);
    assert_int_equal(lb_vector(p->jit), X86_UD);
}

/* One that comes in the last call is taken when the caller, who lets it in, is back. */
static void an_interrupt_waits_for_the_end_of_the_call(void **state)
{
    static const uint8_t kernel[] = {
        0x85, 0xdb,                                     /* test ebx, ebx */
        0x75, 0x04,                                     /* jnz return */
        0xe4, 0x80,                                     /* in al, 80h */
        0xeb, 0,                                        /* jmp return */
        0x48, 0x0f, 0x07,                               /* return: sysret */
    };
    struct pair *p = *state;
    run_kernel(p, kernel, sizeof(kernel), LB_CODE);
    assert_int_equal(lb_vector(p->jit), 0x40);
    assert_int_equal(lb_get64(p->jit, p->jit->cpu->s.gpr[R_SP]), LB_CODE + 8);
}

#define PAIR_TEST(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAIR_TEST(system_calls_are_as_on_the_interpreter),
        PAIR_TEST(a_return_to_no_address_faults_in_the_kernel),
        PAIR_TEST(a_return_looks_at_efer),
        PAIR_TEST(an_interrupt_waits_for_the_end_of_the_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
