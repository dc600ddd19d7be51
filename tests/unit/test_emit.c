/* core/accel/jit/emit: what is written is read back by an independent disassembler. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/accel/jit/emit.h"

#include <string.h>

#ifdef HAVE_ZYDIS
#include <Zydis/Zydis.h>

static const ZydisRegister names[4][16] = {
    {ZYDIS_REGISTER_AL, ZYDIS_REGISTER_CL, ZYDIS_REGISTER_DL, ZYDIS_REGISTER_BL},
    {ZYDIS_REGISTER_AX}, {ZYDIS_REGISTER_EAX}, {ZYDIS_REGISTER_RAX},
};

/* The register as Zydis calls it. */
static ZydisRegister name_of(enum host_reg r, unsigned size)
{
    if (r >= HOST_AH && r <= HOST_BH) {
        return (ZydisRegister)(ZYDIS_REGISTER_AH + (r - HOST_AH));
    }
    if (size == 1) {
        return r < HOST_SP ? (ZydisRegister)(ZYDIS_REGISTER_AL + r)
                           : (ZydisRegister)(ZYDIS_REGISTER_R8B + (r - HOST_8));
    }
    unsigned row = size == 2 ? 1 : size == 4 ? 2 : 3;
    return (ZydisRegister)(names[row][0] + r);
}

struct decoded {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

static void read_back(const uint8_t *code, size_t n, struct decoded *d)
{
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    assert_true(ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code, n, &d->insn, d->op)));
    assert_int_equal(d->insn.length, n);
}

static bool usable(enum host_reg r, unsigned size)
{
    return size != 1 || r < HOST_SP || (r >= HOST_8 && r <= HOST_15);
}

static const unsigned sizes[] = {1, 2, 4, 8};

static void register_forms_name_both_registers(void **state)
{
    uint8_t code[16];
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned a = HOST_AX; a <= HOST_15; a++) {
            for (unsigned b = HOST_AX; b <= HOST_15; b++) {
                struct emit e = {.at = code, .end = code + sizeof(code)};
                struct decoded d;
                if (!usable(a, sizes[i]) || !usable(b, sizes[i])) {
                    continue;
                }
                emit_rr(&e, sizes[i] == 1 ? 0x02 : 0x03, sizes[i], a, b); /* add a, b */
                read_back(code, (size_t)(e.at - code), &d);
                assert_int_equal(d.insn.mnemonic, ZYDIS_MNEMONIC_ADD);
                assert_int_equal(d.op[0].reg.value, name_of(a, sizes[i]));
                assert_int_equal(d.op[1].reg.value, name_of(b, sizes[i]));
            }
        }
    }
}

static void high_bytes_are_named_without_rex(void **state)
{
    uint8_t code[16];
    for (unsigned a = HOST_AH; a <= HOST_BH; a++) {
        struct emit e = {.at = code, .end = code + sizeof(code)};
        struct decoded d;
        emit_rr(&e, 0x86, 1, a - HOST_AH, a);              /* xchg ah, al */
        read_back(code, (size_t)(e.at - code), &d);
        assert_int_equal(d.insn.mnemonic, ZYDIS_MNEMONIC_XCHG);
        assert_int_equal(d.op[0].reg.value, name_of(a, 1));
        assert_int_equal(d.op[1].reg.value, name_of(a - HOST_AH, 1));
    }
}

static const int32_t disps[] = {0, 1, -1, 127, 128, -128, -129, 0x7fffffff, INT32_MIN};

static void check_memory(unsigned size, enum host_reg reg, const struct host_mem *m)
{
    uint8_t code[16];
    struct emit e = {.at = code, .end = code + sizeof(code)};
    struct decoded d;
    emit_rm(&e, size == 1 ? 0x8a : 0x8b, size, reg, m);    /* mov reg, [m] */
    read_back(code, (size_t)(e.at - code), &d);
    assert_int_equal(d.insn.mnemonic, ZYDIS_MNEMONIC_MOV);
    assert_int_equal(d.op[0].reg.value, name_of(reg, size));
    assert_int_equal(d.op[1].mem.base,
                     m->base == HOST_NONE ? ZYDIS_REGISTER_NONE : name_of(m->base, 8));
    assert_int_equal(d.op[1].mem.index,
                     m->index == HOST_NONE ? ZYDIS_REGISTER_NONE : name_of(m->index, 8));
    assert_int_equal(d.op[1].mem.disp.value, m->disp);
    assert_int_equal(d.op[1].size, size * 8);
    if (m->index != HOST_NONE) {
        assert_int_equal(d.op[1].mem.scale, 1 << m->scale);
    }
}

static void memory_forms_name_base_index_scale_and_displacement(void **state)
{
    for (unsigned base = HOST_AX; base <= HOST_NONE; base++) {
        for (unsigned index = HOST_AX; index <= HOST_NONE; index++) {
            bool is_high =
                (base >= HOST_AH && base <= HOST_BH) || (index >= HOST_AH && index <= HOST_BH);
            for (unsigned k = 0;
                 k < 4 * sizeof(disps) / sizeof(disps[0]) && !is_high && index != HOST_SP; k++) {
                struct host_mem m = {base, index, index == HOST_NONE ? 0 : k & 3, disps[k / 4]};
                check_memory(sizes[k & 3], k & 4 ? HOST_11 : HOST_DX, &m);
            }
        }
    }
}

static void the_context_is_an_address_or_a_register(void **state)
{
    static const uint32_t contexts[] = {0, 0x10, 0x12345678, 0x7fff0000};
    static const enum host_reg indices[] = {HOST_NONE, HOST_9, HOST_DI};
    uint8_t code[16];
    for (unsigned i = 0; i < 12; i++) {
        uint32_t context = contexts[i % 4];
        for (int32_t disp = 0; disp < 0x1000; disp += 0x3c) {
            struct emit e = {.at = code, .end = code + sizeof(code), .context = context};
            struct host_mem m = {HOST_CONTEXT, indices[i / 4], 0, disp};
            struct decoded d;
            emit_rm(&e, 0x8b, 8, HOST_13, &m);
            read_back(code, (size_t)(e.at - code), &d);
            assert_int_equal(d.op[0].reg.value, name_of(HOST_13, 8));
            assert_int_equal(d.op[1].mem.base,
                             context ? ZYDIS_REGISTER_NONE : name_of(HOST_14, 8));
            assert_int_equal(d.op[1].mem.index,
                             m.index == HOST_NONE ? ZYDIS_REGISTER_NONE : name_of(m.index, 8));
            assert_int_equal(d.op[1].mem.disp.value, (int64_t)context + disp);
        }
    }
}

static void constants_are_loaded_whole(void **state)
{
    static const uint64_t values[] = {
        0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, UINT64_MAX, 0xffffffff80000000,
        0x123456789abcdef0,
    };
    uint8_t code[16];
    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        for (unsigned r = HOST_AX; r <= HOST_15; r++) {
            struct emit e = {.at = code, .end = code + sizeof(code)};
            struct decoded d;
            emit_mov_imm(&e, r, values[i]);
            read_back(code, (size_t)(e.at - code), &d);
            assert_int_equal(d.insn.mnemonic, ZYDIS_MNEMONIC_MOV);
            assert_int_equal(
                ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, d.op[0].reg.value),
                name_of(r, 8));
            uint64_t val = d.op[1].imm.value.u;
            assert_true((d.op[0].size == 32 ? (uint32_t)val : val) == values[i]);
        }
    }
}

static void prefixes_and_maps_stand_around_rex(void **state)
{
    static const struct { unsigned op; ZydisMnemonic mnemonic; } rows[] = {
        {0x0f58, ZYDIS_MNEMONIC_ADDPS}, {0x66000f58, ZYDIS_MNEMONIC_ADDPD},
        {0xf2000f58, ZYDIS_MNEMONIC_ADDSD},
        {0xf3000f58, ZYDIS_MNEMONIC_ADDSS}, {0x660f3840, ZYDIS_MNEMONIC_PMULLD},
        {0x660f383d, ZYDIS_MNEMONIC_PMAXSD},
    };
    uint8_t code[16];
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (unsigned r = 0; r < 256; r++) {
            struct emit e = {.at = code, .end = code + sizeof(code)};
            struct decoded d;
            emit_rr(&e, rows[i].op, 4, r & 15, r >> 4);
            read_back(code, (size_t)(e.at - code), &d);
            assert_int_equal(d.insn.mnemonic, rows[i].mnemonic);
            assert_int_equal(d.op[0].reg.value, ZYDIS_REGISTER_XMM0 + (r & 15));
            assert_int_equal(d.op[1].reg.value, ZYDIS_REGISTER_XMM0 + (r >> 4));
        }
    }
}

static void vex_names_three_registers_and_the_length(void **state)
{
    uint8_t code[16];
    for (unsigned r = 0; r < 1 << 13; r++) {
        struct emit e = {.at = code, .end = code + sizeof(code)};
        struct decoded d;
        bool l = r >> 12;
        emit_vex_rr(&e, (struct host_vex){.op = 0x66000ffe, .vvvv = r >> 4 & 15, .l = l}, r & 15,
                    r >> 8 & 15);
        read_back(code, (size_t)(e.at - code), &d);
        ZydisRegister first = l ? ZYDIS_REGISTER_YMM0 : ZYDIS_REGISTER_XMM0;
        assert_int_equal(d.insn.mnemonic, ZYDIS_MNEMONIC_VPADDD);
        assert_int_equal(d.op[0].reg.value, first + (r & 15));
        assert_int_equal(d.op[1].reg.value, first + (r >> 4 & 15));
        assert_int_equal(d.op[2].reg.value, first + (r >> 8 & 15));
    }
    struct emit e = {.at = code, .end = code + sizeof(code)};
    struct host_mem m = {HOST_9, HOST_12, 2, 0x40};
    struct decoded d;
    emit_vex_rm(&e, (struct host_vex){.op = 0x660f38b8, .vvvv = 5, .w = true}, 14, &m);
    read_back(code, (size_t)(e.at - code), &d);
    assert_int_equal(d.insn.mnemonic, ZYDIS_MNEMONIC_VFMADD231PD);
    assert_int_equal(d.op[0].reg.value, ZYDIS_REGISTER_XMM14);
    assert_int_equal(d.op[2].mem.base, ZYDIS_REGISTER_R9);
    assert_int_equal(d.op[2].mem.index, ZYDIS_REGISTER_R12);
    assert_int_equal(d.op[2].mem.disp.value, 0x40);
}

static void jumps_lead_where_they_are_linked(void **state)
{
    uint8_t code[64];
    for (unsigned cc = 0; cc < 16; cc++) {
        struct emit e = {.at = code + 20, .end = code + sizeof(code)};
        struct decoded d;
        emit_link(cc < 8 ? emit_jcc(&e, cc) : emit_jmp(&e), code + 7);
        read_back(code + 20, (size_t)(e.at - code - 20), &d);
        assert_int_equal(d.op[0].imm.value.s, code + 7 - e.at);
    }
}
#endif

static void nothing_is_written_behind_the_end(void **state)
{
    uint8_t code[8] = {0};
    struct emit e = {.at = code, .end = code + 4};
    emit_mov_imm(&e, HOST_AX, 0x123456789abcdef0);
    assert_true(e.full);
    assert_ptr_equal(e.at, code + 4);
    assert_int_equal(code[4], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef HAVE_ZYDIS
        cmocka_unit_test(register_forms_name_both_registers),
        cmocka_unit_test(high_bytes_are_named_without_rex),
        cmocka_unit_test(memory_forms_name_base_index_scale_and_displacement),
        cmocka_unit_test(the_context_is_an_address_or_a_register),
        cmocka_unit_test(constants_are_loaded_whole),
        cmocka_unit_test(prefixes_and_maps_stand_around_rex),
        cmocka_unit_test(vex_names_three_registers_and_the_length),
        cmocka_unit_test(jumps_lead_where_they_are_linked),
#endif
        cmocka_unit_test(nothing_is_written_behind_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
