/*
 * From a linear address to the host's by the TLB, and the marks of lines that hold code.
 *
 * Model:  an access is expected where the registers lead while its block is translated. In a run
 *         of pages two compares find it there. A store to a page without marks looks at none; its
 *         tag is there only as long as it has none. All else goes through the entry, out of line.
 */
#include "core/accel/jit/translate.h"

#include "core/accel/jit/check.h"

#define MANY  (16 * PAGE_BYTES)
#define SMALL 0x10000u       /* an address, or less than a displacement that is one */

/* Displacement from the context to the TLB of the block's accesses. */
static int32_t tlb_offset(const struct trans *t)
{
    return CPU_OFFSET(tlbs) + (int32_t)(t->context->tlb * TLB_SIZE * sizeof(struct tlb_entry));
}

/* R9 = @from >> 6, EFLAGS being free. */
static void slot_bits(struct trans *t, enum host_reg from)
{
    struct host_vex rorx = {.op = 0xf20f3af0};
    if (jit_host_has(X86_F_BMI2)) {
        emit_vex_rr(&t->e, rorx, HOST_9, from);
    } else {
        emit_mov(&t->e, 4, HOST_9, from);
        emit_rr(&t->e, 0xc1, 4, 5, HOST_9);             /* shr */
    }
    emit_u8(&t->e, PAGE_BITS - 6);
}

/* R10 = the page, R9 = the offset of its entry in the TLB, for @at. It is the page of the last
 * byte: an operand that crosses pages does not match. */
static void find_entry_at(struct trans *t, const struct host_mem *at, unsigned size)
{
    struct emit *e = &t->e;
    emit_lea(e, 8, HOST_10, at->base, HOST_NONE, at->disp + (int32_t)size - 1);
    if (at->disp == 0) {
        slot_bits(t, at->base);
    } else {
        emit_lea(e, 4, HOST_9, at->base, HOST_NONE, at->disp);
        emit_rr(e, 0xc1, 4, 5, HOST_9);
        emit_u8(e, PAGE_BITS - 6);
    }
    emit_rr(e, 0x81, 4, 4, HOST_9);                     /* and r9d, slot */
    emit_imm(e, (TLB_SIZE - 1) << 6, 4);
    emit_rr(e, 0x81, 8, 4, HOST_10);                    /* and r10, page */
    emit_imm(e, (uint32_t)~PAGE_OFFSET, 4);
}

static void find_entry(struct trans *t, unsigned size)
{
    find_entry_at(t, &(struct host_mem){HOST_8, HOST_NONE, 0, 0}, size);
}

static void compare_tag(struct trans *t, size_t field)
{
    struct host_mem m = {REG_CPU, HOST_9, 0, tlb_offset(t) + (int32_t)field};
    emit_rm(&t->e, 0x3b, 8, HOST_10, &m);
}

static void load_addend(struct trans *t)
{
    struct host_mem m = {
        REG_CPU, HOST_9, 0, tlb_offset(t) + (int32_t)offsetof(struct tlb_entry, addend),
    };
    emit_rm(&t->e, 0x8b, 8, HOST_9, &m);
}

/* R9 = host address - linear address, for R8; marks are not looked at. */
static void look_up(struct trans *t, unsigned size, enum access access)
{
    find_entry(t, size);
    if (access != WRITE) {
        compare_tag(t, offsetof(struct tlb_entry, rtag));
        trans_slow_if(t, 5);
    }
    if (access != READ) {
        compare_tag(t, offsetof(struct tlb_entry, wtag));
        trans_slow_if(t, 5);
    }
    load_addend(t);
}

/* What the jump that was just emitted leads to. */
static struct far_access *add_far(struct trans *t, uint8_t *from, enum far_kind kind,
                                  unsigned size, enum access access)
{
    struct far_access *f = &t->far[t->n_far++];
    trans_need_path(t);
    *f = (struct far_access){
        .from = from, .path = t->path, .kind = kind, .size = (uint8_t)size, .access = access,
        .at = {HOST_NONE, HOST_NONE, 0, 0},
    };
    return f;
}

static void comes_back(struct trans *t)
{
    t->far[t->n_far - 1].back = t->e.at;
}

struct far_access *trans_look_up_far(struct trans *t, uint8_t *from, unsigned size,
                                     enum access access)
{
    return add_far(t, from, FAR_LOOK_UP, size, access);
}

/* The tag that says yes at once. */
static size_t quick_tag(enum access access)
{
    return access == READ ? offsetof(struct tlb_entry, rtag) : offsetof(struct tlb_entry, otag);
}

/* The same for an operand at @lin, whose slot is known: inside one page. */
static void look_up_fixed(struct trans *t, uint64_t lin, unsigned size, enum access access)
{
    struct emit *e = &t->e;
    uint64_t page = lin & ~PAGE_OFFSET;
    size_t slot = lin >> PAGE_BITS & (TLB_SIZE - 1);
    int32_t entry = tlb_offset(t) + (int32_t)(slot * sizeof(struct tlb_entry));
    struct host_mem m = cpu_field(entry + (int32_t)quick_tag(access));
    if ((int64_t)page == (int32_t)page) {
        emit_rm(e, 0x81, 8, 7, &m);                     /* cmp [tag], page */
        emit_imm(e, page, 4);
    } else {
        emit_mov_imm(e, HOST_10, page);
        emit_rm(e, 0x3b, 8, HOST_10, &m);
    }
    add_far(t, emit_jcc(e, 5), access == READ ? FAR_LOOK_UP : FAR_STORE, size, access);
    emit_load(e, 8, HOST_9, entry + (int32_t)offsetof(struct tlb_entry, addend));
    comes_back(t);
}

/* Is it at one register and a displacement? */
static bool is_at(const struct host_mem *at)
{
    return at->base != HOST_NONE;
}

/* The linear address into @to. Of 32-bit code a sum that wraps is none. */
static void address_into(struct trans *t, enum host_reg to, const struct host_mem *at)
{
    if (is_at(at)) {
        emit_lea(&t->e, 8, to, at->base, HOST_NONE, at->disp);
    } else if (to != HOST_8) {
        emit_mov(&t->e, 8, to, HOST_8);
    }
}

/* R8 = the linear address, as the interpreter would add it up. */
static void linear_into_r8(struct trans *t, const struct host_mem *at)
{
    if (is_at(at)) {
        emit_lea(&t->e, t->wide ? 8 : 4, HOST_8, at->base, HOST_NONE, at->disp);
    }
}

/* Displacement from the context to a run. */
static int32_t run_offset(const struct trans *t, unsigned run, bool write)
{
    size_t index = (t->context->tlb * 2 + write) * TLB_RUNS + run;
    return CPU_OFFSET(runs) + (int32_t)(index * sizeof(struct tlb_run));
}

/* The operand in run @run; elsewhere it is looked up out of line. With an address of its own R9 is
 * added to that, so that a load waits for no sum; else R8 becomes the host's. */
static void look_in_run(struct trans *t, unsigned run, const struct host_mem *at, unsigned size,
                        enum access access)
{
    struct emit *e = &t->e;
    int32_t place = run_offset(t, run, access != READ);
    struct host_mem start = cpu_field(place + (int32_t)offsetof(struct tlb_run, start));
    struct host_mem limit = cpu_field(place + (int32_t)offsetof(struct tlb_run, limit));
    struct host_mem addend = cpu_field(place + (int32_t)offsetof(struct tlb_run, addend));
    struct host_mem host = cpu_field(place + (int32_t)offsetof(struct tlb_run, host));
    enum host_reg reg = is_at(at) ? HOST_10 : HOST_8;
    address_into(t, reg, at);
    emit_rm(e, 0x2b, 8, reg, &start);
    emit_rm(e, 0x3b, 8, reg, &limit);
    struct far_access *f = add_far(t, emit_jcc(e, 3), access == READ ? FAR_LOOK_UP : FAR_STORE,
                                   size, access);       /* jae */
    f->run = place;
    if (is_at(at)) {
        f->at = *at;
        emit_rm(e, 0x8b, 8, HOST_9, &addend);
        t->operand = (struct host_mem){at->base, HOST_9, 0, at->disp};
    } else {
        emit_rm(e, 0x03, 8, HOST_8, &host);
        t->operand = (struct host_mem){HOST_8, HOST_NONE, 0, 0};
    }
    comes_back(t);
}

/* By RSP, or by RBP near to it. */
static bool is_on_stack(const struct trans *t, uint64_t lin)
{
    const struct insn *in = t->in;
    uint64_t distance = lin - t->regs[R_SP];
    return !in->mem || in->base == GPR_OFF(R_SP) ||
           (in->base == GPR_OFF(R_BP) && !trans_is_unsure(t) && distance + 256 < PAGE_BYTES);
}

/* Has run @run, in which @lin is, many pages, or will it? */
static bool is_wide(const struct trans *t, unsigned run, uint64_t lin, bool write)
{
    const struct x86_cpu *cpu = &t->j->e->cpu;
    unsigned kind = t->context->tlb;
    return cpu->runs[kind][write][run].bytes >= MANY ||
           cpu->tlbs[kind][lin >> PAGE_BITS & (TLB_SIZE - 1)].span > PAGE_OFFSET;
}

/* The run in which the access will probably be; -1: none. Where the address is known in part, that
 * is perhaps where a table begins; else memory of which there is much is likely. What leads to
 * other places each time needs many pages. Where a run turned out to be the wrong one, it is known
 * what would have been right. */
static int likely_run(const struct trans *t, uint64_t lin, bool write)
{
    struct x86_cpu *cpu = &t->j->e->cpu;
    unsigned kind = t->context->tlb, index = t->in->index_in_block;
    if (t->block->checked >> index & 1) {
        return -1;
    }
    if (is_on_stack(t, lin)) {
        if (cpu->runs[kind][write][TLB_RUN_STACK].bytes == 0) {
            x86_tlb_stack_run(cpu, kind, lin, write);
        }
        return TLB_RUN_STACK;
    }
    const struct jit_missed *m = jit_missed_at(t->j, t->block, index);
    if (m) {
        return x86_tlb_run_at(cpu, kind, m->lin, write);
    }
    bool unsure = trans_is_unsure(t);
    int run = !unsure || (lin >= SMALL && lin + SMALL > lin)
                  ? x86_tlb_run_at(cpu, kind, lin, write) : -1;
    if (run >= 0 && trans_is_derived(t) && !is_wide(t, (unsigned)run, lin, write)) {
        run = -1;
    }
    return run < 0 && unsure ? x86_tlb_large_run(cpu, kind, write) : run;
}

/* Will a store to @lin find a page without marks? */
static bool is_open(const struct trans *t, uint64_t lin)
{
    const struct tlb_entry *e =
        &t->j->e->cpu.tlbs[t->context->tlb][lin >> PAGE_BITS & (TLB_SIZE - 1)];
    uint64_t page = lin & ~PAGE_OFFSET;
    return e->wtag != page || e->otag == page;
}

/* The operand by its entry, with the tag that says yes at once. */
static void look_in_entry(struct trans *t, const struct host_mem *at, unsigned size,
                          enum access access)
{
    bool own = is_at(at) && t->wide;
    if (own) {
        find_entry_at(t, at, size);
        t->operand = (struct host_mem){at->base, HOST_9, 0, at->disp};
    } else {
        linear_into_r8(t, at);
        find_entry(t, size);
    }
    compare_tag(t, quick_tag(access));
    if (access == READ) {
        trans_slow_if(t, 5);
        load_addend(t);
        return;
    }
    struct far_access *f = add_far(t, emit_jcc(&t->e, 5), FAR_STORE, size, access);
    if (own) {
        f->at = *at;
    }
    load_addend(t);
    comes_back(t);
}

/* The same with what follows near to it. */
static bool look_up_near(struct trans *t, const struct trans_place *p, unsigned size,
                         enum access access)
{
    struct trans_near n;
    struct emit *e = &t->e;
    bool own = is_at(&p->at);
    int32_t disp = own ? p->at.disp : t->in->disp;
    if ((p->by.base == GPR_OFF_ZERO && p->by.index == GPR_OFF_ZERO) ||
        !trans_near_plan(t, p->by, disp, size, access, &n) ||
        (n.write && access == READ && !is_open(t, p->lin))) {
        return false;
    }
    int run = likely_run(t, p->lin, n.write);
    int32_t place = run < 0 ? 0 : run_offset(t, (unsigned)run, n.write);
    struct host_mem at = {own ? p->at.base : HOST_8, HOST_NONE, 0, own ? n.lo : n.lo - disp};
    uint8_t bytes = (uint8_t)(n.hi - n.lo);
    enum access all = n.write ? WRITE : READ;
    if (run < 0) {
        find_entry_at(t, &at, bytes);
        compare_tag(t, quick_tag(all));
        trans_slow_if(t, 5);
        load_addend(t);
    } else {
        struct host_mem start = cpu_field(place + (int32_t)offsetof(struct tlb_run, start));
        struct host_mem limit = cpu_field(place + (int32_t)offsetof(struct tlb_run, near_limit));
        emit_lea(e, 8, HOST_10, at.base, HOST_NONE, at.disp);
        emit_rm(e, 0x2b, 8, HOST_10, &start);
        emit_rm(e, 0x3b, 8, HOST_10, &limit);
        struct far_access *f = add_far(t, emit_jcc(e, 3), FAR_NEAR, bytes, all); /* jae */
        f->run = place;
        f->at = at;
        emit_load(e, 8, HOST_9, place + (int32_t)offsetof(struct tlb_run, addend));
        comes_back(t);
    }
    n.own = own;
    trans_near_begins(t, &n);
    t->operand = (struct host_mem){at.base, HOST_9, 0, own ? disp : 0};
    return true;
}

void trans_look_up(struct trans *t, const struct trans_place *p, unsigned size, enum access access)
{
    bool quick = access == READ || is_open(t, p->lin) || trans_is_unsure(t);
    int run = -1;
    if (p->fixed && quick && (p->lin & PAGE_OFFSET) + size <= PAGE_BYTES) {
        look_up_fixed(t, p->lin, size, access);
        return;
    }
    if (quick && look_up_near(t, p, size, access)) {
        return;
    }
    if (quick && size <= TLB_RUN_OPERAND) {
        run = likely_run(t, p->lin, access != READ);
    }
    if (run >= 0) {
        look_in_run(t, (unsigned)run, &p->at, size, access);
    } else if (quick) {
        look_in_entry(t, &p->at, size, access);
    } else {
        linear_into_r8(t, &p->at);
        look_up(t, size, access);
        trans_check_marks(t, size);
    }
}

/* ---- marks ---- */

/* REG_MARKS is something else. */
static bool marks_in_memory(const struct trans *t)
{
    return t->wide || t->context->mapped;
}

/* R10 leads to the mark of the line of the operand's byte @n. */
static void find_mark(struct trans *t, unsigned n)
{
    struct emit *e = &t->e;
    struct host_mem marks = cpu_field(ENGINE_OFFSET(translated.marks));
    emit_lea(e, 8, HOST_10, HOST_8, HOST_9, (int32_t)n);
    emit_rr(e, 0xc1, 8, 5, HOST_10);                    /* shr r10, 6 */
    emit_u8(e, RAM_LINE_SHIFT);
    if (marks_in_memory(t)) {
        emit_rm(e, 0x03, 8, HOST_10, &marks);
    }
}

/* Notes the @n bytes of the operand that begin with byte @from. */
static void note_bytes(struct trans *t, unsigned from, unsigned n)
{
    struct emit *e = &t->e;
    struct host_mem next = cpu_field(ENGINE_OFFSET(translated.stores));
    struct host_mem operand = t->operand, bytes = {HOST_10, HOST_NONE, 0, 0};
    struct host_mem at = {HOST_11, HOST_NONE, 0, (int32_t)offsetof(struct check_store, at)};
    struct host_mem old = {HOST_11, HOST_NONE, 0, (int32_t)offsetof(struct check_store, old)};
    struct host_mem size = {HOST_11, HOST_NONE, 0, (int32_t)offsetof(struct check_store, bytes)};
    if (t->wide) {                                      /* and nothing faults in between */
        emit_u8(e, 0x41);                               /* push r11: it may be held */
        emit_u8(e, 0x53);
    }
    operand.disp += (int32_t)from;
    emit_rm(e, 0x8d, 8, HOST_10, &operand);             /* lea */
    emit_rm(e, 0x8b, 8, HOST_11, &next);
    emit_rm(e, 0x89, 8, HOST_10, &at);
    if (t->direct) {
        trans_may_fault(t);
    }
    emit_rm(e, n == 1 ? 0x0fb6 : n == 2 ? 0x0fb7 : 0x8b, n == 8 ? 8 : 4, HOST_10, &bytes);
    emit_rm(e, 0x89, 8, HOST_10, &old);
    emit_rm(e, 0xc7, 4, (enum host_reg)0, &size);       /* mov [size], n */
    emit_imm(e, n, 4);
    emit_lea(e, 8, HOST_11, HOST_11, HOST_NONE, (int32_t)sizeof(struct check_store));
    emit_rm(e, 0x89, 8, HOST_11, &next);
    if (t->wide) {
        emit_u8(e, 0x41);                               /* pop r11 */
        emit_u8(e, 0x5b);
    }
}

void trans_note_store(struct trans *t, unsigned size)
{
    for (unsigned from = 0, n; from < size; from += n) {
        unsigned left = size - from;
        n = left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
        note_bytes(t, from, n);
    }
}

/* Of an operand that may lie in two lines the next line's mark is looked at, too; if one is set,
 * far_marks looks closer. */
void trans_check_marks(struct trans *t, unsigned size)
{
    struct emit *e = &t->e;
    struct host_mem mark = {HOST_10, marks_in_memory(t) ? HOST_NONE : REG_MARKS, 0, 0};
    find_mark(t, 0);
    emit_rm(e, size == 1 ? 0x80 : 0x83, size == 1 ? 1 : 2, 7, &mark); /* cmp [mark], 0 */
    emit_u8(e, 0);
    if (size == 1) {
        trans_slow_if(t, 5);
    } else {
        add_far(t, emit_jcc(e, 5), FAR_MARKS, size, WRITE);
        comes_back(t);
    }
}

static void far_marks(struct trans *t, unsigned size)
{
    struct host_mem mark = {HOST_10, marks_in_memory(t) ? HOST_NONE : REG_MARKS, 0, 0};
    for (unsigned i = 0; i < 2; i++) {
        find_mark(t, i ? size - 1 : 0);
        emit_rm(&t->e, 0x80, 1, 7, &mark);
        emit_u8(&t->e, 0);
        trans_slow_if(t, 5);
    }
}

/* What the inlined way behind the access expects, from R8 and R9. */
static void far_operand(struct trans *t, const struct far_access *f)
{
    if (!is_at(&f->at)) {
        if (f->run) {
            emit_rr(&t->e, 0x03, 8, HOST_8, HOST_9);
        }
    } else if (!t->wide) {                              /* the sum may have wrapped */
        address_into(t, HOST_10, &f->at);
        emit_rr(&t->e, 0x03, 8, HOST_9, HOST_8);
        emit_rr(&t->e, 0x2b, 8, HOST_9, HOST_10);
    }
}

/* R8 = the linear address, which run @f->run does not have. One miss in many goes to C code, which
 * asks whether another way would be better. */
static void miss_run(struct trans *t, const struct far_access *f)
{
    struct emit *e = &t->e;
    struct host_mem start = cpu_field(f->run + (int32_t)offsetof(struct tlb_run, start));
    struct host_mem patience = cpu_field(f->run + (int32_t)offsetof(struct tlb_run, patience));
    struct host_mem tired = cpu_field(CPU_OFFSET(run_tired));
    if (!is_at(&f->at)) {
        emit_rm(e, 0x03, 8, HOST_8, &start);
    }
    emit_rm(e, 0x83, 4, (enum host_reg)5, &patience);   /* sub [patience], 1 */
    emit_u8(e, 1);
    uint8_t *patient = emit_jcc_short(e, 9);            /* jns */
    emit_rm(e, 0xc7, 4, (enum host_reg)0, &tired);      /* mov [tired], run */
    emit_imm(e, (uint32_t)f->run, 4);
    emit_store(e, 8, HOST_8, CPU_OFFSET(run_missed));
    trans_slow(t);
    emit_link_short(patient, e->at);
}

static void far_access(struct trans *t, const struct far_access *f)
{
    linear_into_r8(t, &f->at);
    if (f->run) {
        miss_run(t, f);
    }
    if (f->kind != FAR_MARKS) {
        look_up(t, f->size, f->access);
    }
    if (f->kind != FAR_LOOK_UP) {
        far_marks(t, f->size);
    }
    far_operand(t, f);
}

/* All of them in one page, where stores need no look at marks; sums that wrap are in none. */
static void far_near(struct trans *t, const struct far_access *f)
{
    address_into(t, HOST_8, &f->at);
    miss_run(t, f);
    find_entry(t, f->size);
    compare_tag(t, quick_tag(f->access));
    trans_slow_if(t, 5);
    load_addend(t);
    if (f->at.base == HOST_8) {
        emit_lea(&t->e, 8, HOST_8, HOST_8, HOST_NONE, -f->at.disp);
    }
}

void trans_far_accesses(struct trans *t)
{
    t->out_of_line = true;
    for (unsigned i = 0; i < t->n_far; i++) {
        const struct far_access *f = &t->far[i];
        emit_link(f->from, t->e.at);
        t->path = f->path;
        if (f->kind == FAR_NEAR) {
            far_near(t, f);
        } else {
            far_access(t, f);
        }
        emit_link(emit_jmp(&t->e), f->back);
    }
}
