/* The decoder: lengths, operands and validity; random bytes against Zydis. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/bits.h"
#include "core/cpu/decode.h"
#include "core/cpu/x86_state.h"
#include "tests/insn/encode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_ZYDIS
#include <Zydis/Zydis.h>
#endif

struct encoding {
    const char *hex;
    enum decode_mode mode;
    enum decode_status status;
    unsigned len;
    unsigned row;
};

static unsigned from_hex(const char *hex, uint8_t *out)
{
    unsigned n = 0, v;
    for (; sscanf(hex, "%2x", &v) == 1; hex += 2) {
        out[n++] = (uint8_t)v;
        while (hex[2] == ' ') {
            hex++;
        }
        if (!hex[2]) {
            break;
        }
    }
    return n;
}

static void encodings_have_their_row_and_length(void **state)
{
    static const struct encoding table[] = {
        {"00 00", DECODE_16, DECODE_OK, 2, ROW_M1_0x00_X_X_add},
        {"01 86 34 12", DECODE_16, DECODE_OK, 4, ROW_M1_0x01_X_X_add},
        {"01 06 34 12", DECODE_16, DECODE_OK, 4, ROW_M1_0x01_X_X_add},
        {"67 01 05 78 56 34 12", DECODE_16, DECODE_OK, 7, ROW_M1_0x01_X_X_add},
        {"01 84 24 78 56 34 12", DECODE_32, DECODE_OK, 7, ROW_M1_0x01_X_X_add},
        {"81 c0 34 12", DECODE_16, DECODE_OK, 4, ROW_M1_0x81_0_X_add},
        {"66 81 c0 78 56 34 12", DECODE_16, DECODE_OK, 7, ROW_M1_0x81_0_X_add},
        {"81 c0 78 56 34 12", DECODE_32, DECODE_OK, 6, ROW_M1_0x81_0_X_add},
        {"83 f8 ff", DECODE_32, DECODE_OK, 3, ROW_M1_0x83_7_X_cmp},
        {"f6 c0 01", DECODE_32, DECODE_OK, 3, ROW_M1_0xf6_0_X_test},
        {"f7 d0", DECODE_32, DECODE_OK, 2, ROW_M1_0xf7_2_X_not},
        {"90", DECODE_16, DECODE_OK, 1, ROW_M1_0x90_X_NOP_nop},
        {"f3 90", DECODE_16, DECODE_OK, 2, ROW_M1_0x90_X_PF3_pause},
        {"41 90", DECODE_64, DECODE_OK, 2, ROW_M1_0x90_X_X_xchg},
        {"93", DECODE_16, DECODE_OK, 1, ROW_M1_0x90_X_X_xchg},
        {"c8 34 12 05", DECODE_16, DECODE_OK, 4, ROW_M1_0xc8_X_X_enter},
        {"ea 00 00 00 f0", DECODE_16, DECODE_OK, 5, ROW_M1_0xea_X_X_jmpf},
        {"ea 00 00 00 00 00 f0", DECODE_32, DECODE_OK, 7, ROW_M1_0xea_X_X_jmpf},
        {"ea 00 00 00 00 00 f0", DECODE_64, DECODE_UD, 1, ROW_NONE},
        {"a1 34 12", DECODE_16, DECODE_OK, 3, ROW_M1_0xa1_X_X_mov},
        {"48 a1 01 02 03 04 05 06 07 08", DECODE_64, DECODE_OK, 10, ROW_M1_0xa1_X_X_mov},
        {"48 b8 01 02 03 04 05 06 07 08", DECODE_64, DECODE_OK, 10, ROW_M1_0xb8_X_X_mov},
        {"63 c0", DECODE_32, DECODE_OK, 2, ROW_M1_0x63_X_X_arpl},
        {"63 c0", DECODE_64, DECODE_OK, 2, ROW_M1_0x63_X_X_movsxd},
        {"40", DECODE_32, DECODE_OK, 1, ROW_M1_0x40_X_X_inc},
        {"d9 e0", DECODE_16, DECODE_OK, 2, ROW_M1_0xd9_0xe0_X_fchs},
        {"d9 e2", DECODE_16, DECODE_UD, 1, ROW_NONE},
        {"d9 c1", DECODE_16, DECODE_OK, 2, ROW_M1_0xd9_R0_X_fld},
        {"d9 07", DECODE_16, DECODE_OK, 2, ROW_M1_0xd9_M0_X_fld},
        {"0f 01 c5", DECODE_32, DECODE_UD, 2, ROW_NONE},
        {"0f 01 d0", DECODE_32, DECODE_OK, 3, ROW_M0F_0x01_0xd0_NP_xgetbv},
        {"0f 01 38", DECODE_32, DECODE_OK, 3, ROW_M0F_0x01_M7_X_invlpg},
        {"0f 20 c0", DECODE_32, DECODE_OK, 3, ROW_M0F_0x20_X_X_mov},
        {"0f 20 00", DECODE_32, DECODE_OK, 3, ROW_M0F_0x20_X_X_mov},
        {"0f 20 c8", DECODE_32, DECODE_UD, 3, ROW_M0F_0x20_X_X_mov},
        {"8e c8", DECODE_16, DECODE_UD, 2, ROW_M1_0x8e_X_X_mov},
        {"8e d0", DECODE_16, DECODE_OK, 2, ROW_M1_0x8e_2_X_mov},
        {"8e f0", DECODE_16, DECODE_UD, 2, ROW_M1_0x8e_X_X_mov},
        {"8d c0", DECODE_16, DECODE_UD, 1, ROW_NONE},
        {"f0 01 07", DECODE_16, DECODE_OK, 3, ROW_M1_0x01_X_X_add},
        {"f0 01 c0", DECODE_16, DECODE_UD, 3, ROW_M1_0x01_X_X_add},
        {"f0 03 07", DECODE_16, DECODE_UD, 3, ROW_M1_0x03_X_X_add},
        {"f0 39 07", DECODE_16, DECODE_UD, 3, ROW_M1_0x39_X_X_cmp},
        {"81 c0 34", DECODE_16, DECODE_SHORT, 0, 0},
        {"0f", DECODE_16, DECODE_SHORT, 0, 0},
        {"26 26 26 26 26 26 26 26 26 26 26 26 26 26 90", DECODE_16, DECODE_OK, 15,
         ROW_M1_0x90_X_NOP_nop},
        {"26 26 26 26 26 26 26 26 26 26 26 26 26 26 01 00", DECODE_16, DECODE_TOO_LONG, 0, 0},
        {"66 66 66 66 66 66 66 66 66 66 66 81 c0 01 02 03 04", DECODE_16, DECODE_TOO_LONG, 0, 0},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(table); i++) {
        const struct encoding *t = &table[i];
        uint8_t bytes[32];
        struct insn in;
        unsigned n = from_hex(t->hex, bytes);
        enum decode_status status = decode(bytes, n, t->mode, &in);
        if (status != t->status ||
            (status == DECODE_OK && (in.len != t->len || in.row != t->row))) {
            fail_msg("%s: status %d len %u row %u (%s)", t->hex, status, in.len, in.row,
                     insn_info[in.row].name);
        }
    }
}

/* What find_row relies on: a row of another opcode ends its search. */
static void rows_of_one_opcode_stand_together(void **state)
{
    for (unsigned i = 1; i + 1 < ROW_COUNT; i++) {
        for (unsigned j = i + 1; j < ROW_COUNT; j++) {
            const struct insn_info *a = &insn_info[i], *b = &insn_info[j];
            if (a->map != b->map || b->opcode < a->opcode || b->opcode >= a->opcode + a->opcodes) {
                continue;
            }
            for (unsigned k = i + 1; k < j; k++) {
                if (insn_info[k].opcode > b->opcode ||
                    b->opcode >= insn_info[k].opcode + insn_info[k].opcodes) {
                    fail_msg("%s and %s are apart", a->name, b->name);
                }
            }
        }
    }
}

static void decode_text(const char *hex, enum decode_mode mode, struct insn *in)
{
    uint8_t bytes[32];
    unsigned n = from_hex(hex, bytes);
    assert_int_equal(decode(bytes, n, mode, in), DECODE_OK);
}

static void operands_are_register_offsets_and_addresses(void **state)
{
    struct insn in;
    decode_text("88 e3", DECODE_32, &in); /* mov bl, ah */
    assert_int_equal(in.m, GPR_OFF(R_BX));
    assert_int_equal(in.r, GPR_OFF_H(R_AX));
    decode_text("40 88 e3", DECODE_64, &in); /* mov bl, spl */
    assert_int_equal(in.r, GPR_OFF(R_SP));
    decode_text("8b 42 fe", DECODE_16, &in); /* mov ax, [bp+si-2] */
    assert_true(in.mem);
    assert_int_equal(in.base, GPR_OFF(R_BP));
    assert_int_equal(in.index, GPR_OFF(R_SI));
    assert_int_equal(in.disp, -2);
    assert_int_equal(in.seg, S_SS);
    decode_text("26 8b 46 00", DECODE_16, &in); /* mov ax, es:[bp] */
    assert_int_equal(in.seg, S_ES);
    decode_text("8b 44 8c 10", DECODE_32, &in); /* mov eax, [esp+ecx*4+16] */
    assert_int_equal(in.base, GPR_OFF(R_SP));
    assert_int_equal(in.index, GPR_OFF(R_CX));
    assert_int_equal(in.scale, 2);
    assert_int_equal(in.seg, S_SS);
    decode_text("8b 04 25 00 00 00 80", DECODE_32, &in); /* mov eax, [80000000h] */
    assert_int_equal(in.base, GPR_OFF_ZERO);
    assert_int_equal(in.index, GPR_OFF_ZERO);
    assert_int_equal(in.seg, S_DS);
    decode_text("8b 05 10 00 00 00", DECODE_64, &in);
    assert_int_equal(in.base, GPR_OFF_RIP);
    decode_text("9a 34 12 00 f0", DECODE_16, &in);
    assert_int_equal(in.imm, 0x1234);
    assert_int_equal(in.imm2, 0xf000);
    decode_text("6a ff", DECODE_32, &in);
    assert_int_equal(in.imm, ~0ull);
    decode_text("d1 e0", DECODE_16, &in);
    assert_int_equal(in.imm, 1);
    decode_text("66 ef", DECODE_16, &in);
    assert_int_equal(in.opsize, 4);
    decode_text("ee", DECODE_32, &in);
    assert_int_equal(in.opsize, 1);
}

#ifdef HAVE_ZYDIS
static uint64_t rng = 0x123456789abcdefull;

static uint32_t random32(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 16);
}

/* Encodings that Zydis knows and no row has: all but these sets, which are those of later
 * processors and of other makers. */
static bool beyond_us(const ZydisDecodedInstruction *z)
{
    switch (z->meta.isa_set) {
    case ZYDIS_ISA_SET_I86: case ZYDIS_ISA_SET_I186: case ZYDIS_ISA_SET_I286REAL:
    case ZYDIS_ISA_SET_I286PROTECTED: case ZYDIS_ISA_SET_I386: case ZYDIS_ISA_SET_I486:
    case ZYDIS_ISA_SET_I486REAL:
    case ZYDIS_ISA_SET_PENTIUMREAL: case ZYDIS_ISA_SET_X87: case ZYDIS_ISA_SET_CMOV:
    case ZYDIS_ISA_SET_FCMOV: case ZYDIS_ISA_SET_RDPMC: case ZYDIS_ISA_SET_FAT_NOP:
    case ZYDIS_ISA_SET_PAUSE:
    case ZYDIS_ISA_SET_PENTIUMMMX: case ZYDIS_ISA_SET_FXSAVE: case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSEMXCSR: case ZYDIS_ISA_SET_SSE2: case ZYDIS_ISA_SET_SSE2MMX:
    case ZYDIS_ISA_SET_SSE3: case ZYDIS_ISA_SET_SSE3X87: case ZYDIS_ISA_SET_SSSE3:
    case ZYDIS_ISA_SET_SSSE3MMX: case ZYDIS_ISA_SET_SSE4: case ZYDIS_ISA_SET_SSE42:
    case ZYDIS_ISA_SET_POPCNT: case ZYDIS_ISA_SET_LZCNT: case ZYDIS_ISA_SET_AES:
    case ZYDIS_ISA_SET_PCLMULQDQ: case ZYDIS_ISA_SET_SHA: case ZYDIS_ISA_SET_MOVBE:
    case ZYDIS_ISA_SET_BMI1: case ZYDIS_ISA_SET_BMI2: case ZYDIS_ISA_SET_ADOX_ADCX:
    case ZYDIS_ISA_SET_RDRAND: case ZYDIS_ISA_SET_RDSEED: case ZYDIS_ISA_SET_XSAVE:
    case ZYDIS_ISA_SET_XSAVEC: case ZYDIS_ISA_SET_XSAVEOPT: case ZYDIS_ISA_SET_AVX:
    case ZYDIS_ISA_SET_AVX2: case ZYDIS_ISA_SET_AVX2GATHER: case ZYDIS_ISA_SET_AVXAES:
    case ZYDIS_ISA_SET_FMA: case ZYDIS_ISA_SET_F16C: case ZYDIS_ISA_SET_PPRO:
    case ZYDIS_ISA_SET_CMPXCHG16B: case ZYDIS_ISA_SET_INVPCID: case ZYDIS_ISA_SET_LAHF:
    case ZYDIS_ISA_SET_LONGMODE: case ZYDIS_ISA_SET_MONITOR: case ZYDIS_ISA_SET_RDPID:
    case ZYDIS_ISA_SET_RDTSCP: case ZYDIS_ISA_SET_RDWRFSGS: case ZYDIS_ISA_SET_SMAP:
        return false;
    default:
        return true;
    }
}

static void agree(const ZydisDecoder *decoder, enum decode_mode mode, const uint8_t *bytes)
{
    ZydisDecodedInstruction z;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    struct insn in;
    ZyanStatus zs = ZydisDecoderDecodeFull(decoder, bytes, 15, &z, operands);
    enum decode_status s = decode(bytes, 15, mode, &in);
    char hex[64];
    for (unsigned i = 0; i < 15; i++) {
        snprintf(hex + 3 * i, 4, "%02x ", bytes[i]);
    }
    if (s == DECODE_OK) {
        if (ZYAN_FAILED(zs) || z.length != in.len) {
            fail_msg("mode %d %s: we have %s of %u bytes, Zydis %s of %u", mode, hex,
                     insn_info[in.row].name, in.len,
                     ZYAN_FAILED(zs) ? "nothing" : ZydisMnemonicGetString(z.mnemonic), z.length);
        }
    } else if (ZYAN_SUCCESS(zs) && !beyond_us(&z)) { /* #UD or too long */
        fail_msg("mode %d %s: we have nothing, Zydis %s of %u", mode, hex,
                 ZydisMnemonicGetString(z.mnemonic), z.length);
    }
}

/* Random bytes seldom make a vector instruction: every case but some begins like one. */
static void make_likely(uint8_t bytes[16], unsigned long i)
{
    static const uint8_t prefix[] = {0x66, 0xf2, 0xf3, 0x48};
    uint8_t *p = bytes;
    if (i & 8) {
        *p++ = prefix[i >> 4 & 3];
    }
    switch (i & 7) {
    case 0: case 1: break;
    case 2: case 3: *p = 0x0f; break;
    case 4: *p++ = 0x0f; *p = i & 64 ? 0x38 : 0x3a; break;
    case 5: *p++ = 0xc5; *p |= 0xc0; break;
    default: *p++ = 0xc4; *p = (uint8_t)((*p & 0xe0) | 0xc0 | (1 + (*p & 31) % 3)); break;
    }
}

/* $DECODE_CASES: how many in each mode, in place of what `make test` has time for. */
static unsigned long decode_cases(void)
{
    const char *text = getenv("DECODE_CASES");
    return text ? strtoul(text, NULL, 0) : 300000;
}

/* Random bytes, or an encoding of a random row with all kinds of prefixes. */
static void make_bytes(uint8_t bytes[16], enum decode_mode mode, unsigned long i, bool encoded)
{
    static struct random r = {.state = 0x5eed};
    uint8_t row[ENCODED_MAX + 16];
    for (unsigned k = 0; k < 16; k += 4) {
        uint32_t v = random32();
        memcpy(bytes + k, &v, 4);
    }
    if (encoded) {
        const struct insn_info *info = &insn_info[1 + rnd(&r) % (ROW_COUNT - 1)];
        uint8_t *p = put_opcode(&r, info, mode, row);
        memcpy(p, bytes, 16);
        if (info->has_modrm) {
            *p = random_modrm(&r, info);
        }
        memcpy(bytes, row, 16);
    } else {
        make_likely(bytes, i);
    }
}

static void compare_with_zydis(bool encoded)
{
    static const struct {
        enum decode_mode mode;
        ZydisMachineMode machine;
        ZydisStackWidth width;
    } modes[] = {
        {DECODE_16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
        {DECODE_32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
        {DECODE_64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
    };
    for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
        ZydisDecoder decoder;
        ZydisDecoderInit(&decoder, modes[m].machine, modes[m].width);
        ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_KNC, ZYAN_FALSE);
        ZydisDecoderEnableMode(&decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE); /* hints here */
        for (unsigned long i = 0; i < decode_cases(); i++) {
            uint8_t bytes[16];
            make_bytes(bytes, modes[m].mode, i, encoded);
            agree(&decoder, modes[m].mode, bytes);
        }
    }
}

static void random_bytes_have_the_length_that_zydis_finds(void **state)
{
    compare_with_zydis(false);
}

/* Redundant, repeated and reordered prefixes, REX before others, up to and beyond 15 bytes. */
static void rows_with_any_prefixes_have_the_length_that_zydis_finds(void **state)
{
    compare_with_zydis(true);
}
#else
static void random_bytes_have_the_length_that_zydis_finds(void **state)
{
    print_message("skipped: Zydis is not installed\n");
    skip();
}

static void rows_with_any_prefixes_have_the_length_that_zydis_finds(void **state)
{
    random_bytes_have_the_length_that_zydis_finds(state);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodings_have_their_row_and_length),
        cmocka_unit_test(rows_of_one_opcode_stand_together),
        cmocka_unit_test(operands_are_register_offsets_and_addresses),
        cmocka_unit_test(random_bytes_have_the_length_that_zydis_finds),
        cmocka_unit_test(rows_with_any_prefixes_have_the_length_that_zydis_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
