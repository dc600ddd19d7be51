/*
 * The interpreter on a bench: RAM from 0, ports that answer with ones and record writes, a virtual
 * slice that the test sets; no board, no vCPU thread.
 */
#ifndef TESTS_UNIT_INTERP_BENCH_H
#define TESTS_UNIT_INTERP_BENCH_H

#include "core/accel/interp/engine.h"
#include "core/accel/vcpu.h"
#include "core/base/hash.h"
#include "core/cpu/cpuid.h"

#include <stdlib.h>
#include <string.h>

struct interp_bench {
    struct interp *e;
    struct x86_cpu *cpu;
    struct ram_arena arena;
    struct ram_block ram;
    struct region ram_region, mmio_region;
    struct space mem, ports;
    uint64_t port_reads, port_writes;
    uint64_t last_port, last_val;
    uint64_t stop_at;            /* instruction count of the next timer; ~0: none */
    uint32_t raise;              /* PEND_* bits that a port access makes pending */
    int vector;
    bool a20_low;                /* the pin; who changes it makes PEND_A20 pending */
};

#define IBENCH_MMIO 0xa0000ull

static uint64_t ibench_read(void *host, struct space *s, uint64_t addr, unsigned size)
{
    struct interp_bench *b = host;
    if (s == &b->ports) {
        b->port_reads++;
        b->last_port = addr;
        atomic_fetch_or(b->cpu->pending, b->raise);
        return ~0ull;
    }
    return space_read(s, addr, size);
}

static void ibench_write(void *host, struct space *s, uint64_t addr, uint64_t val, unsigned size)
{
    struct interp_bench *b = host;
    if (s != &b->ports) {
        space_write(s, addr, val, size);
        return;
    }
    b->port_writes++;
    b->last_port = addr;
    b->last_val = val & size_mask(size);
    atomic_fetch_or(b->cpu->pending, b->raise);
}

static int ibench_acknowledge(void *host)
{
    struct interp_bench *b = host;
    atomic_fetch_and(b->cpu->pending, ~(uint32_t)PEND_INTR);
    return b->vector;
}

static uint64_t ibench_tsc(void *host)
{
    struct interp_bench *b = host;
    return interp_icount(b->cpu);
}

static void ibench_ferr(void *host, bool level)
{
}

static int64_t ibench_slice(void *host)
{
    struct interp_bench *b = host;
    uint64_t now = interp_icount(b->cpu);
    if (b->stop_at == ~0ull) {
        return INT64_MAX;
    }
    return b->stop_at > now ? (int64_t)(b->stop_at - now) : 0;
}

static bool ibench_a20(void *host)
{
    return !((struct interp_bench *)host)->a20_low;
}

static const struct x86_host_ops ibench_ops = {
    .read = ibench_read,
    .write = ibench_write,
    .acknowledge = ibench_acknowledge,
    .tsc = ibench_tsc,
    .ferr = ibench_ferr,
};

static inline struct interp_bench *ibench_new(uint64_t ram_bytes, const char *model)
{
    struct interp_bench *b = calloc(1, sizeof(*b));
    const struct interp_host host = {.slice = ibench_slice, .a20 = ibench_a20};
    if (b == NULL || !ram_arena_init(&b->arena, 64 * MiB, NULL) ||
        !ram_block_at(&b->arena, &b->ram, "ram", 0, ram_bytes, NULL)) {
        abort();
    }
    space_init(&b->mem, "memory", 1ull << 40);
    space_init(&b->ports, "ports", 1 << 16);
    region_ram(&b->ram_region, "ram", &b->ram);
    region_map(&b->mem.root, &b->ram_region, 0, 0);
    space_commit(&b->mem);
    b->stop_at = ~0ull;
    b->e = interp_new(&b->arena, &host);
    if (b->e == NULL) {
        abort();
    }
    b->cpu = &b->e->cpu;
    b->cpu->space = b->cpu->mem = b->cpu->smm = &b->mem;
    b->cpu->ports = &b->ports;
    b->cpu->model = x86_model_find(model ? model : "pentium");
    b->cpu->host_ops = &ibench_ops;
    b->cpu->host = b;
    x86_state_reset(&b->cpu->s, b->cpu->model->signature, false);
    b->cpu->s.a20 = true;
    x86_state_loaded(b->cpu);
    return b;
}

static inline void ibench_free(struct interp_bench *b)
{
    interp_free(b->e);
    space_fini(&b->mem);
    space_fini(&b->ports);
    ram_arena_fini(&b->arena);
    free(b);
}

static inline uint8_t *ibench_mem(struct interp_bench *b, uint64_t phys)
{
    return ram_host(&b->ram) + phys;
}

/* Writes memory as a device would: engines are told. */
static inline void ibench_poke(struct interp_bench *b, uint64_t phys, const void *bytes, unsigned n)
{
    space_write_bytes(&b->mem, phys, bytes, n);
}

/* Real mode, all segments 0 but CS:IP = 0:@ip, SS:SP = 0:7000h. */
static inline void ibench_real(struct interp_bench *b, uint16_t ip)
{
    struct x86_state *s = &b->cpu->s;
    x86_state_reset(s, b->cpu->model->signature, false);
    for (unsigned i = 0; i < 6; i++) {
        s->seg[i].sel = 0;
        s->seg[i].base = 0;
    }
    s->a20 = true;
    s->rip = ip;
    s->gpr[R_SP] = 0x7000;
    x86_state_loaded(b->cpu);
}

static inline void ibench_flat_seg(struct x86_seg *s, uint16_t sel, bool code)
{
    *s = (struct x86_seg){
        .sel = sel, .limit = 0xffffffff,
        .attr = AR_P | AR_S | AR_G | AR_DB | AR_WRITABLE | AR_ACCESSED | (code ? AR_CODE : 0),
    };
}

/* Protected mode without tables: 4 GiB from 0, by any segment. */
static inline void ibench_flat(struct interp_bench *b)
{
    struct x86_state *s = &b->cpu->s;
    s->cr0 |= CR0_PE;
    for (unsigned i = 0; i < 6; i++) {
        ibench_flat_seg(&s->seg[i], i == S_CS ? 8 : 16, i == S_CS);
    }
}

static inline enum vcpu_exit_reason ibench_run(struct interp_bench *b)
{
    struct vcpu_exit exit;
    interp_execute(b->e, &exit);
    return exit.reason;
}

/* Of its processor's state and count of instructions. */
static inline uint64_t ibench_digest(const struct interp_bench *b)
{
    struct state_buf out = {0};
    struct x86_state s = b->cpu->s;
    s.rflags = x86_get_rflags(b->cpu);
    state_save(&out, x86_state_fields, &s, NULL);
    uint64_t icount = interp_icount(b->cpu), hash = hash_bytes(0, out.data, out.len);
    state_buf_free(&out);
    return hash_bytes(hash, &icount, sizeof(icount));
}

#endif
