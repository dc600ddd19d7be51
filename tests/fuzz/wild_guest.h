/*
 * Wild guests: bytes as code, in some mode. Vectors, gates, descriptors and page tables lead back
 * into the bytes, so that they run again and again, also across changes of mode. They run on the
 * interpreter and on the JIT, which must end alike; interrupts come at random instructions.
 */
#ifndef TESTS_FUZZ_WILD_GUEST_H
#define TESTS_FUZZ_WILD_GUEST_H

#include "tests/unit/interp_bench.h"
#include "tests/unit/random.h"

#include "core/accel/jit/check.h"

#include <stdio.h>

enum {
    RAM = 2 * MiB, CODE = 0x1000, CODE_BYTES_MIN = 16, CODE_BYTES_MAX = 0x400, IDT = 0x0,
    GDT = 0x4000, GDT_ENTRIES = 16, TABLES = 0x10000, STACK = 0x7000, PROGRAM_INSNS = 4000,
};

enum start { START_REAL, START_VM86, START_16, START_32, START_PAGED, START_LONG, START_COUNT };

/* A guest: where it starts, what its tables and registers are made from, and its code. */
struct wild_guest {
    enum start start;
    uint64_t seed;
    unsigned bytes;
    uint8_t code[CODE_BYTES_MAX];
};

/* The machines that it runs on. */
struct wild_pair {
    struct interp_bench *interp, *jit;
    struct check *check;         /* of the JIT; NULL: its translations are trusted */
};

static inline uint32_t code_address(uint64_t *seed, unsigned bytes)
{
    return CODE + random_32(seed) % bytes;
}

/* One that makes much of an instruction set likely: prefixes, short forms, branches nearby. */
static inline void make_code(uint8_t *code, unsigned bytes, uint64_t *seed)
{
    static const uint8_t likely[] = {0x66, 0x67, 0x0f, 0xf3, 0xeb, 0x75, 0x74, 0xe2,
                                     0x48, 0xc3, 0xcf, 0x50, 0x58, 0x8b, 0x89, 0x01,
                                     0x29, 0x83, 0x81, 0xff, 0x8e, 0xcd, 0xaa, 0xa5};
    for (unsigned i = 0; i < bytes; i++) {
        uint32_t chance = random_32(seed);
        code[i] = chance % 3 ? (uint8_t)(chance >> 8) : likely[(chance >> 8) % sizeof(likely)];
    }
}

/* In real mode vectors, else gates of the kind. */
static inline void make_vectors(struct interp_bench *b, enum start start, unsigned bytes,
                                uint64_t *seed)
{
    for (unsigned v = 0; v < 256; v++) {
        uint32_t at = code_address(seed, bytes);
        if (start == START_REAL) {
            st32le(ibench_mem(b, v * 4), at);
        } else if (v < 64 || start != START_LONG) {
            uint32_t kind = random_32(seed) % 16 ? 0x8e00 : 0x8500 | (random_32(seed) & 0x6f00);
            uint8_t *gate = ibench_mem(b, IDT + v * (start == START_LONG ? 16 : 8));
            st32le(gate, 8u << 16 | at);
            st32le(gate + 4, kind | (random_32(seed) % 4 ? 0 : 0x6000));
        }
    }
}

/* Flat ones first; then some that are anything. */
static inline void make_descriptors(struct interp_bench *b, enum start start, uint64_t *seed)
{
    uint64_t code = start == START_LONG ? 0x00af9b000000ffff
                    : start == START_16 ? 0x008f9b000000ffff
                                        : 0x00cf9b000000ffff;
    st64le(ibench_mem(b, GDT + 8), code);
    st64le(ibench_mem(b, GDT + 16), 0x00cf93000000ffff);
    st64le(ibench_mem(b, GDT + 24), code | 0x600000000000);
    st64le(ibench_mem(b, GDT + 32), 0x00cff3000000ffff);
    for (unsigned i = 5; i < GDT_ENTRIES; i++) {
        st64le(ibench_mem(b, GDT + i * 8), (uint64_t)random_32(seed) << 32 | random_32(seed));
    }
}

/* One to one; a page in eight is read-only, absent, or the system's. */
static inline void make_pages(struct interp_bench *b, enum start start, uint64_t *seed)
{
    unsigned bytes = start == START_LONG ? 8 : 4;
    uint64_t last = TABLES + 0x3000;
    if (start == START_LONG) {
        st_le(ibench_mem(b, TABLES), (TABLES + 0x1000) | 7, 8);
        st_le(ibench_mem(b, TABLES + 0x1000), (TABLES + 0x2000) | 7, 8);
        st_le(ibench_mem(b, TABLES + 0x2000), last | 7, 8);
    } else {
        st_le(ibench_mem(b, TABLES), last | 7, 4);
    }
    for (uint64_t i = 0; i < RAM / PAGE_BYTES; i++) {
        uint64_t flags = random_32(seed) % 8 || i <= GDT / PAGE_BYTES ? 7 : random_32(seed) & 7;
        st_le(ibench_mem(b, last + i * bytes), i << PAGE_BITS | flags, bytes);
    }
    b->cpu->s.cr3 = TABLES;
    b->cpu->s.cr0 |= CR0_PG | (random_32(seed) & CR0_WP);
}

static inline void set_seg(struct x86_seg *s, uint16_t sel, uint32_t attr)
{
    *s = (struct x86_seg){.sel = sel, .attr = attr, .limit = 0xffffffff};
}

static inline void set_mode(struct interp_bench *b, enum start start, uint64_t *seed)
{
    struct x86_state *s = &b->cpu->s;
    if (start == START_REAL) {
        return;
    }
    s->cr0 |= CR0_PE;
    s->gdtr = (struct x86_dtr){.base = GDT, .limit = GDT_ENTRIES * 8 - 1};
    s->idtr =
        (struct x86_dtr){.base = IDT, .limit = start == START_LONG ? 64 * 16 - 1 : 256 * 8 - 1};
    s->tr = (struct x86_seg){.attr = 0x8b, .base = GDT + 0x100, .limit = 0x67};
    for (unsigned i = 0; i < 6; i++) {
        set_seg(&s->seg[i], 0x10, 0xc093);
    }
    set_seg(&s->seg[S_CS], 8, start == START_16 ? 0x809b : start == START_LONG ? 0xa09b : 0xc09b);
    if (start == START_PAGED || start == START_LONG) {
        make_pages(b, start, seed);
    }
    if (start == START_LONG) {
        s->efer = EFER_LME | EFER_LMA;
        s->cr4 |= CR4_PAE;
    }
    if (start == START_VM86) {
        s->rflags |= FL_VM | (random_32(seed) & FL_IOPL);
        for (unsigned i = 0; i < 6; i++) {
            s->seg[i] = (struct x86_seg){.attr = 0xf3, .limit = 0xffff};
        }
        st32le(ibench_mem(b, GDT + 0x104), STACK);      /* ESP0, SS0 */
        st32le(ibench_mem(b, GDT + 0x108), 0x10);
    }
}

/* The guest of this number. */
static inline struct wild_guest wild_guest_by_seed(uint64_t seed)
{
    struct wild_guest g = {.start = random_32(&seed) % START_COUNT};
    g.bytes = CODE_BYTES_MIN + random_32(&seed) % (CODE_BYTES_MAX - CODE_BYTES_MIN);
    make_code(g.code, g.bytes, &seed);
    g.seed = seed;
    return g;
}

static inline void wild_begin(struct interp_bench *b, const struct wild_guest *g)
{
    uint64_t seed = g->seed;
    memset(ibench_mem(b, 0), 0, RAM);
    ibench_real(b, CODE);
    memcpy(ibench_mem(b, CODE), g->code, g->bytes);
    make_vectors(b, g->start, g->bytes, &seed);
    make_descriptors(b, g->start, &seed);
    set_mode(b, g->start, &seed);
    for (unsigned i = 0; i < 16; i++) {
        b->cpu->s.gpr[i] = i == R_SP                ? STACK
                           : random_32(&seed) % 4 ? random_32(&seed) & 0xffff
                                                    : random_32(&seed);
    }
    b->cpu->s.cr4 |= random_32(&seed) % 2 ? CR4_OSFXSR | CR4_OSXMMEXCPT : 0;
    b->cpu->s.rflags |= random_32(&seed) & (FL_OSZAPC | FL_DF | FL_IF);
    b->vector = 32 + random_32(&seed) % 8;
    block_flush_all(b->e);
    x86_state_loaded(b->cpu);
    x86_tlb_flush(b->cpu);
}

static inline enum vcpu_exit_reason wild_slice(struct interp_bench *b, unsigned n, bool interrupt)
{
    b->stop_at = interp_icount(b->cpu) + n;
    if (interrupt) {
        atomic_fetch_or(b->cpu->pending, PEND_INTR);
    }
    return ibench_run(b);
}

static inline bool wild_differs(char *why, size_t size, const struct wild_pair *p, unsigned done,
                                const char *what)
{
    snprintf(why, size, "%s differs within 100 instructions behind %u: ip %llx, jit %llx", what,
             done, (unsigned long long)p->interp->cpu->s.rip,
             (unsigned long long)p->jit->cpu->s.rip);
    return false;
}

/* Does it run alike on both? If not, @why tells what differs. */
static inline bool wild_run(const struct wild_pair *p, const struct wild_guest *g, char *why,
                            size_t size)
{
    uint64_t chance = g->seed;
    wild_begin(p->interp, g);
    wild_begin(p->jit, g);
    for (unsigned done = 0; done < PROGRAM_INSNS; done += 100) {
        bool interrupt = random_32(&chance) % 4 == 0;
        enum vcpu_exit_reason reason = wild_slice(p->interp, 100, interrupt);
        if (wild_slice(p->jit, 100, interrupt) != reason) {
            return wild_differs(why, size, p, done, "the end");
        }
        if (ibench_digest(p->interp) != ibench_digest(p->jit)) {
            return wild_differs(why, size, p, done, "the state");
        }
        bool off = !(x86_get_rflags(p->interp->cpu) & FL_IF);
        if (reason == EXIT_SHUTDOWN || (reason == EXIT_HALT && off)) {
            break;
        }
    }
    if (memcmp(ibench_mem(p->interp, 0), ibench_mem(p->jit, 0), RAM) != 0) {
        return wild_differs(why, size, p, PROGRAM_INSNS, "memory");
    }
    if (p->check && p->check->failed) {
        return wild_differs(why, size, p, PROGRAM_INSNS, "a checked run");
    }
    return true;
}

static inline struct wild_pair wild_pair_new(bool check)
{
    struct wild_pair p = {ibench_new(RAM, "max"), ibench_new(RAM, "max"), NULL};
    if (!jit_attach(p.jit->e, NULL)) {
        abort();
    }
    struct jit *j = jit_of(p.jit->e);
    p.check = check ? check_new(j, NULL) : NULL;
    j->warm = j->passes = 2;                            /* programs are short */
    return p;
}

static inline void wild_pair_free(struct wild_pair *p)
{
    jit_detach(p->jit->e);
    ibench_free(p->interp);
    ibench_free(p->jit);
}

#endif
