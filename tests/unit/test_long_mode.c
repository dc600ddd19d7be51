/*
 * Long mode by what programs see: page faults, interrupts, far transfers, fast system calls,
 * breakpoints, SMM. From [SDM2], [SDM3]. What single instructions raise: test_long_faults.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "unit/long_bench.h"

/* ---- paging ---- */

static void page_faults_tell_what_was_wrong(void **state)
{
    enum { P = 1, W = 2, U = 4, RSVD = 8, I = 16 };
    static const struct {
        const char *what;
        uint16_t cs;
        uint64_t pte;            /* added to or, if 0, in place of the entry of page 1 */
        uint64_t clear;
        uint8_t code[4];
        uint64_t cr4;
        unsigned error;
        bool fetch;
    } t[] = {
        {"read of an absent page", LS_CODE, 0, 1, {0x48, 0x8b, 0x18}, 0, 0, false},
        {"write of an absent page at CPL 3", LS_USER, 0, 1, {0x48, 0x89, 0x18}, 0, W | U, false},
        {"write of a read-only page", LS_CODE, 0, 2, {0x48, 0x89, 0x18}, 0, P | W, false},
        {"read of a supervisor page", LS_USER, 0, 4, {0x48, 0x8b, 0x18}, 0, P | U, false},
        {"jump to a no-execute page", LS_USER, 1ull << 63, 0, {0xff, 0xe0}, 0, P | U | I, true},
        {"jump to an absent page", LS_CODE, 0, 1, {0xff, 0xe0}, 0, I, true},
        {"jump to a user page with SMEP", LS_CODE, 0, 0, {0xff, 0xe0}, CR4_SMEP, P | I, true},
        {"read of a user page with SMAP", LS_CODE, 0, 0, {0x48, 0x8b, 0x18}, CR4_SMAP, P, false},
        {"write of a user page with SMAP",
         LS_CODE,
         0,
         0,
         {0x48, 0x89, 0x18},
         CR4_SMAP,
         P | W,
         false},
        {"reserved address bit", LS_CODE, 1ull << 45, 0, {0x48, 0x8b, 0x18}, 0, P | RSVD, false},
    };
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        print_message("           %s\n", t[i].what);
        lb_page_tables(b);
        /* Everything but the pages with entries of their own is the supervisor's with SMEP,
         * SMAP. */
        for (unsigned k = 0; k < 2 && t[i].cr4; k++) {
            lb_put64(b, LB_PD + k * 8, lb_get64(b, LB_PD + k * 8) & ~4ull);
        }
        lb_start(b, t[i].cs);
        uint64_t addr = LB_PAGES + 0x1230, *rip = &b->cpu->s.gpr[R_AX];
        lb_put64(b, LB_PT + 8, (lb_get64(b, LB_PT + 8) | t[i].pte) & ~t[i].clear);
        *rip = addr;
        b->cpu->s.cr4 |= t[i].cr4;
        x86_state_loaded(b->cpu);
        assert_int_equal(lb_run(b, t[i].code, 4), EXIT_HALT);
        uint64_t sp = b->cpu->s.gpr[R_SP];
        assert_int_equal(lb_vector(b), X86_PF);
        assert_int_equal(b->cpu->s.cr2, addr);
        assert_int_equal(lb_get64(b, sp), t[i].error);
        assert_int_equal(lb_get64(b, sp + 8), t[i].fetch ? addr : LB_CODE);
    }
}

static void smap_lets_pass_while_ac_is_set(void **state)
{
    struct interp_bench *b = *state;
    lb_put64(b, LB_PD, lb_get64(b, LB_PD) & ~4ull);
    b->cpu->s.cr4 |= CR4_SMAP;
    b->cpu->s.gpr[R_AX] = LB_PAGES;
    x86_state_loaded(b->cpu);
    lb_put64(b, LB_PAGES, 0x1234);
    lb_run(b, "\x0f\x01\xcb\x48\x8b\x18\x0f\x01\xca\x48\x8b\x08", 12); /* stac, mov, clac, mov */
    assert_int_equal(b->cpu->s.gpr[R_BX], 0x1234);
    assert_int_equal(b->cpu->s.gpr[R_CX], 0);
    assert_int_equal(lb_vector(b), X86_PF);
    assert_int_equal(lb_get64(b, b->cpu->s.gpr[R_SP] + 8), LB_CODE + 9);
}

/* ---- interrupts ---- */

static void gates_are_checked(void **state)
{
    static const struct {
        const char *what;
        uint16_t sel;
        unsigned attr;
        uint16_t cs;
        int vector;
        unsigned error;
    } t[] = {
        {"not present", LS_CODE, 0x0e, LS_CODE, X86_NP, 0x40 * 8 + 2},
        {"a task gate", LS_CODE, 0x85, LS_CODE, X86_GP, 0x40 * 8 + 2},
        {"a 16-bit gate", LS_CODE, 0x86, LS_CODE, X86_GP, 0x40 * 8 + 2},
        {"a call gate", LS_CODE, 0x8c, LS_CODE, X86_GP, 0x40 * 8 + 2},
        {"DPL below CPL", LS_CODE, 0x8e, LS_USER, X86_GP, 0x40 * 8 + 2},
        {"a null selector", 3, 0xee, LS_CODE, X86_GP, 0},
        {"a data segment", LS_DATA, 0xee, LS_CODE, X86_GP, LS_DATA},
        {"32-bit code", LS_CODE32, 0xee, LS_CODE, X86_GP, LS_CODE32},
        {"outer code", LS_USER, 0xee, LS_CODE, X86_GP, LS_USER & ~3},
        {"outside the GDT", 0x800, 0xee, LS_USER32, X86_GP, 0x800},
    };
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        print_message("           %s\n", t[i].what);
        lb_start(b, t[i].cs);
        lb_idt(b, 0x40, t[i].sel, t[i].attr, 0);
        assert_int_equal(lb_run(b, "\xcd\x40", 2), EXIT_HALT);
        assert_int_equal(lb_vector(b), t[i].vector);
        assert_int_equal(lb_get64(b, b->cpu->s.gpr[R_SP]), t[i].error);
        assert_int_equal(lb_get64(b, b->cpu->s.gpr[R_SP] + 8), LB_CODE);
    }
    lb_start(b, LS_CODE);
    b->cpu->s.idtr.limit = 0x40 * 16 + 14;
    lb_run(b, "\xcd\x40", 2);
    assert_int_equal(lb_vector(b), X86_GP);
    assert_int_equal(lb_get64(b, b->cpu->s.gpr[R_SP]), 0x40 * 8 + 2);
}

static void the_stack_comes_from_ist_rsp0_or_stays(void **state)
{
    static const struct { uint16_t cs, gate_ist; uint64_t top, ss; } t[] = {
        {LS_CODE, 0, LB_STACK - 8, LS_DATA}, /* aligned to 16 */
        {LS_CODE, 1, LB_IST1 - 8, LS_DATA},
        {LS_USER, 0, LB_RSP0, 0},
        {LS_USER, 1, LB_IST1 - 8, 0},
        {LS_USER32, 0, LB_RSP0, 0},
        {LS_CODE32, 0, LB_STACK - 8, LS_DATA},
    };
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        lb_start(b, t[i].cs);
        lb_idt(b, 0x40, LS_CODE, 0xee, t[i].gate_ist);
        struct x86_state *s = &b->cpu->s;
        s->gpr[R_SP] = LB_STACK - 3;
        uint16_t ss = s->seg[S_SS].sel;
        s->rflags |= FL_IF | FL_AC;
        lb_run(b, "\xcd\x40", 2);
        assert_int_equal(lb_vector(b), 0x40);
        uint64_t top = (t[i].top & ~15ull);
        assert_int_equal(s->gpr[R_SP], top - 40);
        assert_int_equal(lb_get64(b, top - 8), ss);
        assert_int_equal(lb_get64(b, top - 16), LB_STACK - 3);
        assert_int_equal(lb_get64(b, top - 24), FL_1 | FL_IF | FL_AC);
        assert_int_equal(lb_get64(b, top - 32), t[i].cs);
        assert_int_equal(lb_get64(b, top - 40), LB_CODE + 2);
        assert_int_equal(s->seg[S_SS].sel, t[i].ss);
        assert_int_equal(b->cpu->cpl, 0);
        assert_true(b->cpu->mode & MODE_CS64);
    }
}

static void iretq_goes_back_where_the_frame_says(void **state)
{
    static const struct {
        const char *what;
        uint16_t cs, ss;
        int vector;              /* -1: none */
        unsigned error;
    } t[] = {
        {"to 64-bit code of CPL 3", LS_USER, LS_USERDATA, -1, 0},
        {"to 32-bit code of CPL 3", LS_USER32, LS_USERDATA, -1, 0},
        {"to 64-bit code of CPL 0", LS_CODE, LS_DATA, -1, 0},
        {"to CPL 0 with a null SS", LS_CODE, 0, -1, 0},
        {"to CPL 3 with a null SS", LS_USER, 3, X86_GP, 0},
        {"to 32-bit code of CPL 0 with a null SS", LS_CODE32, 0, X86_GP, 0},
        {"SS of another privilege", LS_USER, LS_DATA, X86_GP, LS_DATA},
        {"CS is data", LS_DATA, LS_DATA, X86_GP, LS_DATA},
        {"CS is null", 0, LS_DATA, X86_GP, 0},
        {"CS has L and D", LS_FREE, LS_DATA, X86_GP, LS_FREE},
    };
    struct interp_bench *b = *state;
    lb_desc(b, LS_FREE, 0xe09b);
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        const uint64_t frame[] = {0x6000, t[i].cs, FL_1 | FL_ZF, 0x7777, t[i].ss};
        print_message("           %s\n", t[i].what);
        lb_start(b, LS_CODE);
        struct x86_state *s = &b->cpu->s;
        s->gpr[R_SP] = LB_STACK;
        memcpy(ibench_mem(b, LB_STACK), frame, sizeof(frame));
        ibench_poke(b, 0x6000, "\x0f\x0b", 2); /* ud2: says where we are */
        lb_run(b, "\x48\xcf", 2);
        uint64_t sp = s->gpr[R_SP];
        assert_int_equal(lb_vector(b), t[i].vector < 0 ? X86_UD : t[i].vector);
        if (t[i].vector < 0) {
            assert_int_equal(lb_get64(b, sp), 0x6000);
            assert_int_equal(lb_get64(b, sp + 8), t[i].cs);
            assert_int_equal(lb_get64(b, sp + 16) & ~(uint64_t)FL_RF, FL_1 | FL_ZF);
            assert_int_equal(lb_get64(b, sp + 24), 0x7777);
            assert_int_equal(lb_get64(b, sp + 32), t[i].ss);
        } else {
            assert_int_equal(lb_get64(b, sp), t[i].error);
            assert_int_equal(lb_get64(b, sp + 8), LB_CODE);
        }
    }
}

static void an_interrupt_after_iret_keeps_rf(void **state)
{
    const uint64_t frame[] = {0x6000, LS_CODE, FL_1 | FL_RF | FL_IF, 0x7000, LS_DATA};
    struct interp_bench *b = *state;
    memcpy(ibench_mem(b, LB_STACK), frame, sizeof(frame));
    b->vector = 0x40;
    atomic_fetch_or(b->cpu->pending, PEND_INTR);
    lb_run(b, "\x48\xcf", 2);
    assert_int_equal(lb_vector(b), 0x40);
    assert_int_equal(lb_get64(b, b->cpu->s.gpr[R_SP] + 16), FL_1 | FL_RF | FL_IF);
}

/* ---- far transfers ---- */

static void a_call_gate_leads_to_64_bit_code(void **state)
{
    const uint8_t callf[] = {0xff, 0x1c, 0x25, 0x00, 0x70, 0, 0}; /* call far [7000h] */
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    lb_gate(b, LB_GDT + LS_GATE, LS_CODE, LB_HIGH + LB_HANDLERS + 0x50 * 16, 0xec, 0);
    lb_put64(b, 0x7000, (uint64_t)(LS_GATE | 3) << 32);
    lb_start(b, LS_USER);
    lb_run(b, callf, sizeof(callf));
    assert_int_equal(s->rip, LB_HIGH + LB_HANDLERS + 0x50 * 16 + 1);
    assert_int_equal(s->gpr[R_SP], LB_RSP0 - 32);
    assert_int_equal(lb_get64(b, LB_RSP0 - 8), LS_USERDATA);
    assert_int_equal(lb_get64(b, LB_RSP0 - 16), LB_STACK);
    assert_int_equal(lb_get64(b, LB_RSP0 - 24), LS_USER);
    assert_int_equal(lb_get64(b, LB_RSP0 - 32), LB_CODE + sizeof(callf));
    assert_int_equal(s->seg[S_SS].sel, 0);
    /* Its second half must have type 0, its target be 64-bit code, both halves be in the table. */
    for (unsigned i = 0; i < 3; i++) {
        lb_gate(b, LB_GDT + LS_GATE, i == 1 ? LS_CODE32 : LS_CODE, 0, 0xec, 0);
        lb_put64(b, LB_GDT + LS_GATE + 8, i == 0 ? 1ull << 40 : 0);
        lb_start(b, LS_USER);
        s->gdtr.limit = i == 2 ? LS_GATE + 14 : 0x7ff;
        lb_run(b, callf, sizeof(callf));
        assert_int_equal(lb_vector(b), X86_GP);
        assert_int_equal(lb_get64(b, s->gpr[R_SP]), i == 1 ? LS_CODE32 : LS_GATE);
    }
}

static void retf_changes_between_64_and_32_bit_code(void **state)
{
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    lb_put64(b, LB_STACK, 0x6000);
    lb_put64(b, LB_STACK + 8, LS_CODE32);
    /* 32-bit: inc eax; push 08h; push handler; retf */
    ibench_poke(b, 0x6000, "\x40\x6a\x08\x68\x00\x05\x01\x00\xcb", 9);
    lb_run(b, "\x48\xcb", 2); /* retfq */
    assert_int_equal(lb_vector(b), 0x50);
    assert_int_equal(s->gpr[R_AX], 1);
    assert_true(b->cpu->mode & MODE_CS64);
    assert_int_equal(s->gpr[R_SP], LB_STACK + 16);
}

static void there_are_no_task_switches(void **state)
{
    struct interp_bench *b = *state;
    const uint8_t jmpf[] = {0xff, 0x2c, 0x25, 0x00, 0x70, 0, 0};
    lb_put64(b, 0x7000, (uint64_t)LS_TSS << 32);
    lb_run(b, jmpf, sizeof(jmpf));
    assert_int_equal(lb_vector(b), X86_GP);
    assert_int_equal(lb_get64(b, b->cpu->s.gpr[R_SP]), LS_TSS);
}

/* ---- fast system calls ---- */

static void syscall_and_sysret(void **state)
{
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    lb_start(b, LS_USER);
    s->sfmask = FL_IF | FL_DF;
    s->rflags |= FL_IF | FL_DF | FL_CF;
    x86_state_loaded(b->cpu);
    ibench_poke(b, 0x6000, "\xf4", 1);
    lb_run(b, "\x0f\x05", 2);
    assert_int_equal(s->rip, 0x6001);
    assert_int_equal(s->gpr[R_CX], LB_CODE + 2);
    assert_int_equal(s->gpr[R_11], FL_1 | FL_IF | FL_DF | FL_CF);
    assert_int_equal(x86_get_rflags(b->cpu), FL_1 | FL_CF);
    assert_int_equal(s->seg[S_CS].sel, LS_CODE);
    assert_int_equal(s->seg[S_SS].sel, LS_DATA);
    assert_int_equal(s->gpr[R_SP], LB_STACK);
    for (unsigned wide = 0; wide < 2; wide++) {
        lb_start(b, LS_CODE);
        s->gpr[R_CX] = 0x6000;
        s->gpr[R_11] = FL_CF | FL_IF | FL_RF | FL_VM;
        ibench_poke(b, 0x6000, "\x0f\x0b", 2);
        lb_run(b, wide ? "\x48\x0f\x07" : "\x90\x0f\x07", 3);
        assert_int_equal(lb_vector(b), X86_UD);
        assert_int_equal(lb_get64(b, LB_RSP0 - 40), 0x6000);
        assert_int_equal(lb_get64(b, LB_RSP0 - 32), wide ? LS_USER : LS_USER32);
        assert_int_equal(lb_get64(b, LB_RSP0 - 24), FL_1 | FL_CF | FL_IF | FL_RF);
        assert_int_equal(lb_get64(b, LB_RSP0 - 8), LS_USERDATA);
    }
}

static void syscall_from_compatibility_mode_is_amds(void **state)
{
    struct interp_bench *b = *state;
    lb_start(b, LS_USER32);
    ibench_poke(b, 0x6100, "\xf4", 1);
    lb_run(b, "\x0f\x05", 2);
    assert_int_equal(b->cpu->s.rip, 0x6101);
    struct interp_bench *intel = lb_new("core2duo");
    lb_start(intel, LS_USER32);
    lb_run(intel, "\x0f\x05", 2);
    assert_int_equal(lb_vector(intel), X86_UD);
    ibench_free(intel);
    lb_start(b, LS_USER);
    b->cpu->s.efer &= ~(uint64_t)EFER_SCE;
    lb_run(b, "\x0f\x05", 2);
    assert_int_equal(lb_vector(b), X86_UD);
}

static void sysenter_and_sysexit_of_intels(void **state)
{
    struct interp_bench *b = lb_new("core2duo");
    struct x86_state *s = &b->cpu->s;
    lb_start(b, LS_USER);
    lb_run(b, "\x0f\x34", 2);
    assert_int_equal(lb_vector(b), X86_GP); /* SYSENTER_CS is null */
    lb_start(b, LS_USER32);
    s->sysenter_cs = LS_CODE;
    s->sysenter_eip = LB_HIGH + LB_HANDLERS;
    s->sysenter_esp = LB_HIGH + LB_STACK;
    lb_run(b, "\x0f\x34", 2);
    assert_int_equal(s->rip, LB_HIGH + LB_HANDLERS + 1);
    assert_int_equal(s->gpr[R_SP], LB_HIGH + LB_STACK);
    assert_int_equal(s->seg[S_CS].sel, LS_CODE);
    assert_true(b->cpu->mode & MODE_CS64);
    for (unsigned wide = 0; wide < 2; wide++) {
        lb_start(b, LS_CODE);
        s->sysenter_cs = LS_CODE;
        s->gpr[R_DX] = 0x6000;
        s->gpr[R_CX] = 0x7000;
        ibench_poke(b, 0x6000, "\x0f\x0b", 2);
        lb_run(b, wide ? "\x48\x0f\x35" : "\x90\x0f\x35", 3);
        assert_int_equal(lb_vector(b), X86_UD);
        assert_int_equal(lb_get64(b, LB_RSP0 - 32), wide ? LS_USER : LS_USER32);
        assert_int_equal(lb_get64(b, LB_RSP0 - 16), 0x7000);
    }
    ibench_free(b);
}

/* ---- FS, GS ---- */

static void swapgs_and_bases(void **state)
{
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    s->kernel_gs_base = LB_HIGH;
    s->seg[S_GS].base = 0x1234;
    s->cr4 |= CR4_FSGSBASE;
    s->gpr[R_DX] = LB_HIGH + 0x100;
    x86_state_loaded(b->cpu);
    lb_put64(b, 0x7000, 0x1122334455667788);
    /* swapgs; mov rax,gs:[7000h]; wrfsbase rdx; rdgsbase rcx; mov rbx,fs:[6f00h] */
    lb_run(
        b,
        "\x0f\x01\xf8\x65\x48\x8b\x04\x25\x00\x70\x00\x00\xf3\x48\x0f\xae\xd2\xf3\x48\x0f\xae\xc9"
        "\x64\x48\x8b\x1c\x25\x00\x6f\x00\x00",
        31);
    assert_int_equal(s->gpr[R_AX], 0x1122334455667788);
    assert_int_equal(s->gpr[R_BX], 0x1122334455667788);
    assert_int_equal(s->gpr[R_CX], LB_HIGH);
    assert_int_equal(s->kernel_gs_base, 0x1234);
    assert_int_equal(s->seg[S_FS].base, LB_HIGH + 0x100);
}

static void system_descriptors_have_16_bytes(void **state)
{
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    lb_put64(b, LB_GDT + LS_LDT + 8, 0xffffffff);
    lb_put64(b, LB_GDT + LS_TSS, 0x67 | LB_TSS << 16 | 0x89ull << 40);
    lb_put64(b, LB_GDT + LS_TSS + 8, LB_HIGH >> 32);
    s->gpr[R_AX] = LS_LDT;
    s->gpr[R_CX] = LS_TSS;
    lb_run(b, "\x0f\x00\xd0\x0f\x00\xd9", 6); /* lldt ax; ltr cx */
    assert_int_equal(lb_vector(b), -1);
    assert_int_equal(s->ldtr.base, 0xffffffff00003000);
    assert_int_equal(s->tr.base, 0xffffffff00004000);
    assert_int_equal(lb_get64(b, LB_GDT + LS_TSS) >> 40 & 0xff, 0x8b);
    static const struct { uint64_t high; uint16_t limit; } bad[] = {
        {1ull << 40, 0x7ff}, {0x8000, 0x7ff}, {0, LS_LDT + 14},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        lb_start(b, LS_CODE);
        s->gdtr.limit = bad[i].limit;
        s->gpr[R_AX] = LS_LDT;
        lb_put64(b, LB_GDT + LS_LDT + 8, bad[i].high);
        lb_run(b, "\x0f\x00\xd0", 3);
        assert_int_equal(lb_vector(b), X86_GP);
        assert_int_equal(lb_get64(b, s->gpr[R_SP]), LS_LDT);
    }
}

static void iret_to_an_outer_level_keeps_the_bases_it_nulls(void **state)
{
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    lb_start(b, LS_CODE);
    s->seg[S_GS].base = 0x400000;
    s->gpr[R_SP] = LB_STACK - 40;
    lb_put64(b, LB_STACK - 40, 0x7000);
    lb_put64(b, LB_STACK - 32, LS_USER);
    lb_put64(b, LB_STACK - 24, FL_1);
    lb_put64(b, LB_STACK - 16, LB_STACK);
    lb_put64(b, LB_STACK - 8, LS_USERDATA);
    x86_state_loaded(b->cpu);
    ibench_poke(b, 0x7000, "\x65\x8a\x04\x25\x10\x00\x00\x00\xf4", 9); /* mov al,gs:[10h]; hlt */
    *ibench_mem(b, 0x400010) = 0x5a;
    lb_run(b, "\x48\xcf", 2);
    assert_int_equal(lb_vector(b), X86_GP); /* HLT */
    assert_int_equal(s->gpr[R_AX] & 0xff, 0x5a);
    assert_int_equal(s->seg[S_GS].sel, 0);
    assert_int_equal(s->seg[S_DS].sel, 0);
}

static void smap_guards_system_structures_even_with_ac(void **state)
{
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    for (unsigned user = 0; user < 2; user++) {
        lb_start(b, LS_CODE);
        /* An LDT like the GDT, in a page of user or supervisor memory. */
        s->ldtr = (struct x86_seg){.sel = LS_LDT, .base = LB_PAGES, .limit = 0x7ff, .attr = 0x82};
        memcpy(ibench_mem(b, LB_PAGES), ibench_mem(b, LB_GDT), 0x800);
        for (uint64_t i = 0; i < 8; i++) {
            lb_put64(b, LB_PD + i * 8, i << 21 | 0x83);
        }
        lb_put64(b, LB_PD + 2 * 8, LB_PT | 7);
        lb_put64(b, LB_PT, LB_PAGES | (user ? 7 : 3));
        s->cr4 |= CR4_SMAP;
        s->rflags |= FL_AC;
        s->gpr[R_AX] = LS_DATA | 4;
        s->gpr[R_BX] = LB_PAGES;
        x86_state_loaded(b->cpu);
        lb_run(b, "\x8b\x0b\x8e\xd8", 4); /* mov ecx,[rbx]; mov ds,ax */
        assert_int_equal(lb_vector(b), user ? X86_PF : -1);
        assert_int_equal(s->cr2, user ? LB_PAGES + LS_DATA : 0);
    }
}

static void invpcid_checks_its_descriptor(void **state) /* [SDM2] "INVPCID" */
{
    static const struct {
        uint64_t type, pcid, lin;
        bool pcide, fine;
    } t[] = {
        {0, 0, 0x5000, false, true},  {1, 0, 0, false, true},
        {2, 0, 0, false, true},       {3, 0, NOT_CANONICAL, false, true},
        {0, 1, 0x5000, false, false}, {1, 1, 0, false, false},
        {2, 1, 0, false, true},       {0, 1, 0x5000, true, true},
        {0, 1, NOT_CANONICAL, true, false}, {1, 1, NOT_CANONICAL, true, true},
        {0, 0x1000, 0, true, false},  {3, 0x1000, 0, true, false},
        {2, 1ull << 63, 0, true, false}, {4, 0, 0, true, false},
    };
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        lb_start(b, LS_CODE);
        b->cpu->s.gpr[R_AX] = 0x3f0;
        b->cpu->s.gpr[R_CX] = t[i].type;
        b->cpu->s.cr4 |= t[i].pcide ? CR4_PCIDE : 0;
        x86_state_loaded(b->cpu);
        lb_put64(b, 0x3f0, t[i].pcid);
        lb_put64(b, 0x3f8, t[i].lin);
        lb_run(b, "\x66\x0f\x38\x82\x08", 5); /* invpcid rcx,[rax] */
        assert_int_equal(lb_vector(b), t[i].fine ? -1 : X86_GP);
    }
}

/* ---- breakpoints ---- */

static void data_breakpoints_trap_after_the_access(void **state)
{
    enum { W = 1, IO = 2, RW = 3 };
    static const struct {
        const char *what;
        uint64_t at;             /* DR0 */
        unsigned rw, len;        /* of DR7 */
        uint8_t code[8];
        unsigned n;              /* bytes up to the trap */
        bool hits;
    } t[] = {
        {"a write", 0x7000, W, 0, {0x88, 0x18, 0x90}, 2, true},
        {"a read of what watches writes", 0x7000, W, 0, {0x8a, 0x18, 0x90}, 2, false},
        {"a read", 0x7000, RW, 0, {0x8a, 0x18, 0x90}, 2, true},
        {"eight bytes around it", 0x7007, W, 0, {0x48, 0x89, 0x18, 0x90}, 3, true},
        {"a neighbour", 0x7001, W, 0, {0x88, 0x18, 0x90}, 2, false},
        {"one of four bytes", 0x7001, W, 3, {0x88, 0x18, 0x90}, 2, true},
        {"one of eight bytes", 0x7004, W, 2, {0x88, 0x18, 0x90}, 2, true},
        {"a push", LB_STACK - 8, W, 0, {0x53, 0x90}, 1, true},
        {"a call", LB_STACK - 8, W, 0, {0xe8, 0, 0, 0, 0, 0x90}, 5, true},
        {"a read and a write", 0x7000, RW, 0, {0x48, 0xff, 0x00}, 3, true},
        {"a port", 0x55, IO, 0, {0xe4, 0x55, 0x90}, 2, true},
        {"another port", 0x56, IO, 0, {0xe4, 0x55, 0x90}, 2, false},
    };
    struct interp_bench *b = *state;
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        print_message("           %s\n", t[i].what);
        lb_start(b, LS_CODE);
        struct x86_state *s = &b->cpu->s;
        s->gpr[R_AX] = 0x7000;
        s->cr4 |= CR4_DE;
        s->dr[0] = t[i].at;
        s->dr[7] = 0x401 | t[i].rw << 16 | t[i].len << 18;
        x86_state_loaded(b->cpu);
        lb_run(b, t[i].code, t[i].n + 1); /* and a NOP */
        assert_int_equal(lb_vector(b), t[i].hits ? X86_DB : -1);
        assert_int_equal(s->dr[6] & DR6_B, t[i].hits ? 1 : 0);
        if (t[i].hits) {
            assert_int_equal(lb_get64(b, s->gpr[R_SP]), LB_CODE + t[i].n);
        }
    }
}

static void a_rep_stops_at_a_data_breakpoint(void **state)
{
    struct interp_bench *b = *state;
    struct x86_state *s = &b->cpu->s;
    s->gpr[R_DI] = 0x7000;
    s->gpr[R_CX] = 16;
    s->dr[0] = 0x7004;
    s->dr[7] = 0x401 | 1 << 16;
    x86_state_loaded(b->cpu);
    lb_run(b, "\xf3\xaa", 2);
    assert_int_equal(lb_vector(b), X86_DB);
    assert_int_equal(s->gpr[R_CX], 11);
    assert_int_equal(s->gpr[R_DI], 0x7005);
    assert_int_equal(lb_get64(b, s->gpr[R_SP]), LB_CODE); /* it goes on there */
}

/* ---- SMM ---- */

/* [AMD2] "RSM": what cannot be restored. */
static void rsm_shuts_down_on_an_invalid_long_mode_map(void **state)
{
    struct interp_bench *b = *state;
    static const struct {
        uint16_t at;
        uint8_t bit;
    } flips[] = {
        {0xfed0, 2},  {0xfed0, 8},  {0xfed0, 10},
        {0xfed0, 20}, /* EFER: reserved, LME, LMA, no bit */
        {0xff58, 31}, {0xff58, 32}, {0xff48, 5},
        {0xff48, 31},                             /* CR0.PG, its upper half; CR4.PAE */
        {0xff70, 17}, {0xff60, 32}, {0xff68, 40}, /* VM, DR7, DR6 */
    };
    lb_start(b, LS_USER);
    b->cpu->s.smbase = 0x200000;
    for (unsigned i = 0; i < ARRAY_SIZE(flips); i++) {
        struct x86_state before = b->cpu->s;
        x86_smi(b->cpu);
        uint8_t *p = ibench_mem(b, b->cpu->s.smbase + flips[i].at + flips[i].bit / 8u);
        *p ^= (uint8_t)(1u << flips[i].bit % 8);
        x86_rsm(b->cpu);
        assert_int_equal(b->cpu->s.activity, ACT_SHUTDOWN);
        b->cpu->s = before;
        x86_state_loaded(b->cpu);
    }
}

static void smm_keeps_long_mode(void **state)
{
    struct interp_bench *b = *state;
    struct x86_cpu *cpu = b->cpu;
    lb_start(b, LS_USER);
    cpu->s.seg[S_GS].base = LB_HIGH;
    cpu->s.activity = ACT_HALTED;
    cpu->s.smbase = 0x200000;
    cpu->s.rflags |= FL_IF;
    x86_state_loaded(cpu);
    struct x86_state was = cpu->s;
    x86_smi(cpu);
    assert_true(cpu->s.in_smm);
    assert_false(cpu->pg || cpu->lma || cpu->pe);
    assert_int_equal(cpu->s.rip, 0x8000);
    assert_int_equal(lb_get64(b, 0x200000 + 0xfed0), was.efer);
    assert_int_equal(lb_get64(b, 0x200000 + 0xff78), was.rip);
    x86_rsm(cpu);
    assert_int_equal(cpu->s.activity, ACT_HALTED);
    assert_int_equal(cpu->cpl, 3);
    assert_true(cpu->mode & MODE_CS64);
    was.gpr[17] = cpu->s.gpr[17];
    assert_memory_equal(&was, &cpu->s, sizeof(was));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LONG_TEST(page_faults_tell_what_was_wrong),
        LONG_TEST(smap_lets_pass_while_ac_is_set),
        LONG_TEST(gates_are_checked),
        LONG_TEST(the_stack_comes_from_ist_rsp0_or_stays),
        LONG_TEST(iretq_goes_back_where_the_frame_says),
        LONG_TEST(an_interrupt_after_iret_keeps_rf),
        LONG_TEST(a_call_gate_leads_to_64_bit_code),
        LONG_TEST(retf_changes_between_64_and_32_bit_code),
        LONG_TEST(there_are_no_task_switches),
        LONG_TEST(syscall_and_sysret),
        LONG_TEST(syscall_from_compatibility_mode_is_amds),
        LONG_TEST(sysenter_and_sysexit_of_intels),
        LONG_TEST(swapgs_and_bases),
        LONG_TEST(system_descriptors_have_16_bytes),
        LONG_TEST(iret_to_an_outer_level_keeps_the_bases_it_nulls),
        LONG_TEST(smap_guards_system_structures_even_with_ac),
        LONG_TEST(invpcid_checks_its_descriptor),
        LONG_TEST(data_breakpoints_trap_after_the_access),
        LONG_TEST(a_rep_stops_at_a_data_breakpoint),
        LONG_TEST(rsm_shuts_down_on_an_invalid_long_mode_map),
        LONG_TEST(smm_keeps_long_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
