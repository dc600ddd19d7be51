/*
 * A bare processor on a bench: 2 MiB of RAM at 0, a ROM page, a device page, recorded ports; no
 * engine, no vCPU thread. Mechanisms are called directly; bench_try catches the faults they raise.
 *
 * A test is a table walk: set up descriptors with bench_desc, call, and compare vector, error code,
 * frame and state.
 */
#ifndef TESTS_UNIT_CPU_BENCH_H
#define TESTS_UNIT_CPU_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/cpu/cpuid.h"
#include "core/cpu/flags.h"
#include "core/cpu/x86_cpu.h"

enum {
    BENCH_RAM = 2 * 1024 * 1024,
    BENCH_ROM = 0x00e00000,      /* 4 KiB that read as their offset's low byte */
    BENCH_MMIO = 0x00f00000,     /* 4 KiB that answer with the address and record writes */
    BENCH_GDT = 0x1000,
    BENCH_LDT = 0x1800,
    BENCH_IDT = 0x2000,
    BENCH_TSS = 0x3000,
};

struct cpu_bench {
    struct x86_cpu *cpu;
    struct ram_arena arena;
    struct ram_block ram, rom;
    struct region ram_region, rom_region, mmio_region, port_region;
    struct space mem, ports;
    struct { uint64_t addr, val; unsigned size; } writes[64];
    unsigned n_writes, n_reads;
    bool ferr;
    uint64_t tsc;
};

static inline uint64_t bench_dev_read(void *dev, uint64_t off, unsigned size)
{
    struct cpu_bench *b = dev;
    b->n_reads++;
    return 0x1122334455667700ull + off;
}

static inline void bench_dev_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct cpu_bench *b = dev;
    unsigned i = b->n_writes++ % ARRAY_SIZE(b->writes);
    b->writes[i].addr = off;
    b->writes[i].val = val;
    b->writes[i].size = size;
}

static const struct region_ops bench_dev_ops = {
    .read = bench_dev_read, .write = bench_dev_write, .width = 8,
};

static inline uint64_t bench_host_read(void *host, struct space *s, uint64_t addr, unsigned size)
{
    return space_read(s, addr, size);
}

static inline void bench_host_write(void *host, struct space *s, uint64_t addr, uint64_t val,
                                    unsigned size)
{
    space_write(s, addr, val, size);
}

static inline int bench_host_ack(void *host)
{
    return 0x20;
}

static inline uint64_t bench_host_tsc(void *host)
{
    struct cpu_bench *b = host;
    return b->tsc;
}

static inline void bench_host_ferr(void *host, bool level)
{
    struct cpu_bench *b = host;
    b->ferr = level;
}

static const struct x86_host_ops bench_host_ops = {
    .read = bench_host_read, .write = bench_host_write, .acknowledge = bench_host_ack,
    .tsc = bench_host_tsc, .ferr = bench_host_ferr,
};

/* A processor of @model (NULL: pentium) just after reset. */
static inline struct cpu_bench *bench_new(const char *model)
{
    struct cpu_bench *b = calloc(1, sizeof(*b));
    struct error *err = NULL;
    assert_non_null(b);
    b->cpu = calloc(1, sizeof(*b->cpu));
    assert_non_null(b->cpu);
    assert_true(ram_arena_init(&b->arena, 16 * MiB, &err));
    assert_true(ram_block_at(&b->arena, &b->ram, "ram", 0, BENCH_RAM, &err));
    assert_true(ram_block_new(&b->arena, &b->rom, "rom", PAGE_BYTES, &err));
    for (unsigned i = 0; i < PAGE_BYTES; i++) {
        ram_host(&b->rom)[i] = (uint8_t)i;
    }
    space_init(&b->mem, "memory", 1ull << 40);
    space_init(&b->ports, "ports", 1 << 16);
    region_ram(&b->ram_region, "ram", &b->ram);
    region_rom(&b->rom_region, "rom", &b->rom);
    region_io(&b->mmio_region, "mmio", &bench_dev_ops, b, PAGE_BYTES);
    region_io(&b->port_region, "port", &bench_dev_ops, b, 1 << 16);
    region_map(&b->mem.root, &b->ram_region, 0, 0);
    region_map(&b->mem.root, &b->rom_region, BENCH_ROM, 0);
    region_map(&b->mem.root, &b->mmio_region, BENCH_MMIO, 0);
    region_map(&b->ports.root, &b->port_region, 0, 0);
    space_commit(&b->mem);
    space_commit(&b->ports);
    b->cpu->model = x86_model_find(model ? model : "pentium");
    assert_non_null(b->cpu->model);
    b->cpu->space = b->cpu->mem = b->cpu->smm = &b->mem;
    b->cpu->ports = &b->ports;
    b->cpu->arena = &b->arena;
    b->cpu->host_ops = &bench_host_ops;
    b->cpu->host = b;
    x86_state_reset(&b->cpu->s, b->cpu->model->signature, false);
    x86_state_loaded(b->cpu);
    return b;
}

static inline void bench_free(struct cpu_bench *b)
{
    space_fini(&b->mem);
    space_fini(&b->ports);
    ram_arena_fini(&b->arena);
    free(b->cpu);
    free(b);
}

static inline uint8_t *bench_mem(struct cpu_bench *b, uint64_t phys)
{
    return ram_host(&b->ram) + phys;
}

/* An 8-byte descriptor in the GDT, LDT or IDT: @attr as enum AR_*. @limit in bytes or, with AR_G,
 * pages. */
static inline void bench_desc(struct cpu_bench *b, uint32_t table, unsigned index, uint32_t base,
                              uint32_t limit, uint32_t attr)
{
    st64le(bench_mem(b, table + index * 8),
           (uint64_t)(limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
               (uint64_t)(attr & 0xf0ff) << 40 | (uint64_t)(limit >> 16 & 0xf) << 48 |
               (uint64_t)(base >> 24) << 56);
}

/* A gate: @type 0x5 task, 0xc/0x4 call, 0xe/0x6 interrupt, 0xf/0x7 trap (32/16-bit). */
static inline void bench_gate(struct cpu_bench *b, uint32_t table, unsigned index, uint16_t sel,
                              uint32_t off, unsigned type, unsigned dpl, unsigned params)
{
    st64le(bench_mem(b, table + index * 8),
           (uint64_t)(off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)params << 32 |
               (uint64_t)(0x80 | dpl << 5 | type) << 40 | (uint64_t)(off >> 16) << 48);
}

/* Selectors that bench_protected sets up. */
enum {
    SEL_CODE0 = 0x08, SEL_DATA0 = 0x10, SEL_CODE3 = 0x1b, SEL_DATA3 = 0x23, SEL_TSS = 0x28,
    SEL_LDT = 0x30, SEL_CODE16 = 0x38, SEL_DATA16 = 0x40, SEL_FREE = 0x48, /* and on: the test's */
};

/* Flat 32-bit protected mode at CPL 0, stack at 0x8000, TSS loaded, IDT of 32-bit interrupt gates:
 * vector n goes to SEL_CODE0:0x10000 + n * 16. SS0:ESP0 is SEL_DATA0:0x9000. */
static inline void bench_protected(struct cpu_bench *b)
{
    struct x86_cpu *cpu = b->cpu;
    bench_desc(b, BENCH_GDT, 1, 0, 0xfffff, 0xc09b);
    bench_desc(b, BENCH_GDT, 2, 0, 0xfffff, 0xc093);
    bench_desc(b, BENCH_GDT, 3, 0, 0xfffff, 0xc0fb);
    bench_desc(b, BENCH_GDT, 4, 0, 0xfffff, 0xc0f3);
    bench_desc(b, BENCH_GDT, 5, BENCH_TSS, 0x2067, 0x89);
    bench_desc(b, BENCH_GDT, 6, BENCH_LDT, 0x7f, 0x82);
    bench_desc(b, BENCH_GDT, 7, 0, 0xffff, 0x9b);
    bench_desc(b, BENCH_GDT, 8, 0, 0xffff, 0x93);
    for (unsigned v = 0; v < 256; v++) {
        bench_gate(b, BENCH_IDT, v, SEL_CODE0, 0x10000 + v * 16, 0xe, 0, 0);
    }
    st32le(bench_mem(b, BENCH_TSS + 4), 0x9000);
    st16le(bench_mem(b, BENCH_TSS + 8), SEL_DATA0);
    st16le(bench_mem(b, BENCH_TSS + 0x66), 0x68);
    cpu->s.gdtr = (struct x86_dtr){.base = BENCH_GDT, .limit = 0x7ff};
    cpu->s.idtr = (struct x86_dtr){.base = BENCH_IDT, .limit = 0x7ff};
    x86_set_cr0(cpu, cpu->s.cr0 | CR0_PE);
    x86_ltr(cpu, SEL_TSS);
    x86_lldt(cpu, SEL_LDT);
    for (unsigned i = 0; i < 6; i++) {
        if (i != S_CS) {
            x86_load_seg(cpu, i, SEL_DATA0);
        }
    }
    x86_far_jmp(cpu, SEL_CODE0, 0x5000, 4);
    cpu->s.gpr[R_SP] = 0x8000;
}

/* The macros below change no local between setjmp and longjmp. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wclobbered"
#endif

/* Runs @call; true if it faulted: the exception is in cpu->exc (not delivered). */
#define BENCH_FAULTS(b, call)                                                                      \
    ({                                                                                             \
        volatile bool bench_faulted = true;                                                        \
        if (setjmp((b)->cpu->unwind) == 0) {                                                       \
            call;                                                                                  \
            bench_faulted = false;                                                                 \
        }                                                                                          \
        bench_faulted;                                                                             \
    })

/* The same, and delivers what was raised, as an engine's loop does. */
#define BENCH_RUN(b, call)                                                                         \
    do {                                                                                           \
        if (setjmp((b)->cpu->unwind) == 0) {                                                       \
            call;                                                                                  \
        } else {                                                                                   \
            x86_deliver_fault((b)->cpu);                                                           \
        }                                                                                          \
    } while (0)

/* @call must raise @vector with @error and leave the state as it was (but for CR2). */
#define ASSERT_FAULT(b, call, vec, err)                                                            \
    do {                                                                                           \
        struct x86_state bench_before = (b)->cpu->s;                                               \
        assert_true(BENCH_FAULTS(b, call));                                                        \
        assert_int_equal((b)->cpu->exc.vector, vec);                                               \
        assert_int_equal((b)->cpu->exc.error, err);                                                \
        (b)->cpu->exc.active = false;                                                              \
        bench_before.cr2 = (b)->cpu->s.cr2;                                                        \
        assert_memory_equal(&bench_before, &(b)->cpu->s, sizeof(bench_before));                    \
    } while (0)

#define ASSERT_FINE(b, call) assert_false(BENCH_FAULTS(b, call))

#endif
