/* Rounding as the control words of the x87 and of SSE ask for it. */
#ifndef CORE_CPU_ROUNDING_H
#define CORE_CPU_ROUNDING_H

#include <stdbool.h>
#include <stdint.h>

/* FCW.RC and MXCSR.RC. */
enum rounding { RC_NEAREST, RC_DOWN, RC_UP, RC_CHOP };

/* Does a magnitude that is cut off grow by one unit? @rest was cut, of a unit of 2 * @half; @odd:
 * the last bit that stays. */
static inline bool rounds_up(enum rounding rc, bool negative, bool odd, uint64_t rest,
                             uint64_t half)
{
    switch (rc) {
    case RC_NEAREST: return rest > half || (rest == half && odd);
    case RC_DOWN: return rest && negative;
    case RC_UP: return rest && !negative;
    default: return false;
    }
}

/* Is what is too large infinite, and not the largest number? [SDM1] "Numeric Overflow
 * Exception". */
static inline bool overflows_to_infinity(enum rounding rc, bool negative)
{
    return rc == RC_NEAREST || rc == (negative ? RC_DOWN : RC_UP);
}

#endif
