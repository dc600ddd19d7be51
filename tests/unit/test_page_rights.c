/*
 * Page tables, whole: every mix of rights in two levels of entries, in 32-bit, PAE and 4-level
 * paging, for every kind of access and every setting that has a say. The manual's rules are written
 * here once more and compared with fault or success, error code, CR2, accessed and dirty bits.
 *
 * Sources: [SDM3] "Access Rights", "Page-Fault Exceptions", "Accessed and Dirty Flags", the formats
 *          of the entries in "32-Bit Paging", "PAE Paging", "4-Level Paging".
 */
#include "tests/unit/cpu_bench.h"

#include "core/cpu/mech.h"

enum { ROOT = 0x10000, PDPT = 0x11000, PD = 0x12000, PT = 0x13000, PAGE = 0x100000 };
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80 };
#define NX   BIT64(63)
#define LIN  0x40600123ull   /* entries number 1 (PDPT), 3 (PD), 0 (PT); in 32 bits 257, 512 */
#define RSVD BIT64(51)       /* reserved in entries of 8 bytes: 40 bits of address */

enum paging { BITS32, PAE, LONG };

/* One case. Each level: its bits; then who accesses how, under what settings. */
struct item {
    enum paging paging;
    uint64_t pde, pte;
    enum x86_access acc;
    bool user, wp, nxe, smep, smap, ac;
};

/* ---- the rules ---- */

struct outcome {
    bool fault;
    uint32_t error;
};

static bool reserved(const struct item *c, uint64_t e)
{
    return (e & P) && ((e & RSVD) || ((e & NX) && !c->nxe));
}

static struct outcome rule(const struct item *c)
{
    bool large = c->pde & PS;
    uint64_t leaf = large ? c->pde : c->pte, both = large ? c->pde : c->pde & c->pte;
    bool pde_bad = reserved(c, c->pde), there = c->pde & P & (large ? P : c->pte);
    bool bad = pde_bad || ((c->pde & P) && !large && reserved(c, c->pte));
    bool nx = c->nxe && ((c->pde | leaf) & NX), u = both & U, w = both & W;
    bool allowed;
    if (c->user) {
        allowed = u && (c->acc != ACC_WRITE || w) && (c->acc != ACC_FETCH || !nx);
    } else if (c->acc == ACC_FETCH) {
        allowed = !nx && !(u && c->smep);
    } else {
        allowed = !(u && c->smap && !c->ac) && (c->acc == ACC_READ || w || !c->wp);
    }
    bool tells_fetch = c->smep || (c->nxe && c->paging != BITS32);
    return (struct outcome){
        .fault = !there || bad || !allowed,
        .error = (there || bad ? 1 : 0) | (c->acc == ACC_WRITE ? 2 : 0) | (c->user ? 4 : 0) |
                 (bad ? 8 : 0) | (c->acc == ACC_FETCH && tells_fetch ? 16 : 0),
    };
}

/* ---- set-up ---- */

static uint64_t *entry(struct cpu_bench *b, uint64_t table, unsigned n)
{
    return (uint64_t *)(void *)(bench_mem(b, table) + 8 * n);
}

static void put(struct cpu_bench *b, enum paging paging, uint64_t table, unsigned n, uint64_t val)
{
    if (paging == BITS32) {
        st32le(bench_mem(b, table + 4 * n), (uint32_t)val);
    } else {
        *entry(b, table, n) = val;
    }
}

static uint64_t get(struct cpu_bench *b, enum paging paging, uint64_t table, unsigned n)
{
    return paging == BITS32 ? ld32le(bench_mem(b, table + 4 * n)) : *entry(b, table, n);
}

static unsigned pd_index(enum paging paging)
{
    return paging == BITS32 ? LIN >> 22 : LIN >> 21 & 511;
}

static unsigned pt_index(enum paging paging)
{
    return paging == BITS32 ? LIN >> 12 & 1023 : LIN >> 12 & 511;
}

static void set_mode(struct cpu_bench *b, const struct item *c)
{
    struct x86_state *s = &b->cpu->s;
    unsigned cpl = c->user ? 3 : 0;
    s->cr0 = CR0_PE | CR0_PG | CR0_ET | (c->wp ? CR0_WP : 0);
    s->cr3 = c->paging == BITS32 ? PD : c->paging == PAE ? PDPT : ROOT;
    s->cr4 = CR4_PSE | (c->paging == BITS32 ? 0 : CR4_PAE) | (c->smep ? CR4_SMEP : 0) |
             (c->smap ? CR4_SMAP : 0);
    s->efer = (c->nxe ? EFER_NXE : 0) | (c->paging == LONG ? EFER_LME | EFER_LMA : 0);
    s->rflags = FL_1 | (c->ac ? FL_AC : 0);
    s->pdpte[1] = PD | P;
    s->seg[S_CS].attr = (c->paging == LONG ? 0xa09bu : 0xc09bu) | cpl << AR_DPL_SHIFT;
    s->seg[S_SS].attr = 0xc093u | cpl << AR_DPL_SHIFT;
    x86_mode_changed(b->cpu);
    x86_tlb_flush(b->cpu);
}

static void put_entries(struct cpu_bench *b, const struct item *c)
{
    *entry(b, ROOT, 0) = PDPT | P | W | U;
    *entry(b, PDPT, 1) = PD | P | W | U;
    put(b, c->paging, PD, pd_index(c->paging), c->pde | (c->pde & PS ? 0 : PT));
    put(b, c->paging, PT, pt_index(c->paging), c->pte | PAGE);
}

/* ---- the comparison ---- */

static void check(struct cpu_bench *b, const struct item *c)
{
    struct outcome want = rule(c);
    put_entries(b, c);
    set_mode(b, c);
    b->cpu->s.cr2 = 0;
    bool faulted = BENCH_FAULTS(b, x86_translate(b->cpu, LIN, c->acc, c->user));
    uint64_t pde = get(b, c->paging, PD, pd_index(c->paging));
    uint64_t pte = get(b, c->paging, PT, pt_index(c->paging));
    uint64_t leaf = c->pde & PS ? pde : pte;
    b->cpu->exc.active = false;
    if (faulted != want.fault || (faulted && b->cpu->exc.error != want.error)) {
        fail_msg("paging %d pde %llx pte %llx acc %d user %d wp %d nxe %d smep %d smap %d ac %d: "
                 "fault %d error %x, wanted %d %x",
                 c->paging, (unsigned long long)c->pde, (unsigned long long)c->pte, c->acc, c->user,
                 c->wp, c->nxe, c->smep, c->smap, c->ac, faulted, b->cpu->exc.error, want.fault,
                 want.error);
    }
    assert_int_equal(b->cpu->s.cr2, faulted ? LIN : 0);
    if (faulted) {
        assert_int_equal(leaf & (A | D), 0);
    } else {
        assert_int_equal(pde & A, A);
        assert_int_equal(leaf & (A | D), c->acc == ACC_WRITE ? A | D : A);
    }
}

/* All settings and accesses for one pair of entries. */
static void check_settings(struct cpu_bench *b, struct item c)
{
    for (unsigned i = 0; i < 3 * 64; i++) {
        c.acc = (enum x86_access)(i % 3);
        unsigned bits = i / 3;
        c.user = bits & 1;
        c.wp = bits & 2;
        c.smep = bits & 4;
        c.smap = bits & 8;
        c.ac = bits & 16;
        c.nxe = bits & 32;
        if (c.paging == BITS32 && c.nxe) {
            /* EFER.NXE has no say there but for the error code's I bit, which needs PAE */
            continue;
        }
        check(b, &c);
    }
}

static uint64_t bits_of(enum paging paging, unsigned n, bool directory)
{
    uint64_t e =
        (n & 1 ? P : 0) | (n & 2 ? W : 0) | (n & 4 ? U : 0) | (directory && n & 32 ? PS : 0);
    return paging == BITS32 ? e : e | (n & 8 ? NX : 0) | (n & 16 ? RSVD : 0);
}

static void check_paging(struct cpu_bench *b, enum paging paging)
{
    unsigned wide = paging == BITS32 ? 8 : 32;
    for (unsigned i = 0; i < 2 * wide; i++) {
        unsigned n = i % wide | (i / wide ? 32 : 0);
        for (unsigned k = 0; k < wide; k++) {
            check_settings(b, (struct item){
                .paging = paging, .pde = bits_of(paging, n, true), .pte = bits_of(paging, k, false),
            });
        }
    }
}

static int setup(void **state)
{
    *state = bench_new("max");
    return 0;
}

static int teardown(void **state)
{
    bench_free(*state);
    return 0;
}

static void rights_of_32_bit_paging(void **state)
{
    check_paging(*state, BITS32);
}

static void rights_of_pae_paging(void **state)
{
    check_paging(*state, PAE);
}

static void rights_of_4_level_paging(void **state)
{
    check_paging(*state, LONG);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(rights_of_32_bit_paging), T(rights_of_pae_paging), T(rights_of_4_level_paging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
