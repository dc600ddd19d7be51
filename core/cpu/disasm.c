#include "core/cpu/disasm.h"

#include <stdio.h>

#ifdef HAVE_ZYDIS
#include <Zydis/Zydis.h>

unsigned disasm(const uint8_t *code, size_t len, unsigned bits, uint64_t rip,
                char text[DISASM_TEXT])
{
    static const struct {
        ZydisMachineMode mode;
        ZydisStackWidth width;
    } modes[3] = {
        {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
        {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
        {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
    };
    unsigned n = bits == 64 ? 2 : bits == 32 ? 1 : 0;
    ZydisDecoder decoder;
    ZydisFormatter formatter;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (ZYAN_FAILED(ZydisDecoderInit(&decoder, modes[n].mode, modes[n].width)) ||
        ZYAN_FAILED(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_ATT)) ||
        ZYAN_FAILED(ZydisDecoderDecodeFull(&decoder, code, len, &insn, operands)) ||
        ZYAN_FAILED(ZydisFormatterFormatInstruction(&formatter, &insn, operands,
                                                    insn.operand_count_visible, text, DISASM_TEXT,
                                                    rip, ZYAN_NULL))) {
        snprintf(text, DISASM_TEXT, ".byte    0x%02x", code[0]);
        return 1;
    }
    return insn.length;
}

#else

unsigned disasm(const uint8_t *code, size_t len, unsigned bits, uint64_t rip,
                char text[DISASM_TEXT])
{
    snprintf(text, DISASM_TEXT, ".byte    0x%02x", code[0]);
    return 1;
}

#endif
