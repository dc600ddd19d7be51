/*
 * Benchmark kernels in C: the same source runs in the guest, without a system below it, and on the
 * host (there without main's library, too, so that 32-bit programs need none).
 *
 * A kernel does a fixed amount of work and returns a checksum, which must be the same everywhere.
 */
#ifndef TESTS_BENCH_GUEST_KERNEL_H
#define TESTS_BENCH_GUEST_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a kernel runs. */
#define FLAT   1 /* 32-bit protected mode without paging */
#define PAGED  2 /* 32-bit, paged */
#define LONG   4 /* 64-bit */
#define HOST32 8 /* as a program of the host */
#define HOST64 16
#define PLAIN  (FLAT | LONG | HOST32 | HOST64)
#define ALL    (PLAIN | PAGED)
#define GUEST  (FLAT | PAGED | LONG)

#ifdef __x86_64__
#define BITS "64"
#else
#define BITS "32"
#endif

#define ARENA_BYTES (40u << 20)

/* Working memory of the kernel that runs. What it reads it has written: others may have been
 * here. */
extern uint8_t arena[ARENA_BYTES];

/* Numbers that look random. */
static inline uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 7 ^ *seed;
}

static inline uint32_t mix(uint32_t sum, uint32_t val)
{
    return sum * 31 + (sum >> 16) + val;
}

uint32_t run_alu(void);
uint32_t run_vm(void);
uint32_t run_sieve(void);
uint32_t run_crc(void);
uint32_t run_crc_bits(void);
uint32_t run_sort(void);
uint32_t run_lz(void);
uint32_t run_hash(void);
uint32_t run_table(void);
uint32_t run_big(void);
uint32_t run_mul128(void);
uint32_t run_div128(void);

uint32_t run_random_small(void);
uint32_t run_random_large(void);
uint32_t run_chase_small(void);
uint32_t run_chase_large(void);
uint32_t run_stride(void);
uint32_t run_copy_small(void);
uint32_t run_copy_large(void);
uint32_t run_bulk(void);
uint32_t run_push(void);

uint32_t run_x87_mandel(void);
uint32_t run_x87_unmasked(void);
uint32_t run_x87_bodies(void);
uint32_t run_x87_dot(void);
uint32_t run_sse_mandel(void);
uint32_t run_sse_bodies(void);
uint32_t run_sse_matrix(void);
uint32_t run_sse_packed(void);
uint32_t run_sse_int(void);

uint32_t run_recursion(void);
uint32_t run_calls(void);
uint32_t run_indirect_one(void);
uint32_t run_indirect_many(void);
uint32_t run_cases(void);

uint32_t run_fresh(void);
uint32_t run_patched(void);
uint32_t run_overlaid(void);
uint32_t run_cold(void);

uint32_t run_ports(void);
uint32_t run_pci(void);
uint32_t run_text(void);
uint32_t run_planar(void);
uint32_t run_pixels(void);
uint32_t run_int80(void);
uint32_t run_syscall(void);
uint32_t run_faults(void);
uint32_t run_cr3(void);
uint32_t run_timer(void);

/* What the compiler may call. */
void *memset(void *to, int val, size_t n);
void *memcpy(void *to, const void *from, size_t n);

#endif
