/*
 * The table of kernels, and what runs them: prints each name, then, when it is done, its checksum.
 * In the guest that goes to the debug port, on the host to standard output.
 */
#include "kernel.h"

uint8_t arena[ARENA_BYTES] __attribute__((aligned(4096)));

struct kernel {
    const char *name;
    uint32_t (*run)(void);
    unsigned where;
    unsigned rounds; /* so that it takes 60 ms and more on any host of today */
};

#define KERNEL(name, run, where, rounds) {name, (where) & HERE ? run : NULL, where, rounds}
#ifdef HOST
#define HERE (sizeof(void *) == 8 ? HOST64 : HOST32)
#define GUEST_KERNEL(name, run, where, rounds) {name, NULL, 0, 0}
#else
#define HERE GUEST
#define GUEST_KERNEL KERNEL
#endif
#ifdef __x86_64__
#define LONG_KERNEL  KERNEL
#define LONG_GUEST_KERNEL GUEST_KERNEL
#else
#define LONG_KERNEL(name, run, where, rounds) {name, NULL, 0, 0}
#define LONG_GUEST_KERNEL LONG_KERNEL
#endif

/* The measuring program reads the order of these lines: it is the order of bits in the mask. */
static const struct kernel kernels[] = {
    KERNEL("alu", run_alu, PLAIN, 7),
    KERNEL("vm", run_vm, ALL, 4),
    KERNEL("sieve", run_sieve, ALL, 5),
    KERNEL("crc", run_crc, PLAIN, 2),
    KERNEL("crcbits", run_crc_bits, PLAIN, 20),
    KERNEL("sort", run_sort, ALL, 3),
    KERNEL("lz", run_lz, ALL, 4),
    KERNEL("hash", run_hash, PLAIN, 6),
    KERNEL("table", run_table, ALL, 4),
    KERNEL("big", run_big, PLAIN, 4),
    LONG_KERNEL("mul128-", run_mul128, LONG | HOST64, 5),
    LONG_KERNEL("div128-", run_div128, LONG | HOST64, 7),
    KERNEL("random256k-", run_random_small, ALL, 8),
    KERNEL("random16m-", run_random_large, ALL, 3),
    KERNEL("chase256k-", run_chase_small, ALL, 2),
    KERNEL("chase16m-", run_chase_large, ALL, 1),
    KERNEL("stride16m-", run_stride, ALL, 10),
    KERNEL("copy256k-", run_copy_small, ALL, 4),
    KERNEL("copy16m-", run_copy_large, ALL, 4),
    KERNEL("bulk", run_bulk, ALL, 6),
    KERNEL("push", run_push, ALL, 3),
    KERNEL("x87mandel", run_x87_mandel, PLAIN, 7),
    KERNEL("x87unmasked", run_x87_unmasked, PLAIN, 5),
    KERNEL("x87bodies", run_x87_bodies, PLAIN, 5),
    KERNEL("x87dot", run_x87_dot, PLAIN, 6),
    KERNEL("ssemandel", run_sse_mandel, PLAIN, 5),
    KERNEL("ssebodies", run_sse_bodies, PLAIN, 5),
    KERNEL("ssematrix", run_sse_matrix, PLAIN, 3),
    KERNEL("ssepacked", run_sse_packed, PLAIN, 18),
    KERNEL("sseint", run_sse_int, PLAIN, 4),
    KERNEL("recursion", run_recursion, ALL, 2),
    KERNEL("calls", run_calls, PLAIN, 7),
    KERNEL("indirect1-", run_indirect_one, PLAIN, 4),
    KERNEL("indirect8-", run_indirect_many, PLAIN, 3),
    KERNEL("cases", run_cases, PLAIN, 3),
    GUEST_KERNEL("fresh", run_fresh, GUEST, 1),
    GUEST_KERNEL("patched", run_patched, GUEST, 1),
    GUEST_KERNEL("overlaid", run_overlaid, GUEST, 1),
    GUEST_KERNEL("cold", run_cold, GUEST, 1),
    GUEST_KERNEL("port", run_ports, FLAT | LONG, 3),
    GUEST_KERNEL("pci", run_pci, FLAT | LONG, 9),
    GUEST_KERNEL("vgatext", run_text, GUEST, 6),
    GUEST_KERNEL("vgaplanar", run_planar, FLAT | LONG, 2),
    GUEST_KERNEL("vga256-", run_pixels, FLAT | LONG, 2),
    GUEST_KERNEL("int80-", run_int80, GUEST, 4),
    LONG_GUEST_KERNEL("syscall", run_syscall, LONG, 8),
    GUEST_KERNEL("fault", run_faults, PAGED | LONG, 3),
    GUEST_KERNEL("cr3-", run_cr3, PAGED | LONG, 1),
    GUEST_KERNEL("timer", run_timer, PAGED | LONG, 3),
};

#ifdef HOST

static void system_call(long number, long a, long b, long c)
{
#ifdef __x86_64__
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
#else
    __asm__ volatile("int $0x80" : "+a"(number) : "b"(a), "c"(b), "d"(c) : "memory");
#endif
}

static void put(const char *text, unsigned n)
{
    system_call(sizeof(void *) == 8 ? 1 : 4, 1, (long)text, (long)n); /* write */
}

#else

static void put(const char *text, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        __asm__ volatile("outb %0, $0xe9" : : "a"(text[i]));
    }
}

#endif

static void put_name(const char *name, const char *mode)
{
    char line[32];
    unsigned n = 0;
    while (*name) {
        line[n++] = *name++;
    }
    while (*mode) {
        line[n++] = *mode++;
    }
    line[n++] = ' ';
    put(line, n);
}

static void put_sum(uint32_t sum)
{
    char line[9];
    for (int i = 7; i >= 0; i--, sum >>= 4) {
        line[i] = "0123456789abcdef"[sum & 15];
    }
    line[8] = '\n';
    put(line, 9);
}

#define ONCE (1ull << 63)

/* Runs kernel i if bit i of @chosen is set: once if ONCE is, too. */
void run_kernels(unsigned where, uint64_t chosen);

void run_kernels(unsigned where, uint64_t chosen)
{
    const char *mode = where == PAGED ? BITS "p" : BITS;
    for (unsigned i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++) {
        const struct kernel *k = &kernels[i];
        if (k->run && (k->where & where) && (chosen >> i & 1)) {
            put_name(k->name, mode);
            uint32_t sum = 0;
            for (unsigned round = 0; round < (chosen & ONCE ? 1 : k->rounds); round++) {
                sum = mix(sum, k->run());
            }
            put_sum(sum);
        }
    }
    for (volatile unsigned i = 0; i < 20000000; i++) {  /* so that the last time can be read */
    }
}

#ifdef HOST

/* The mask is the first argument, in hexadecimal. */
__attribute__((used)) static void host_main(const char *mask)
{
    uint64_t chosen = 0;
    for (; *mask; mask++) {
        chosen = chosen << 4 | (unsigned)(*mask <= '9' ? *mask - '0' : *mask - 'a' + 10);
    }
    run_kernels(HERE, chosen);
    system_call(sizeof(void *) == 8 ? 60 : 1, 0, 0, 0); /* exit */
}

#ifdef __x86_64__
__asm__(".globl _start; _start: mov 16(%rsp), %rdi; and $-16, %rsp; call host_main");
#else
__asm__(".globl _start; _start: mov 8(%esp), %eax; and $-16, %esp; sub $12, %esp; push %eax; call "
        "host_main");
#endif

#endif

/* What the compiler may call. */
void *memset(void *to, int val, size_t n)
{
    void *at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(val) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
    void *at = to;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    return to;
}
