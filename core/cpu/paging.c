/*
 * Linear addresses: page walks, the TLB and the slow ways of memory access.
 *
 * Source: [SDM3] "Paging" (32-bit, PAE and 4-level), "Page-Fault Exceptions", "Accessed and Dirty
 *         Flags", "Invalidation of TLBs".
 * Model:  a TLB entry is one 4 KiB page, pieces of larger pages included. A permission that an
 *         entry lacks is always looked up again before it faults, as processors do. A and D are set
 *         only when the access is allowed. Without paging the TLB maps linear to physical one to
 *         one.
 * Unsure: A of the upper levels after a walk that faults; here it stays.
 */
#include "core/cpu/cpuid.h"
#include "core/cpu/mech.h"

enum {
    PTE_P = 0x1, PTE_W = 0x2, PTE_U = 0x4, PTE_A = 0x20, PTE_D = 0x40, PTE_PS = 0x80, PTE_G = 0x100,
};
#define PTE_NX BIT64(63)

enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_RSVD = 8, PF_I = 16 };

/* ---- physical memory ---- */

/* The host address of physical [phys, phys+len) if it is memory for reads, else NULL. */
static uint8_t *phys_host(struct x86_cpu *cpu, uint64_t phys, unsigned len, bool write)
{
    const struct view_range *r = cpu->walk_range;
    if (unlikely((phys & ~PAGE_OFFSET) == cpu->apic_page)) {
        return NULL;
    }
    if (!r || phys < r->start || phys >= r->end) {
        r = cpu->walk_range = view_find(cpu->space->view, phys);
    }
    if (!r || r->end - phys < len) {
        return NULL;
    }
    const struct view_target *t = write ? &r->wr : &r->rd;
    if (!t->region || (t->region->kind != REGION_RAM && (write || t->region->kind != REGION_ROM))) {
        return NULL;
    }
    return ram_host(t->region->ram) + t->off + (phys - r->start);
}

/* Each as one access of the host, for other processors: memcpy of a size that is not known to the
 * compiler may store a byte twice, and so take back what another processor stored in between. */
static void copy_whole(uint8_t *to, const void *from, unsigned size)
{
    switch (size) {
    case 1: *to = *(const uint8_t *)from; break;
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    case 8: memcpy(to, from, 8); break;
    case 16: memcpy(to, from, 16); break;
    case 32: memcpy(to, from, 32); break;
    default: memcpy(to, from, size); break;
    }
}

static uint64_t load_whole(const uint8_t *p, unsigned size)
{
    uint8_t buf[8] = {0};
    switch (size) {
    case 1: return *p;
    case 2: return ld16le(p);
    case 4: return ld32le(p);
    case 8: return ld64le(p);
    default: copy_whole(buf, p, size); return ld64le(buf);
    }
}

static void device_done(struct x86_cpu *cpu)
{
    if (cpu->after_device) {
        cpu->after_device(cpu);
    }
}

uint64_t x86_phys_read(struct x86_cpu *cpu, uint64_t phys, unsigned size)
{
    phys = x86_a20(cpu, phys);
    const uint8_t *p = phys_host(cpu, phys, size, false);
    if (likely(p)) {
        return load_whole(p, size);
    }
    uint64_t val = cpu->host_ops->read(cpu->host, cpu->space, phys, size);
    device_done(cpu);
    return val & size_mask(size);
}

static void host_store(struct x86_cpu *cpu, uint8_t *p, const void *from, unsigned size)
{
    uint64_t ram = (uint64_t)(p - cpu->arena->base);
    copy_whole(p, from, size);
    if (unlikely(ram_marked(cpu->arena, ram, size))) {
        ram_touched(cpu->arena, ram, size);
    }
}

void x86_phys_write(struct x86_cpu *cpu, uint64_t phys, uint64_t val, unsigned size)
{
    phys = x86_a20(cpu, phys);
    uint8_t *p = phys_host(cpu, phys, size, true);
    if (likely(p)) {
        host_store(cpu, p, &val, size);
        return;
    }
    cpu->host_ops->write(cpu->host, cpu->space, phys, val, size);
    device_done(cpu);
}

/* ---- the walk ---- */

/* What a walk found. */
struct walk {
    uint64_t phys;           /* of the 4 KiB page, before A20 */
    bool present, reserved;
    bool u, w, nx, global, dirty;
    uint64_t span;           /* bytes of the page, less one */
    unsigned n;              /* entries used, the leaf last */
    struct {
        uint64_t addr, val;
        uint8_t bytes;
    } used[4];
};

static void walk_note(struct walk *w, uint64_t addr, uint64_t val, unsigned bytes)
{
    w->used[w->n].addr = addr;
    w->used[w->n].val = val;
    w->used[w->n].bytes = (uint8_t)bytes;
    w->n++;
    w->u = w->u && (val & PTE_U);
    w->w = w->w && (val & PTE_W);
    w->nx = w->nx || (bytes == 8 && (val & PTE_NX));
}

static void walk_leaf(struct x86_cpu *cpu, struct walk *w, uint64_t val, uint64_t frame)
{
    w->present = true;
    w->phys = frame;
    w->dirty = val & PTE_D;
    w->global = (val & PTE_G) && (cpu->s.cr4 & CR4_PGE);
}

/* [SDM3] "32-Bit Paging". Reserved bits count with CR4.PSE only. */
static void walk_32(struct x86_cpu *cpu, uint64_t lin, struct walk *w)
{
    uint64_t addr = (cpu->s.cr3 & 0xfffff000) | (lin >> 20 & 0xffc);
    uint64_t e = x86_phys_read(cpu, addr, 4);
    bool pse = cpu->s.cr4 & CR4_PSE, pat = x86_has(cpu->model, X86_F_PAT);
    if (!(e & PTE_P)) {
        return;
    }
    walk_note(w, addr, e, 4);
    if (pse && (e & PTE_PS)) {
        unsigned high = cpu->model->phys_bits > 40 ? 8 : cpu->model->phys_bits - 32;
        uint64_t pse36 = x86_has(cpu->model, X86_F_PSE36) ? size_mask(1) >> (8 - high) : 0;
        uint64_t frame = (e & 0xffc00000) | (e >> 13 & pse36) << 32;
        w->reserved = e & ((0x3fe000 & ~(pse36 << 13)) | (pat ? 0 : 0x1000));
        w->span = 0x3fffff;
        walk_leaf(cpu, w, e, frame | (lin & 0x3ff000));
        return;
    }
    addr = (e & 0xfffff000) | (lin >> 10 & 0xffc);
    e = x86_phys_read(cpu, addr, 4);
    if (!(e & PTE_P)) {
        return;
    }
    walk_note(w, addr, e, 4);
    w->reserved = pse && !pat && (e & PTE_PS);
    walk_leaf(cpu, w, e, e & 0xfffff000);
}

/* Bits of a PAE or 4-level entry that must be zero whatever its level. */
static uint64_t reserved_64(const struct x86_cpu *cpu)
{
    uint64_t frame = size_mask(8) >> (64 - cpu->model->phys_bits);
    uint64_t high = cpu->lma ? 0x000fffffffffffffull : 0x7fffffffffffffffull;
    return (high & ~frame) | (cpu->s.efer & EFER_NXE ? 0 : PTE_NX);
}

/* [SDM3] "PAE Paging" (levels = 2 below the PDPTE registers) and "4-Level Paging" (levels = 4). */
static void walk_64(struct x86_cpu *cpu, uint64_t lin, struct walk *w)
{
    unsigned level = cpu->lma ? 4 : 2;
    uint64_t rsvd = reserved_64(cpu), e, frame = 0x000ffffffffff000ull;
    uint64_t table = cpu->s.cr3 & frame;
    if (!cpu->lma) {
        table = cpu->s.pdpte[lin >> 30 & 3];
        if (!(table & PTE_P)) {
            return;
        }
        table &= frame;
    }
    for (;; level--) {
        unsigned shift = 12 + 9 * (level - 1);
        uint64_t addr = table | (lin >> shift & 0x1ff) << 3;
        e = x86_phys_read(cpu, addr, 8);
        if (!(e & PTE_P)) {
            return;
        }
        walk_note(w, addr, e, 8);
        bool leaf = level == 1 || (level < 4 && (e & PTE_PS));
        bool bad_ps =
            (e & PTE_PS) && (level == 4 || (level == 3 && !x86_has(cpu->model, X86_F_PDPE1GB)));
        uint64_t inside = leaf && level > 1 ? (BIT64(shift) - 1) & ~0x1fffull : 0;
        w->reserved = w->reserved || (e & (rsvd | inside)) || bad_ps;
        if (w->reserved) {
            w->present = true;
            return;
        }
        if (leaf) {
            w->span = BIT64(shift) - 1;
            uint64_t piece = (BIT64(shift) - 1) & ~PAGE_OFFSET;
            walk_leaf(cpu, w, e, (e & frame & ~(BIT64(shift) - 1)) | (lin & piece));
            return;
        }
        table = e & frame;
    }
}

static void walk(struct x86_cpu *cpu, uint64_t lin, struct walk *w)
{
    *w = (struct walk){.u = true, .w = true, .span = PAGE_OFFSET};
    if (!cpu->pg) {
        *w = (struct walk){.phys = lin & ~PAGE_OFFSET, .present = true, .u = true, .w = true,
                           .dirty = true, .span = PAGE_OFFSET};
    } else if (cpu->s.cr4 & CR4_PAE) {
        walk_64(cpu, lin, w);
    } else {
        walk_32(cpu, lin, w);
    }
}

/* [SDM3] "Determination of Access Rights". What a TLB's kind of access may do. */
static unsigned walk_perms(const struct x86_cpu *cpu, const struct walk *w, unsigned kind)
{
    unsigned perms = PERM_R | PERM_W | PERM_X;
    bool user = kind == TLB_USER, outside = !user && w->u && cpu->pg;
    if (user && !w->u) {
        return 0;
    }
    if (!w->w && (user || (cpu->s.cr0 & CR0_WP))) {
        perms &= ~(unsigned)PERM_W;
    }
    if (w->nx || (outside && (cpu->s.cr4 & CR4_SMEP))) {
        perms &= ~(unsigned)PERM_X;
    }
    if (outside && (cpu->s.cr4 & CR4_SMAP) && kind == TLB_SUPER) {
        perms &= PERM_X;
    }
    return perms;
}

static const uint8_t perm_of[] = {
    [ACC_READ] = PERM_R, [ACC_WRITE] = PERM_W, [ACC_FETCH] = PERM_X,
};

_Noreturn static void page_fault(struct x86_cpu *cpu, uint64_t lin, const struct walk *w,
                                 enum x86_access acc, bool user)
{
    bool fetch_shown = ((cpu->s.cr4 & CR4_PAE) && (cpu->s.efer & EFER_NXE)) ||
                       (cpu->s.cr4 & CR4_SMEP);
    cpu->s.cr2 = lin;
    x86_fault(cpu, X86_PF,
              (w->present || w->reserved ? PF_P : 0) | (acc == ACC_WRITE ? PF_W : 0) |
                  (user ? PF_U : 0) | (w->reserved ? PF_RSVD : 0) |
                  (acc == ACC_FETCH && fetch_shown ? PF_I : 0));
}

/* Sets flags of an entry that the walk used. False: another processor changed it meanwhile. */
static bool set_flags(struct x86_cpu *cpu, uint64_t addr, uint64_t val, uint64_t want,
                      unsigned bytes)
{
    uint8_t *p = phys_host(cpu, x86_a20(cpu, addr), bytes, true);
    if (likely(p)) {
        return x86_host_cas(cpu, p, val, val | want, bytes) == val;
    }
    /* The flags are in the low byte; the rest must not be written back. */
    x86_phys_write(cpu, addr, (val | want) & 0xff, 1);
    return true;
}

/* Sets A in every entry used and D in the leaf of a write. False: the walk must be made anew. */
static bool walk_set_flags(struct x86_cpu *cpu, struct walk *w, bool write)
{
    for (unsigned i = 0; i < w->n; i++) {
        uint64_t want = PTE_A | (write && i == w->n - 1 ? PTE_D : 0);
        if ((w->used[i].val & want) != want &&
            !set_flags(cpu, w->used[i].addr, w->used[i].val, want, w->used[i].bytes)) {
            return false;
        }
    }
    w->dirty = w->dirty || write;
    return true;
}

/* ---- the TLB ---- */

/* Makes each access of the kinds @watched take the slow way. */
static void withhold(struct tlb_entry *e, unsigned watched)
{
    if (watched) {
        e->otag = TLB_NONE;
    }
    if ((watched & PERM_R) && e->rtag != TLB_NONE) {
        e->rtag = TLB_NONE;
        e->perms |= PERM_WATCH_R;
    }
    if ((watched & PERM_W) && e->wtag != TLB_NONE) {
        e->wtag = TLB_NONE;
        e->perms |= PERM_WATCH_W;
    }
}

/* Of the range that was looked up last. Marks for a log are set and taken away at any time. */
static bool may_open(const struct x86_cpu *cpu, const uint8_t *page)
{
    return !cpu->walk_range->wr.region->ram->dirty &&
           ram_open_page(cpu->arena, (uint64_t)(page - cpu->arena->base));
}

static void tlb_fill(struct x86_cpu *cpu, struct tlb_entry *e, uint64_t lin, const struct walk *w,
                     unsigned perms)
{
    uint64_t phys = x86_a20(cpu, w->phys);
    *e = (struct tlb_entry){
        .rtag = TLB_NONE, .wtag = TLB_NONE, .xtag = TLB_NONE, .otag = TLB_NONE, .ptag = lin,
        .phys = phys, .perms = (uint16_t)(w->dirty ? perms : perms & ~(unsigned)PERM_W),
        .global = w->global, .noted = e->noted, .span = (uint32_t)w->span,
    };
    uint8_t *rd = phys_host(cpu, phys, PAGE_BYTES, false);
    uint8_t *wr = phys_host(cpu, phys, PAGE_BYTES, true);
    if (rd) {
        e->addend = (uintptr_t)rd - (uintptr_t)lin;
        e->rtag = e->perms & PERM_R ? lin : TLB_NONE;
        e->xtag = e->perms & PERM_X ? lin : TLB_NONE;
        e->wtag = (e->perms & PERM_W) && wr == rd ? lin : TLB_NONE;
        bool both = e->wtag == lin && e->rtag == lin;
        e->otag = cpu->tlb_opens && both && may_open(cpu, rd) ? lin : TLB_NONE;
    }
    if (unlikely(cpu->watch_data) && x86_watch_page(cpu, lin)) {
        withhold(e, PERM_R | PERM_W);
    }
    if (unlikely(cpu->watched)) {
        withhold(e, cpu->watched(cpu, lin, phys));
    }
}

struct tlb_entry *x86_translate(struct x86_cpu *cpu, uint64_t lin, enum x86_access acc, bool user)
{
    uint64_t page = lin & ~PAGE_OFFSET;
    unsigned slot = (lin >> PAGE_BITS) & (TLB_SIZE - 1);
    unsigned kind = user ? TLB_USER : cpu->super_tlb;
    struct tlb_entry *e = &cpu->tlbs[kind][slot];
    if (likely(e->ptag == page && (e->perms & perm_of[acc]))) {
        return e;
    }
    if (unlikely(cpu->lma && !x86_canonical(lin))) {
        x86_not_canonical(cpu, lin);
    }
    struct walk w;
    unsigned perms;
    do {
        walk(cpu, page, &w);
        perms = w.present && !w.reserved ? walk_perms(cpu, &w, kind) : 0;
        if (!(perms & perm_of[acc])) {
            page_fault(cpu, lin, &w, acc, user);
        }
    } while (!walk_set_flags(cpu, &w, acc == ACC_WRITE));
    if (e->span != 0) {
        tlb_runs_lose(cpu, kind, e->ptag);
        cpu->tlb_losses++;
    }
    tlb_fill(cpu, e, page, &w, perms);
    tlb_note(cpu, kind << TLB_BITS | slot, e);
    tlb_runs_gain(cpu, kind, e);
    return e;
}

bool x86_translate_debug(struct x86_cpu *cpu, uint64_t lin, uint64_t *phys)
{
    struct walk w;
    walk(cpu, lin & ~PAGE_OFFSET, &w);
    *phys = x86_a20(cpu, w.phys) | (lin & PAGE_OFFSET);
    return w.present && !w.reserved && !(cpu->lma && !x86_canonical(lin));
}

/* ---- access ---- */

/* A piece of an access inside one page. It stays good when a device access empties the TLB. */
struct piece {
    uint8_t *host;           /* NULL: go through the space */
    uint64_t phys;
    unsigned len;
};

static const uint8_t watch_of[] = {[ACC_READ] = PERM_WATCH_R, [ACC_WRITE] = PERM_WATCH_W};

static void piece_of(struct x86_cpu *cpu, uint64_t lin, unsigned len, enum x86_access acc,
                     bool user, struct piece *p)
{
    const struct tlb_entry *e = x86_translate(cpu, lin, acc, user);
    uint64_t tag = acc == ACC_WRITE ? e->wtag : acc == ACC_READ ? e->rtag : e->xtag;
    bool memory = tag == (lin & ~PAGE_OFFSET) ||
                  (acc != ACC_FETCH && (e->perms & watch_of[acc]) != 0);
    p->host = memory ? (uint8_t *)(uintptr_t)(lin + e->addend) : NULL;
    p->phys = e->phys | (lin & PAGE_OFFSET);
    p->len = len;
}

/* Splits at a page border and translates both parts before either is touched. Returns how many. */
static unsigned pieces_of(struct x86_cpu *cpu, uint64_t lin, unsigned len, enum x86_access acc,
                          bool user, struct piece p[2])
{
    unsigned room = PAGE_BYTES - (unsigned)(lin & PAGE_OFFSET);
    if (unlikely(cpu->watch_data)) {
        x86_watch_data(cpu, lin, len, acc == ACC_WRITE);
    }
    if (len <= room) {
        piece_of(cpu, lin, len, acc, user, &p[0]);
        return 1;
    }
    uint64_t next = x86_linear(cpu, lin + room);
    if (unlikely(cpu->lma && !x86_canonical(next))) {
        x86_not_canonical(cpu, lin); /* before the first part is looked up */
    }
    piece_of(cpu, lin, room, acc, user, &p[0]);
    piece_of(cpu, next, len - room, acc, user, &p[1]);
    return 2;
}

static void tell_accessed(struct x86_cpu *cpu, uint64_t lin, const struct piece *p, unsigned n,
                          bool write)
{
    for (unsigned i = 0; i < n; i++) {
        cpu->accessed(cpu, lin, p[i].phys, p[i].len, write);
        lin = x86_linear(cpu, lin + p[i].len);
    }
}

/* pieces_of, for an access that is made. */
static unsigned access_pieces(struct x86_cpu *cpu, uint64_t lin, unsigned len, enum x86_access acc,
                              bool user, struct piece p[2])
{
    unsigned n = pieces_of(cpu, lin, len, acc, user, p);
    if (unlikely(cpu->accessed)) {
        tell_accessed(cpu, lin, p, n, acc == ACC_WRITE);
    }
    return n;
}

/* The widest access that is aligned and not longer than @len. */
static unsigned device_width(uint64_t phys, unsigned len)
{
    unsigned n = 4;
    while (n > len || (phys & (n - 1))) {
        n /= 2;
    }
    return n;
}

static void piece_read(struct x86_cpu *cpu, const struct piece *p, uint8_t *to)
{
    if (p->host) {
        copy_whole(to, p->host, p->len);
        return;
    }
    for (unsigned i = 0, n; i < p->len; i += n) {
        n = device_width(p->phys + i, p->len - i);
        st_le(to + i, cpu->host_ops->read(cpu->host, cpu->space, p->phys + i, n), n);
    }
    device_done(cpu);
}

static void piece_write(struct x86_cpu *cpu, const struct piece *p, const uint8_t *from)
{
    if (p->host) {
        host_store(cpu, p->host, from, p->len);
        return;
    }
    for (unsigned i = 0, n; i < p->len; i += n) {
        n = device_width(p->phys + i, p->len - i);
        cpu->host_ops->write(cpu->host, cpu->space, p->phys + i, ld_le(from + i, n), n);
    }
    device_done(cpu);
}

static uint8_t *at_hand(struct x86_cpu *cpu, uint64_t lin, unsigned size, bool write, bool user)
{
    return x86_at_hand(cpu, lin, size, write, user ? TLB_USER : cpu->super_tlb);
}

/* Is it a device's, in a page that the TLB has and nobody watches? At physical *phys. */
static bool device_at_hand(const struct x86_cpu *cpu, uint64_t lin, unsigned size, unsigned perm,
                           bool user, uint64_t *phys)
{
    unsigned slot = (lin >> PAGE_BITS) & (TLB_SIZE - 1);
    const struct tlb_entry *e = &cpu->tlbs[user ? TLB_USER : cpu->super_tlb][slot];
    return x86_device_at(cpu, e, lin, size, perm, phys);
}

static uint64_t device_read(struct x86_cpu *cpu, uint64_t phys, unsigned size)
{
    uint64_t val = cpu->host_ops->read(cpu->host, cpu->space, phys, size);
    device_done(cpu);
    return val & size_mask(size);
}

static void device_write(struct x86_cpu *cpu, uint64_t phys, uint64_t val, unsigned size)
{
    cpu->host_ops->write(cpu->host, cpu->space, phys, val & size_mask(size), size);
    device_done(cpu);
}

static void pieces_read(struct x86_cpu *cpu, const struct piece *p, unsigned n, uint8_t *to)
{
    for (unsigned i = 0; i < n; to += p[i++].len) {
        piece_read(cpu, &p[i], to);
    }
}

static void pieces_write(struct x86_cpu *cpu, const struct piece *p, unsigned n,
                         const uint8_t *from)
{
    for (unsigned i = 0; i < n; from += p[i++].len) {
        piece_write(cpu, &p[i], from);
    }
}

static void alone(struct x86_cpu *cpu, bool on)
{
    if (cpu->parallel && cpu->host_ops->alone) {
        cpu->host_ops->alone(cpu->host, on);
    }
}

/* Nothing faults while the others stand still: both pieces are known before. */
bool x86_lin_cas_alone(struct x86_cpu *cpu, uint64_t lin, uint8_t *old, const uint8_t *val,
                       unsigned size)
{
    struct piece p[2];
    uint8_t now[16] = {0};
    unsigned n = access_pieces(cpu, lin, size, ACC_WRITE, cpu->cpl == 3, p);
    alone(cpu, true);
    pieces_read(cpu, p, n, now);
    bool same = memcmp(now, old, size) == 0;
    if (same) {
        pieces_write(cpu, p, n, val);
    }
    alone(cpu, false);
    memcpy(old, now, size);
    return same;
}

uint64_t x86_lin_read(struct x86_cpu *cpu, uint64_t lin, unsigned size, bool user)
{
    struct piece p[2];
    const uint8_t *host = at_hand(cpu, lin, size, false, user);
    if (likely(host)) {
        return load_whole(host, size);
    }
    uint64_t phys;
    if (device_at_hand(cpu, lin, size, PERM_R, user, &phys)) {
        return device_read(cpu, phys, size);
    }
    if (likely(access_pieces(cpu, lin, size, ACC_READ, user, p) == 1)) {
        if (likely(p[0].host)) {
            return load_whole(p[0].host, size);
        }
        return device_read(cpu, p[0].phys, size);
    }
    uint8_t buf[8] = {0};
    piece_read(cpu, &p[0], buf);
    piece_read(cpu, &p[1], buf + p[0].len);
    return ld64le(buf);
}

void x86_lin_write(struct x86_cpu *cpu, uint64_t lin, uint64_t val, unsigned size, bool user)
{
    struct piece p[2];
    uint8_t *host = at_hand(cpu, lin, size, true, user);
    if (likely(host)) {
        host_store(cpu, host, &val, size);
        return;
    }
    uint64_t phys;
    if (device_at_hand(cpu, lin, size, PERM_W, user, &phys)) {
        device_write(cpu, phys, val, size);
        return;
    }
    if (likely(access_pieces(cpu, lin, size, ACC_WRITE, user, p) == 1)) {
        if (likely(p[0].host)) {
            host_store(cpu, p[0].host, &val, size);
        } else {
            device_write(cpu, p[0].phys, val, size);
        }
        return;
    }
    uint8_t buf[8];
    st64le(buf, val);
    piece_write(cpu, &p[0], buf);
    piece_write(cpu, &p[1], buf + p[0].len);
}

uint8_t *x86_lin_host(struct x86_cpu *cpu, uint64_t lin, unsigned len, bool user)
{
    struct piece p[2];
    uint8_t *host = at_hand(cpu, lin, len, true, user);
    if (likely(host)) {
        return host;
    }
    return access_pieces(cpu, lin, len, ACC_WRITE, user, p) == 1 ? p[0].host : NULL;
}

void x86_lin_probe_write(struct x86_cpu *cpu, uint64_t lin, unsigned size, bool user)
{
    struct piece p[2];
    if (unlikely(!at_hand(cpu, lin, size, true, user))) {
        pieces_of(cpu, lin, size, ACC_WRITE, user, p);
    }
}

void x86_lin_read_bytes(struct x86_cpu *cpu, uint64_t lin, void *buf, unsigned len, bool user)
{
    struct piece p[2];
    unsigned n = access_pieces(cpu, lin, len, ACC_READ, user, p);
    pieces_read(cpu, p, n, buf);
}

void x86_lin_write_bytes(struct x86_cpu *cpu, uint64_t lin, const void *buf, unsigned len,
                         bool user)
{
    struct piece p[2];
    unsigned n = access_pieces(cpu, lin, len, ACC_WRITE, user, p);
    pieces_write(cpu, p, n, buf);
}
