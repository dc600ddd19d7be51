/*
 * The JIT against the interpreter: random programs on both, in slices of random length; registers,
 * flags, segments and the instruction count must be equal after each slice, and memory after each
 * program. Programs loop, so that they are translated, overwrite themselves, fault and wrap.
 *
 * Usage: test_jit [PROGRAMS [SEED]]
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/interp_bench.h"

#include "core/accel/jit/jit.h"
#include "core/cpu/disasm.h"

#include <stdio.h>
#include <unistd.h>

enum {
    CODE = 0x1000, PROG_BYTES = 160, HANDLER = 0x600, IDT = 0x0, GDT = 0x800,
    DATA = 0x20000, HIGH_DATA = 0x120000, STACK = 0x8000, PROGRAM_INSNS = 6000,
};

struct pair {
    struct interp_bench *interp, *jit;
    uint64_t seed, first;
    bool wide;                   /* 32-bit protected mode */
    uint8_t code[PROG_BYTES];
};

static unsigned programs = 200;
static uint64_t first_seed = 1;

static uint32_t next_random(struct pair *p)
{
    p->seed = p->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(p->seed >> 33);
}

static uint32_t below(struct pair *p, uint32_t n)
{
    return next_random(p) % n;
}

/* ---- programs ---- */

/* Segment registers but SS, and CLI: of the class that is for the system, but harmless. */
static bool harmless(const struct insn_info *info, const struct insn *in)
{
    uint8_t op = info->opcode;
    return info->map == MAP_M1 && (op == 0x8c || (op == 0x8e && in->reg != S_SS) || op == 0xfa ||
                                   ((op & 0xe6) == 0x06 && op != 0x17 && op < 0x20));
}

/* Neither ports nor HLT, which would end a slice early. */
static bool wanted(const struct insn_info *info, const struct insn *in)
{
    return !(info->attr & (A_IO | A_FAR | A_FPU)) && info->map <= MAP_M0F &&
           (info->test == TEST_N || info->test == TEST_T || info->test == TEST_J || harmless(info, in));
}

/* Random instructions behind each other, and a jump back to the first. */
static void make_code(struct pair *p)
{
    unsigned at = 0, most = 10 + below(p, PROG_BYTES - 40);
    memset(p->code, 0x90, sizeof(p->code));
    while (at < most) {
        uint8_t bytes[16];
        struct insn in;
        for (unsigned i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)next_random(p);
        }
        if (below(p, 4) == 0) {
            bytes[0] = 0x0f;
        } else if (below(p, 8) == 0) {
            bytes[0] = 0x66;
        } else if (below(p, 16) == 0) {
            bytes[0] = 0x67;
        }
        if (decode(bytes, 15, p->wide ? DECODE_32 : DECODE_16, &in) != DECODE_OK ||
            !wanted(&insn_info[in.row], &in) || (in.adsize == 4 && below(p, 4))) {
            continue;
        }
        if (insn_info[in.row].attr & A_JUMP) {          /* near ones stay near */
            if (in.len > 2 || below(p, 2)) {
                continue;
            }
            bytes[1] = bytes[0] < 0x70 || bytes[0] == 0xff ? bytes[1] : (uint8_t)(below(p, 24));
        }
        memcpy(p->code + at, bytes, in.len);
        at += in.len;
    }
    p->code[PROG_BYTES - 3] = 0xe9;
    unsigned back = -PROG_BYTES;
    if (p->wide) {
        st32le(p->code + PROG_BYTES - 5 + 1, back);
        p->code[PROG_BYTES - 5] = 0xe9;
    } else {
        st16le(p->code + PROG_BYTES - 3 + 1, (uint16_t)back);
    }
}

/* Handlers send the program back to its start with a sound stack. */
static void make_handlers(struct interp_bench *b, bool wide)
{
    static const uint8_t handler16[] = {
        0xbc, STACK & 0xff, STACK >> 8,                 /* mov sp, STACK */
        0x9c, 0x0e, 0x68, CODE & 0xff, CODE >> 8, 0xcf, /* pushf; push cs; push CODE; iret */
    };
    static const uint8_t handler32[] = {
        0xbc, 0, STACK >> 8, 0, 0, 0x9c, 0x0e, 0x68, 0, CODE >> 8, 0, 0, 0xcf,
    };
    ibench_poke(b, HANDLER, wide ? handler32 : handler16, wide ? sizeof(handler32) : sizeof(handler16));
    for (unsigned v = 0; v < 32; v++) {
        uint8_t real[] = {HANDLER & 0xff, HANDLER >> 8, 0, 0};
        uint8_t gate[] = {HANDLER & 0xff, HANDLER >> 8, 8, 0, 0, 0x8e, 0, 0};
        ibench_poke(b, IDT + v * (wide ? 8 : 4), wide ? gate : real, wide ? 8 : 4);
    }
}

static void set_flat(struct x86_seg *s, uint16_t sel, bool code)
{
    *s = (struct x86_seg){
        .sel = sel, .limit = 0xffffffff,
        .attr = AR_P | AR_S | AR_G | AR_DB | AR_WRITABLE | AR_ACCESSED | (code ? AR_CODE : 0),
    };
}

static void protected_mode(struct interp_bench *b)
{
    static const uint8_t gdt[] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0x9b, 0xcf, 0, 0xff, 0xff, 0, 0, 0, 0x93, 0xcf, 0,
        0xff, 0xff, 0, 0, 2, 0x93, 0, 0,                /* 64 KiB at DATA */
    };
    struct x86_state *s = &b->cpu->s;
    ibench_poke(b, GDT, gdt, sizeof(gdt));
    s->gdtr = (struct x86_dtr){.base = GDT, .limit = sizeof(gdt) - 1};
    s->idtr = (struct x86_dtr){.base = IDT, .limit = 255};
    s->cr0 |= CR0_PE;
    for (unsigned i = 0; i < 6; i++) {
        set_flat(&s->seg[i], i == S_CS ? 8 : 16, i == S_CS);
    }
}

static void start(struct pair *p, struct interp_bench *b)
{
    struct x86_state *s = &b->cpu->s;
    uint64_t seed = p->seed;
    memset(ibench_mem(b, 0), 0, 2 * MiB);
    block_invalidate(b->e, 0, 2 * MiB);
    ibench_real(b, CODE);
    make_handlers(b, p->wide);
    for (unsigned i = 0; i < 0x4000; i++) {
        *ibench_mem(b, DATA + i) = *ibench_mem(b, HIGH_DATA + i) = (uint8_t)next_random(p);
    }
    uint32_t data = p->wide && below(p, 2) ? HIGH_DATA : DATA; /* below and above 1 MiB */
    ibench_poke(b, CODE, p->code, sizeof(p->code));
    for (unsigned r = 0; r < 8; r++) {
        s->gpr[r] = below(p, 2) ? next_random(p) & 0x1ffff : data + below(p, 0x3000);
    }
    if (p->wide) {
        protected_mode(b);
    } else {
        s->seg[S_DS].sel = s->seg[S_ES].sel = DATA >> 4;
        s->seg[S_DS].base = s->seg[S_ES].base = below(p, 4) ? DATA : 0;
    }
    s->gpr[R_SP] = STACK;
    x86_state_loaded(b->cpu);
    p->seed = seed;                                     /* the other one starts the same */
}

/* ---- comparing ---- */

static void show(const struct pair *p, const struct interp_bench *b, const char *name)
{
    const struct x86_state *s = &b->cpu->s;
    print_error("%-6s", name);
    for (unsigned i = 0; i < 8; i++) {
        print_error(" %08llx", (unsigned long long)s->gpr[i]);
    }
    print_error(" ip %llx fl %llx insns %llu\n", (unsigned long long)s->rip,
                (unsigned long long)x86_get_rflags(b->cpu), (unsigned long long)interp_icount(b->cpu));
}

static void show_code(const struct pair *p)
{
    for (unsigned at = 0; at < PROG_BYTES;) {
        char text[DISASM_TEXT];
        unsigned n = disasm(p->code + at, PROG_BYTES - at, p->wide ? 32 : 16, CODE + at, text);
        print_error("%04x  %s\n", CODE + at, text);
        at += n;
    }
}

static bool same(struct pair *p)
{
    struct x86_cpu *a = p->interp->cpu, *b = p->jit->cpu;
    bool equal = a->s.rip == b->s.rip && x86_get_rflags(a) == x86_get_rflags(b) &&
                 memcmp(a->s.gpr, b->s.gpr, 8 * 16) == 0 && a->s.activity == b->s.activity &&
                 memcmp(a->s.dr, b->s.dr, sizeof(a->s.dr)) == 0;
    for (unsigned i = 0; i < 6; i++) {
        equal = equal && a->s.seg[i].sel == b->s.seg[i].sel && a->s.seg[i].base == b->s.seg[i].base &&
                a->s.seg[i].limit == b->s.seg[i].limit && a->s.seg[i].attr == b->s.seg[i].attr;
    }
    return equal && memcmp(ibench_mem(p->interp, 0), ibench_mem(p->jit, 0), 0x40000) == 0 &&
           memcmp(ibench_mem(p->interp, 0x110000), ibench_mem(p->jit, 0x110000), 0x20000) == 0;
}

static bool run_both(struct pair *p, unsigned n);
static void begin(struct pair *p, uint64_t seed);

/* Runs the program again for ever more instructions behind the last @done that were right. */
static void find_first(struct pair *p, unsigned done, unsigned slice)
{
    for (unsigned n = 1; n <= slice; n++) {
        struct pair again = {
            .interp = ibench_new(2 * MiB, "pentium3"), .jit = ibench_new(2 * MiB, "pentium3"), .wide = p->wide,
        };
        jit_attach(again.jit->e, NULL);
        begin(&again, p->first);
        for (unsigned i = 0; i < done; i += slice) {
            run_both(&again, slice);
        }
        struct x86_state before = again.interp->cpu->s;
        run_both(&again, n);
        if (!same(&again)) {
            print_error("differs %u instructions behind %u, ip %llx:\n", n, done, (unsigned long long)before.rip);
            show(&again, again.interp, "interp");
            show(&again, again.jit, "jit");
            n = slice;
        }
        jit_detach(again.jit->e);
        ibench_free(again.interp);
        ibench_free(again.jit);
    }
}

static void check(struct pair *p, unsigned done, unsigned slice)
{
    if (!same(p)) {
        find_first(p, done, slice);
        print_error("%u bits, seed %llu\n", p->wide ? 32 : 16, (unsigned long long)p->first);
        show(p, p->interp, "interp");
        show(p, p->jit, "jit");
        for (unsigned i = 0; i < 0x40000; i++) {
            if (*ibench_mem(p->interp, i) != *ibench_mem(p->jit, i)) {
                print_error("memory %05x: %02x, jit %02x\n", i, *ibench_mem(p->interp, i), *ibench_mem(p->jit, i));
                break;
            }
        }
        show_code(p);
        fail_msg("the JIT differs");
    }
}

static bool run_both(struct pair *p, unsigned n)
{
    p->interp->stop_at = interp_icount(p->interp->cpu) + n;
    p->jit->stop_at = interp_icount(p->jit->cpu) + n;
    enum vcpu_exit_reason why = ibench_run(p->interp);
    assert_int_equal(why, ibench_run(p->jit));
    return why == EXIT_SLICE;
}

static void begin(struct pair *p, uint64_t seed)
{
    p->first = p->seed = seed;
    next_random(p);
    make_code(p);
    start(p, p->interp);
    start(p, p->jit);
}

static void run_programs(bool wide)
{
    struct pair p = {
        .interp = ibench_new(2 * MiB, "pentium3"), .jit = ibench_new(2 * MiB, "pentium3"), .wide = wide,
    };
    assert_true(jit_attach(p.jit->e, NULL));
    for (unsigned n = 0; n < programs; n++) {
        begin(&p, first_seed + n);
        unsigned slice = below(&p, 3) ? 400 : 1 + below(&p, 30), done = 0;
        while (done < PROGRAM_INSNS && run_both(&p, slice)) {
            check(&p, done, slice);
            done += slice;
        }
    }
    print_message("%llu blocks translated, %llu dropped\n",
                  (unsigned long long)jit_of(p.jit->e)->stats.translated,
                  (unsigned long long)jit_of(p.jit->e)->stats.dropped);
    jit_detach(p.jit->e);
    ibench_free(p.interp);
    ibench_free(p.jit);
}

static void random_16_bit_programs_run_as_on_the_interpreter(void **state)
{
    run_programs(false);
}

static void random_32_bit_programs_run_as_on_the_interpreter(void **state)
{
    run_programs(true);
}

/* No address is writable and executable. */
static void code_memory_is_never_writable_and_executable(void **state)
{
    struct interp_bench *b = ibench_new(1 * MiB, NULL);
    assert_true(jit_attach(b->e, NULL));
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned executable = 0;
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        const char *rights = strchr(line, ' ');
        assert_non_null(rights);
        assert_false(rights[2] == 'w' && rights[3] == 'x');
        executable += rights[3] == 'x' && strstr(line, "coldboot-code") != NULL;
    }
    fclose(maps);
    assert_int_equal(executable, 1);
    jit_detach(b->e);
    ibench_free(b);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_16_bit_programs_run_as_on_the_interpreter),
        cmocka_unit_test(random_32_bit_programs_run_as_on_the_interpreter),
        cmocka_unit_test(code_memory_is_never_writable_and_executable),
    };
    programs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : programs;
    first_seed = argc > 2 ? strtoull(argv[2], NULL, 0) : first_seed;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
