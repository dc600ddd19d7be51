/* What a vCPU's registers and page tables say. */
#include "core/debug/commands.h"

#include "core/base/bits.h"
#include "core/debug/walk.h"

#include <inttypes.h>
#include <string.h>

/* ---- info registers -------------------------------------------------------------------------- */

static bool in_64_bit_code(const struct x86_state *s)
{
    return (s->efer & EFER_LMA) && (s->seg[S_CS].attr & AR_L);
}

static void put_gprs(struct text *out, const struct x86_state *s)
{
    static const char *const wide[16] = {"RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "RSP",
                                         "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};
    static const uint8_t order[16] = {R_AX, R_BX, R_CX, R_DX, R_SI, R_DI, R_BP, R_SP,
                                      8,    9,    10,   11,   12,   13,   14,   15};
    bool w = in_64_bit_code(s);
    for (unsigned i = 0; i < (w ? 16u : 8u); i++) {
        char end = i % 4 == 3 ? '\n' : ' ';
        if (w) {
            text_printf(out, "%s=%016" PRIx64 "%c", wide[i], s->gpr[order[i]], end);
        } else {
            text_printf(out, "E%.2s=%08x%c", wide[i] + 1, (unsigned)s->gpr[order[i]], end);
        }
    }
}

static void put_flags(struct text *out, const struct x86_state *s)
{
    uint64_t f = s->rflags;
    bool w = in_64_bit_code(s);
    text_printf(
        out, "%cIP=%0*" PRIx64 " %cFL=%08x [%c%c%c%c%c%c%c] CPL=%u II=%d A20=%d SMM=%d HLT=%d\n",
        w ? 'R' : 'E', w ? 16 : 8, w ? s->rip : s->rip & 0xffffffff, w ? 'R' : 'E', (unsigned)f,
        f & FL_DF ? 'D' : '-', f & FL_OF ? 'O' : '-', f & FL_SF ? 'S' : '-', f & FL_ZF ? 'Z' : '-',
        f & FL_AF ? 'A' : '-', f & FL_PF ? 'P' : '-', f & FL_CF ? 'C' : '-', x86_cpl(s),
        s->shadow != 0, s->a20, s->in_smm, s->activity == ACT_HALTED);
}

/* Rights as the upper word of a descriptor has them: bits 8 up. */
static void put_segment(struct text *out, const struct x86_state *s, const char *name,
                        const struct x86_seg *g)
{
    unsigned rights = (g->attr & 0xff) << 8 | (g->attr & 0xf000) << 8 | (g->limit & 0xf0000);
    text_printf(out, "%-3s=%04x %0*" PRIx64 " %08x %08x\n", name, g->sel,
                in_64_bit_code(s) ? 16 : 8, g->base, g->limit, rights);
}

static void put_system(struct text *out, const struct x86_state *s)
{
    static const char *const names[] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    int w = s->efer & EFER_LMA ? 16 : 8;
    for (unsigned i = 0; i < 6; i++) {
        put_segment(out, s, names[i], &s->seg[i]);
    }
    put_segment(out, s, "LDT", &s->ldtr);
    put_segment(out, s, "TR", &s->tr);
    text_printf(out, "GDT=     %0*" PRIx64 " %08x\nIDT=     %0*" PRIx64 " %08x\n", w, s->gdtr.base,
                s->gdtr.limit, w, s->idtr.base, s->idtr.limit);
    text_printf(out, "CR0=%08x CR2=%0*" PRIx64 " CR3=%0*" PRIx64 " CR4=%08x\n", (unsigned)s->cr0, w,
                s->cr2, w, s->cr3, (unsigned)s->cr4);
    for (unsigned i = 0; i < 4; i++) {
        text_printf(out, "DR%u=%0*" PRIx64 " ", i, w, s->dr[i]);
    }
    text_printf(out, "\nDR6=%0*" PRIx64 " DR7=%0*" PRIx64 "\n", w, s->dr[6], w, s->dr[7]);
    text_printf(out, "EFER=%016" PRIx64 "\n", s->efer);
}

static void put_fpu(struct text *out, const struct x86_state *s)
{
    unsigned top = s->fsw >> 11 & 7;
    text_printf(out, "FCW=%04x FSW=%04x [ST=%u] FTW=%02x MXCSR=%08x\n", s->fcw, s->fsw, top,
                s->ftag, s->mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        text_printf(out, "FPR%u=%016" PRIx64 " %04x%c", i, s->fpr[i].mant, s->fpr[i].se,
                    i % 2 ? '\n' : ' ');
    }
    for (unsigned i = 0; i < (in_64_bit_code(s) ? 16u : 8u); i++) {
        uint64_t q[2];
        memcpy(q, s->ymm[i], sizeof(q));
        text_printf(out, "XMM%02u=%016" PRIx64 " %016" PRIx64 "%c", i, q[1], q[0],
                    i % 2 ? '\n' : ' ');
    }
}

COMMAND(info_registers)
{
    const struct command_value *one = command_arg(c, "vcpu");
    bool all = command_arg(c, "cpustate_all")->on;
    unsigned n = c->debug->machine->n_vcpus;
    if (one->given && (one->num < 0 || one->num >= n)) {
        text_printf(c->out, "CPU#%" PRId64 " not available\n", one->num);
        return true;
    }
    unsigned first = all ? 0 : one->given ? (unsigned)one->num : c->monitor->cpu;
    for (unsigned i = first; i < (all ? n : first + 1); i++) {
        const struct x86_state *s = debug_state(c->debug, i);
        if (s != NULL) {
            text_printf(c->out, "\nCPU#%u\n", i);
            put_gprs(c->out, s);
            put_flags(c->out, s);
            put_system(c->out, s);
            put_fpu(c->out, s);
        }
    }
    return true;
}

/* ---- info cpus, query-cpus-fast -------------------------------------------------------------- */

static int thread_id(const struct vcpu *cpu)
{
    return cpu->runner != NULL ? cpu->runner->thread_id : cpu->thread_id;
}

COMMAND(info_cpus)
{
    for (unsigned i = 0; i < c->debug->machine->n_vcpus; i++) {
        text_printf(c->out, "%c CPU #%u: thread_id=%d\n", i == c->monitor->cpu ? '*' : ' ', i,
                    thread_id(c->debug->machine->vcpus[i]));
    }
    return true;
}

COMMAND(query_cpus)
{
    jout_array(c->json, NULL);
    for (unsigned i = 0; i < c->debug->machine->n_vcpus; i++) {
        jout_object(c->json, NULL);
        jout_i64(c->json, "thread-id", thread_id(c->debug->machine->vcpus[i]));
        jout_object(c->json, "props");
        jout_u64(c->json, "core-id", 0);
        jout_u64(c->json, "thread-id", 0);
        jout_u64(c->json, "socket-id", i);
        jout_end(c->json);
        jout_string(c->json, "qom-path", "/machine/unattached/device[0]");
        jout_u64(c->json, "cpu-index", i);
        jout_string(c->json, "target", "x86_64");
        jout_end(c->json);
    }
    jout_end(c->json);
    return true;
}

/* ---- info tlb, info mem ---------------------------------------------------------------------- */

#define TLB_MAX_LINES 65536

struct page_list {
    struct text *out;
    unsigned lines;
    uint64_t start, end; /* info mem: the range so far */
    uint64_t rights;
};

static bool tlb_line(void *opaque, const struct walk_page *p)
{
    struct page_list *l = opaque;
    static const struct {
        uint64_t bit;
        char letter;
    } flags[] = {
        {PTE_NX, 'X'},  {PTE_G, 'G'},   {PTE_PS, 'P'}, {PTE_D, 'D'}, {PTE_A, 'A'},
        {PTE_PCD, 'C'}, {PTE_PWT, 'T'}, {PTE_U, 'U'},  {PTE_W, 'W'},
    };
    text_printf(l->out, "%016" PRIx64 ": %016" PRIx64 " ", p->lin, p->phys);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        text_putc(l->out, p->flags & flags[i].bit ? flags[i].letter : '-');
    }
    text_putc(l->out, '\n');
    return ++l->lines < TLB_MAX_LINES;
}

static void mem_range(struct page_list *l)
{
    if (l->end != l->start) {
        text_printf(l->out, "%016" PRIx64 "-%016" PRIx64 " %016" PRIx64 " %cr%c\n", l->start,
                    l->end, l->end - l->start, l->rights & PTE_U ? 'u' : '-',
                    l->rights & PTE_W ? 'w' : '-');
        l->lines++;
    }
}

static bool mem_page(void *opaque, const struct walk_page *p)
{
    struct page_list *l = opaque;
    uint64_t rights = p->flags & (PTE_U | PTE_W);
    if (p->lin != l->end || rights != l->rights || l->end == l->start) {
        mem_range(l);
        l->start = p->lin;
        l->rights = rights;
    }
    l->end = p->lin + p->bytes;
    return l->lines < TLB_MAX_LINES;
}

static bool list_pages(struct command_call *c, struct page_list *l,
                       bool (*each)(void *opaque, const struct walk_page *p))
{
    const struct x86_state *s = debug_state(c->debug, c->monitor->cpu);
    if (s == NULL || !(s->cr0 & CR0_PG)) {
        text_puts(c->out, "PG disabled\n");
        return true;
    }
    return walk_pages(s, debug_memory(c->debug, c->monitor->cpu), each, l);
}

COMMAND(info_tlb)
{
    struct page_list l = {.out = c->out};
    if (!list_pages(c, &l, tlb_line)) {
        text_puts(c->out, "(and more)\n");
    }
    return true;
}

COMMAND(info_mem)
{
    struct page_list l = {.out = c->out};
    bool whole = list_pages(c, &l, mem_page);
    mem_range(&l);
    if (!whole) {
        text_puts(c->out, "(and more)\n");
    }
    return true;
}
