/*
 * Runs: ranges of pages that follow each other in the TLB with one addend, so that translated code
 * finds an operand there by two compares, without the way through an entry.
 *
 * Model:  a run has only pages whose entries are in the TLB now, and loses a page with its entry:
 *         it never translates what the entries do not. It grows when an entry next to it is filled,
 *         by whatever lies behind that. One that is dropped remembers where it was, and begins
 *         again at the first entry that is filled there.
 */
#include "core/cpu/mech.h"

#define PAGES_WORTH 4u       /* what takes another run's place has so many, or of a large page */
#define PAGES_MANY  32u
#define WORTH       64u      /* instructions for a miss, at least */

static const struct tlb_entry *entry_of(const struct x86_cpu *cpu, unsigned kind, uint64_t page)
{
    return &cpu->tlbs[kind][(page >> PAGE_BITS) & (TLB_SIZE - 1)];
}

static uint64_t tag_of(const struct tlb_entry *e, bool write)
{
    return write ? e->otag : e->rtag;
}

static bool inside(const struct tlb_run *r, uint64_t lin)
{
    return lin - r->start < r->bytes;
}

/* Retired so far, give or take a block. */
static uint64_t instructions(const struct x86_cpu *cpu)
{
    return cpu->icount_end - (uint64_t)cpu->budget;
}

static void set_range(struct tlb_run *r, uint64_t start, uint64_t bytes)
{
    r->start = start;
    r->host = start + r->addend;
    r->bytes = bytes;
    r->limit = bytes ? bytes - TLB_RUN_OPERAND + 1 : 0;
    r->near_limit = bytes ? bytes - TLB_RUN_NEAR + 1 : 0;
}

static bool take(const struct x86_cpu *cpu, unsigned kind, struct tlb_run *r, bool write,
                 uint64_t page)
{
    const struct tlb_entry *e = entry_of(cpu, kind, page);
    bool fits = tag_of(e, write) == page && e->addend == r->addend;
    r->global = r->global && (!fits || e->global);
    return fits;
}

/* Takes what follows on both sides. There are no more than TLB_SIZE pages: slots repeat. */
static void grow(const struct x86_cpu *cpu, unsigned kind, struct tlb_run *r, bool write)
{
    uint64_t start = r->start, end = start + r->bytes;
    while (take(cpu, kind, r, write, end)) {
        end += PAGE_BYTES;
    }
    while (take(cpu, kind, r, write, start - PAGE_BYTES)) {
        start -= PAGE_BYTES;
    }
    set_range(r, start, end - start);
}

static void begin(const struct x86_cpu *cpu, unsigned kind, struct tlb_run *r, bool write,
                  const struct tlb_entry *e)
{
    r->addend = e->addend;
    r->global = e->global;
    r->patience = TLB_RUN_MISSES;
    set_range(r, e->ptag, PAGE_BYTES);
    grow(cpu, kind, r, write);
}

/* Is it where an empty run begins again? The stack's goes with RSP, but is there only if wanted. */
static bool is_home(const struct x86_cpu *cpu, const struct tlb_run *r, unsigned i, uint64_t page)
{
    if (i == TLB_RUN_STACK) {
        return r->home_bytes && cpu->s.gpr[R_SP] - page < PAGE_BYTES;
    }
    return page - r->home < r->home_bytes;
}

/* Never used, like all behind it: places are taken in their order. */
static bool is_last(const struct tlb_run *r, unsigned i)
{
    return i > TLB_RUN_STACK && r->home_bytes == 0;
}

void tlb_runs_gain(struct x86_cpu *cpu, unsigned kind, const struct tlb_entry *e)
{
    uint64_t page = e->ptag;
    for (unsigned write = 0; write < 2; write++) {
        for (unsigned i = 0; i < TLB_RUNS && tag_of(e, write) == page; i++) {
            struct tlb_run *r = &cpu->runs[kind][write][i];
            if (is_last(r, i)) {
                break;
            }
            if (r->bytes == 0 && is_home(cpu, r, i, page)) {
                begin(cpu, kind, r, write, e);
            } else if (r->bytes && (page == r->start + r->bytes || page + PAGE_BYTES == r->start)) {
                grow(cpu, kind, r, write);
            }
        }
    }
}

static void drop(struct tlb_run *r)
{
    bool at_home = inside(r, r->home) || r->start - r->home < r->home_bytes;
    if (!at_home || r->bytes > r->home_bytes) {
        r->home = r->start;
        r->home_bytes = r->bytes;
    }
    set_range(r, 0, 0);
}

/* The larger part stays. */
static void lose(struct x86_cpu *cpu, unsigned kind, bool write, uint64_t page)
{
    for (unsigned i = 0; i < TLB_RUNS; i++) {
        struct tlb_run *r = &cpu->runs[kind][write][i];
        uint64_t below = page - r->start, above = r->bytes - below - PAGE_BYTES;
        if (!inside(r, page)) {
            continue;
        }
        if (r->bytes == PAGE_BYTES) {
            drop(r);
            continue;
        }
        if (below >= above) {
            set_range(r, r->start, below);
        } else {
            set_range(r, page + PAGE_BYTES, above);
        }
    }
}

void tlb_runs_lose(struct x86_cpu *cpu, unsigned kind, uint64_t page)
{
    lose(cpu, kind, false, page);
    lose(cpu, kind, true, page);
}

void tlb_runs_drop(struct x86_cpu *cpu, bool keep_global)
{
    struct tlb_run *r = &cpu->runs[0][0][0];
    for (unsigned i = 0; i < sizeof(cpu->runs) / sizeof(*r); i++) {
        if (r[i].bytes && !(keep_global && r[i].global)) {
            drop(&r[i]);
        }
    }
}

/* Bytes of it, or those it had when it was lost. */
static uint64_t used(const struct tlb_run *r)
{
    return r->bytes ? r->bytes : r->home_bytes;
}

int x86_tlb_run_at(struct x86_cpu *cpu, unsigned kind, uint64_t lin, bool write)
{
    struct tlb_run *runs = cpu->runs[kind][write], now = {0};
    uint64_t page = lin & ~PAGE_OFFSET;
    const struct tlb_entry *e = entry_of(cpu, kind, page);
    for (int i = 0; i < TLB_RUNS; i++) {
        if (inside(&runs[i], page) || page - runs[i].home < runs[i].home_bytes) {
            return i;
        }
    }
    if (tag_of(e, write) != page) {
        return -1;
    }
    begin(cpu, kind, &now, write, e);
    int smallest = TLB_RUN_STACK + 1;
    for (int i = smallest + 1; i < TLB_RUNS; i++) {
        smallest = used(&runs[i]) < used(&runs[smallest]) ? i : smallest;
    }
    struct tlb_run *r = &runs[smallest];
    if (now.bytes <= used(r) ||
        (used(r) && now.bytes < PAGES_WORTH * PAGE_BYTES && e->span == PAGE_OFFSET)) {
        return -1;
    }
    now.home = now.start;
    now.home_bytes = now.bytes;
    now.since = instructions(cpu);
    *r = now;
    return smallest;
}

void x86_tlb_stack_run(struct x86_cpu *cpu, unsigned kind, uint64_t lin, bool write)
{
    struct tlb_run *r = &cpu->runs[kind][write][TLB_RUN_STACK];
    uint64_t page = lin & ~PAGE_OFFSET;
    const struct tlb_entry *e = entry_of(cpu, kind, page);
    if (!inside(r, page) && tag_of(e, write) == page) {
        begin(cpu, kind, r, write, e);
        r->home = r->start;
        r->home_bytes = r->bytes;
        r->since = instructions(cpu);
    }
}

bool x86_tlb_run_fails(struct x86_cpu *cpu, struct tlb_run *r)
{
    uint64_t now = instructions(cpu);
    bool fails = now - r->since < WORTH * TLB_RUN_MISSES;
    r->since = now;
    r->patience = TLB_RUN_MISSES;
    return fails;
}

int x86_tlb_large_run(const struct x86_cpu *cpu, unsigned kind, bool write)
{
    const struct tlb_run *runs = cpu->runs[kind][write];
    int largest = 0;
    for (int i = 1; i < TLB_RUNS; i++) {
        largest = runs[i].bytes > runs[largest].bytes ? i : largest;
    }
    return runs[largest].bytes >= PAGES_MANY * PAGE_BYTES ? largest : -1;
}

void x86_tlb_close_page(struct x86_cpu *cpu, uint64_t ram)
{
    uint64_t host = (uintptr_t)cpu->arena->base + (ram & ~PAGE_OFFSET);
    unsigned n = tlb_used(cpu);
    cpu->tlb_losses++;
    for (unsigned i = 0; i < n; i++) {
        unsigned index = tlb_used_at(cpu, i), kind = index >> TLB_BITS;
        struct tlb_entry *e = &cpu->tlbs[kind][index & (TLB_SIZE - 1)];
        if (e->otag != TLB_NONE && e->otag + e->addend == host) {
            lose(cpu, kind, true, e->otag);
            e->otag = TLB_NONE;
        }
    }
}
