/*
 * Read-modify-writes that other processors at the same time cannot come between.
 *
 * Source: [SDM3] "Locked Atomic Operations", "Bus Locking" (an operand may cross any border).
 * Model:  an aligned operand in memory is one compare-exchange of the host, so it also holds
 *         against plain stores and loads of other threads. Any other operand, as a split lock does
 *         on a processor, stops all others.
 * Left out: devices; locked or not, their accesses are a read and a write.
 */
#include "core/cpu/mech.h"

static uint64_t cas_host(void *p, uint64_t old, uint64_t val, unsigned size)
{
    uint8_t old8 = (uint8_t)old;
    uint16_t old16 = (uint16_t)old;
    uint32_t old32 = (uint32_t)old;
    switch (size) {
    case 1:
        __atomic_compare_exchange_n((uint8_t *)p, &old8, (uint8_t)val, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
        return old8;
    case 2:
        __atomic_compare_exchange_n((uint16_t *)p, &old16, (uint16_t)val, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
        return old16;
    case 4:
        __atomic_compare_exchange_n((uint32_t *)p, &old32, (uint32_t)val, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
        return old32;
    default:
        __atomic_compare_exchange_n((uint64_t *)p, &old, val, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
        return old;
    }
}

static void tell_touched(struct x86_cpu *cpu, const uint8_t *p, unsigned size)
{
    uint64_t ram = (uint64_t)(p - cpu->arena->base);
    if (unlikely(ram_marked(cpu->arena, ram, size))) {
        ram_touched(cpu->arena, ram, size);
    }
}

uint64_t x86_host_cas(struct x86_cpu *cpu, uint8_t *p, uint64_t old, uint64_t val, unsigned size)
{
    uint64_t seen = cas_host(p, old, val, size);
    if (seen == old) {
        tell_touched(cpu, p, size);
    }
    return seen;
}

uint64_t x86_lin_cas(struct x86_cpu *cpu, uint64_t lin, uint64_t old, uint64_t val, unsigned size)
{
    uint8_t *p = (lin & (size - 1)) == 0 ? x86_lin_host(cpu, lin, size, cpu->cpl == 3) : NULL;
    if (likely(p != NULL)) {
        return x86_host_cas(cpu, p, old, val, size);
    }
    uint64_t seen = old;
    x86_lin_cas_alone(cpu, lin, (uint8_t *)&seen, (const uint8_t *)&val, size);
    return seen;
}

#if defined(__x86_64__)
/* In assembler: compilers call a library for it, unless all of the file is for CPUs that have
 * it. */
static void cas_16(uint8_t *p, uint64_t old[2], const uint64_t val[2])
{
    __asm__ volatile("lock cmpxchg16b %0"
                     : "+m"(*(unsigned __int128 *)(void *)p), "+a"(old[0]), "+d"(old[1])
                     : "b"(val[0]), "c"(val[1])
                     : "cc", "memory");
}
#endif

bool x86_lin_cas16(struct x86_cpu *cpu, uint64_t lin, uint64_t old[2], const uint64_t val[2])
{
#if defined(__x86_64__)
    uint64_t was[2] = {old[0], old[1]};
    uint8_t *p = x86_lin_host(cpu, lin, 16, cpu->cpl == 3);
    if (likely(p != NULL)) {
        cas_16(p, old, val);
        if (old[0] != was[0] || old[1] != was[1]) {
            return false;
        }
        tell_touched(cpu, p, 16);
        return true;
    }
#endif
    return x86_lin_cas_alone(cpu, lin, (uint8_t *)old, (const uint8_t *)val, 16);
}
