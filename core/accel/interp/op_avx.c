/*
 * What AVX and AVX2 have beyond wider forms of SSE: broadcasts, permutations, masked moves,
 * gathers. Source: [SDM2], the entry of each instruction.
 */
#include "core/accel/interp/vec.h"

/* Upper halves of all registers; outside 64-bit mode of the first eight. */
static unsigned registers(const struct x86_cpu *cpu)
{
    return cpu->mode & MODE_CS64 ? 16 : 8;
}

OP(vzeroupper)
{
    vec_begin(cpu, in);
    for (unsigned i = 0; i < registers(cpu); i++) {
        memset(cpu->s.ymm[i] + 16, 0, 16);
    }
}

OP(vzeroall)
{
    vec_begin(cpu, in);
    memset(cpu->s.ymm, 0, registers(cpu) * sizeof(cpu->s.ymm[0]));
}
