/*
 * Chains of causes. What is wrong with a descriptor, a gate or a page is looked up again in memory
 * as it is now: what was run since the fault began is nothing.
 *
 * Source: [SDM3] "Interrupt and Exception Handling" (error codes, IDT descriptors), "Segment
 *         Descriptors", "Interrupt 14: Page-Fault Exception".
 */
#include "core/debug/causes.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/cpu/disasm.h"
#include "core/cpu/x86_cpu.h"
#include "core/debug/walk.h"

#include <string.h>

/* Which register a finding is about: its origin is told at the end. */
enum { ABOUT_GDT = 1, ABOUT_IDT = 2, ABOUT_PAGING = 4 };

struct finding {
    const struct causes *c;
    struct text *out;
    unsigned about;
};

void causes_place(struct text *out, unsigned cs, uint64_t rip)
{
    text_printf(out, rip > 0xffff ? "%04X:%08llX" : "%04X:%04llX", cs, (unsigned long long)rip);
}

static bool protected_mode(const struct x86_state *s)
{
    return s->cr0 & CR0_PE;
}

static bool read_linear(const struct causes *c, uint64_t lin, void *buf, size_t len)
{
    return walk_read(c->s, c->mem, lin, buf, len) == len;
}

static const char *exception_name(unsigned vector)
{
    static const char *const names[] = {
        "#DE", "#DB", "NMI", "#BP", "#OF", "#BR",        "#UD", "#NM", "#DF", "#MF",
        "#TS", "#NP", "#SS", "#GP", "#PF", "vector 0Fh", "#MF", "#AC", "#MC", "#XM",
    };
    return vector < ARRAY_SIZE(names) ? names[vector] : "?";
}

/* ---- descriptors ----------------------------------------------------------------------------- */

/* What is wrong with the descriptor of @sel as code or otherwise. False: nothing seen here. */
static bool selector_problem(struct finding *f, unsigned sel, bool as_code)
{
    const struct x86_state *s = f->c->s;
    uint64_t base = sel & 4 ? s->ldtr.base : s->gdtr.base;
    uint64_t limit = sel & 4 ? s->ldtr.limit : s->gdtr.limit;
    const char *table = sel & 4 ? "LDT" : "GDT";
    uint8_t raw[8];
    f->about |= ABOUT_GDT;
    if ((sel & ~3u) == 0) {
        text_puts(f->out, "null selector");
        return true;
    }
    sel &= ~7u;
    if (sel + 7 > limit) {
        text_printf(f->out, "selector %04X is beyond the %s's limit %04llX", sel, table,
                    (unsigned long long)limit);
        return true;
    }
    if (!read_linear(f->c, base + sel, raw, sizeof(raw))) {
        text_printf(f->out, "the %s at %llX is not mapped", table, (unsigned long long)base);
        return true;
    }
    unsigned access = raw[5];
    if (ld64le(raw) == 0) {
        text_printf(f->out, "descriptor %04X in the %s at %llX is empty", sel, table,
                    (unsigned long long)base);
    } else if (!(access & 0x80)) {
        text_printf(f->out, "descriptor %04X is not present (access byte %02X)", sel, access);
    } else if (!(access & 0x10)) {
        text_printf(f->out,
                    "descriptor %04X is no segment but a system descriptor (access byte %02X)", sel,
                    access);
    } else if (as_code && !(access & 8)) {
        text_printf(f->out, "descriptor %04X is data, not code (access byte %02X)", sel, access);
    } else if (as_code && (s->efer & EFER_LMA) && (raw[6] & 0x60) == 0x60) {
        text_printf(f->out, "descriptor %04X has both L and D", sel);
    } else if (!as_code && (access & 8) && !(access & 2)) {
        text_printf(f->out, "descriptor %04X is code that cannot be read (access byte %02X)", sel,
                    access);
    } else if (!as_code && (access & 8)) {
        text_printf(f->out, "descriptor %04X is code, not writable data (access byte %02X)", sel,
                    access);
    } else if (!as_code && !(access & 2)) {
        text_printf(f->out, "descriptor %04X is read-only data (access byte %02X)", sel, access);
    } else {
        text_printf(f->out, "descriptor %04X (access byte %02X)", sel, access);
        return false;
    }
    return true;
}

/* What is wrong with the gate of @vector. False: nothing is seen; then the stack is left. */
static bool gate_problem(struct finding *f, unsigned vector)
{
    const struct x86_state *s = f->c->s;
    bool lma = s->efer & EFER_LMA;
    unsigned bytes = !protected_mode(s) ? 4 : lma ? 16 : 8;
    uint16_t types = lma ? 0xc000 : 0xc0e0;
    uint8_t raw[8];
    f->about |= ABOUT_IDT;
    if (vector * bytes + bytes - 1 > s->idtr.limit) {
        text_printf(f->out, "IDT limit %X", s->idtr.limit);
        return true;
    }
    if (!protected_mode(s)) {
        return false;
    }
    if (!read_linear(f->c, s->idtr.base + vector * bytes, raw, sizeof(raw))) {
        text_printf(f->out, "the IDT at %llX is not mapped", (unsigned long long)s->idtr.base);
        return true;
    }
    unsigned sel = ld16le(raw + 2), access = raw[5];
    if (ld64le(raw) == 0) {
        text_printf(f->out, "IDT entry %02X is empty", vector);
    } else if ((access & 0x10) || !(types >> (access & 15) & 1)) {
        text_printf(f->out, "IDT entry %02X is no gate (access byte %02X)", vector, access);
    } else if (!(access & 0x80)) {
        text_printf(f->out, "gate %02X is not present (access byte %02X)", vector, access);
    } else {
        struct text about = {0};
        struct finding inner = {.c = f->c, .out = &about};
        bool bad = selector_problem(&inner, sel, true);
        if (bad) {
            text_printf(f->out, "gate %02X's code segment: %s", vector, text_str(&about));
            f->about |= inner.about;
        }
        text_free(&about);
        return bad;
    }
    return true;
}

/* ---- the first fault ------------------------------------------------------------------------- */

/* The instruction that the chain began with. */
static bool first_instruction(const struct causes *c, uint8_t bytes[DISASM_MAX_BYTES],
                              char text[DISASM_TEXT])
{
    const struct x86_notes *notes = &c->h->notes;
    size_t n = walk_read(c->s, c->mem, notes->at.lin, bytes, DISASM_MAX_BYTES);
    if (n == 0) {
        return false;
    }
    memset(bytes + n, 0, DISASM_MAX_BYTES - n);
    disasm(bytes, n, notes->bits, notes->at.rip, text);
    return true;
}

static void page_fault(struct finding *f, uint32_t error)
{
    const struct x86_notes *n = &f->c->h->notes;
    f->about |= ABOUT_PAGING;
    text_printf(f->out, "page of %llX %s", (unsigned long long)n->cr2,
                error & 8   ? "has reserved bits set in its tables"
                : error & 1 ? error & 2 ? "cannot be written" : "cannot be read from here"
                            : "is not present");
    if ((n->cr2 & ~4095ull) == (n->at.lin & ~4095ull) && !(error & 1)) {
        text_puts(f->out, ": the code itself is not mapped");
    }
}

/* JMP or CALL ptr16:16 or ptr16:32 with a null selector. */
static bool jumps_to_null(const struct x86_notes *n, const uint8_t *bytes)
{
    bool prefix = bytes[0] == 0x66, wide = (n->bits == 32) != prefix;
    const uint8_t *op = bytes + prefix;
    return (op[0] == 0xea || op[0] == 0x9a) && (ld16le(op + (wide ? 5 : 3)) & ~3u) == 0;
}

static void general_protection(struct finding *f, const uint8_t *bytes, const char *insn)
{
    const struct x86_notes *n = &f->c->h->notes;
    const struct x86_state *s = f->c->s;
    static const char *const names[] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    if (n->at.rip > s->seg[S_CS].limit && !(s->seg[S_CS].attr & AR_L)) {
        text_printf(f->out, "IP is beyond the limit %X of CS", s->seg[S_CS].limit);
        return;
    }
    if (strstr(insn, "cr0") != NULL && (s->efer & EFER_LME) && !(s->cr4 & CR4_PAE)) {
        text_puts(f->out, "CR0.PG with EFER.LME needs CR4.PAE");
        return;
    }
    text_printf(f->out, "\"%s\"", insn);
    if (protected_mode(s) && jumps_to_null(n, bytes)) {
        text_puts(f->out, ": null selector; selectors are offsets, 8 is the GDT's first entry");
        return;
    }
    for (unsigned i = 0; i < 6; i++) {
        bool needed = protected_mode(s) && !(s->efer & EFER_LMA) && i != S_FS && i != S_GS;
        if (needed && (s->seg[i].attr & AR_UNUSABLE)) {
            text_printf(f->out, ", %s is null", names[i]);
        }
    }
}

static void undefined_opcode(struct finding *f, const uint8_t *bytes, const char *insn)
{
    const struct x86_state *s = f->c->s;
    bool xmm = strstr(insn, "xmm") != NULL;
    if (xmm && !(s->cr4 & CR4_OSFXSR)) {
        text_printf(f->out, "\"%s\": SSE is off, CR4.OSFXSR is 0", insn);
    } else if (xmm && (s->cr0 & CR0_EM)) {
        text_printf(f->out, "\"%s\": SSE is off, CR0.EM is 1", insn);
    } else {
        text_printf(f->out, "%02X %02X %02X is no instruction here", bytes[0], bytes[1], bytes[2]);
    }
}

/* Why the first exception of the chain came, in brackets. */
static void first_reason(struct finding *f)
{
    const struct x86_notes *n = &f->c->h->notes;
    unsigned vector = n->fault[0].vector;
    uint32_t error = n->fault[0].has_error ? n->fault[0].error : 0;
    uint8_t bytes[DISASM_MAX_BYTES] = {0};
    char insn[DISASM_TEXT] = "?";
    bool selector = vector == X86_GP || vector == X86_NP || vector == X86_SS || vector == X86_TS;
    bool readable = first_instruction(f->c, bytes, insn);
    text_puts(f->out, " (");
    if (vector == X86_PF) {
        page_fault(f, error);
    } else if (selector && protected_mode(f->c->s) && (error & 2)) {
        gate_problem(f, error >> 3);
    } else if (selector && protected_mode(f->c->s) && error != 0) {
        bool jumps = strstr(insn, "jmp") != NULL || strstr(insn, "call") != NULL ||
                     strstr(insn, "ret") != NULL;
        selector_problem(f, error, jumps);
    } else if (vector == X86_GP) {
        general_protection(f, bytes, insn);
    } else if (vector == X86_UD && readable) {
        undefined_opcode(f, bytes, insn);
    } else if (vector == X86_DE) {
        text_printf(f->out, "\"%s\": division by zero, or the quotient does not fit", insn);
    } else {
        text_printf(f->out, "\"%s\"", insn);
    }
    text_putc(f->out, ')');
}

/* ---- the chain ------------------------------------------------------------------------------- */

/* The interrupt whose delivery failed. */
static void put_event(struct finding *f)
{
    const struct x86_notes *n = &f->c->h->notes;
    unsigned v = n->first_vector;
    if (n->first_kind == INT_SOFT_EXC || n->first_kind == INT_ICEBP || n->first_kind == INT_NMI) {
        text_puts(f->out, exception_name(v));
    } else if (n->first_kind == INT_SOFTWARE) {
        text_printf(f->out, "INT %02Xh", v);
    } else {
        text_printf(f->out, "interrupt %02Xh", v);
        if (protected_mode(f->c->s) && ((v >= 8 && v < 16) || (v >= 0x70 && v < 0x78))) {
            text_printf(f->out, " (IRQ %u, at the BIOS's vector)", v < 16 ? v - 8 : v - 0x68);
        }
    }
}

/* " -> why the delivery of @vector failed". What was said before is not said again. */
static void put_obstacle(struct finding *f, unsigned vector, unsigned follows, struct text *said)
{
    struct text now = {0};
    struct finding inner = {.c = f->c, .out = &now};
    if (!gate_problem(&inner, vector)) {
        text_cut(&now, 0);
        inner.about = 0;
        if (follows == X86_SS || follows == X86_TS) {
            text_puts(&now, follows == X86_SS ? "no room on the stack" : "no stack in the TSS");
        } else if (follows == X86_PF) {
            text_printf(&now, "page of %llX is not present", (unsigned long long)f->c->s->cr2);
            inner.about = ABOUT_PAGING;
        }
    }
    if (now.len != 0 && (said->len != now.len || strcmp(text_str(said), text_str(&now)) != 0)) {
        text_printf(f->out, " -> %s", text_str(&now));
        f->about |= inner.about;
        text_cut(said, 0);
        text_add(said, text_str(&now), now.len);
    }
    text_free(&now);
}

static void triple_fault(struct finding *f)
{
    const struct x86_notes *n = &f->c->h->notes;
    struct text said = {0};
    if (n->first_kind != 0xff) {
        put_event(f);
        put_obstacle(f, n->first_vector, n->fault[0].vector, &said);
        text_printf(f->out, " -> %s", exception_name(n->fault[0].delivered));
    } else {
        text_puts(f->out, exception_name(n->fault[0].delivered));
        first_reason(f);
    }
    for (unsigned i = 1; i < n->n_faults; i++) {
        put_obstacle(f, n->fault[i - 1].delivered, n->fault[i].vector, &said);
        bool last = i == n->n_faults - 1u;
        text_printf(f->out, " -> %s", last ? "shutdown" : exception_name(n->fault[i].delivered));
    }
    text_free(&said);
}

/* ---- circumstances --------------------------------------------------------------------------- */

static bool in_bios(const struct x86_place *p)
{
    return p->cs >= 0xc000 || p->rip >= 0xe0000;
}

static void put_origin(struct finding *f, enum x86_change what, const char *name, const char *insn)
{
    const struct x86_place *p = &f->c->h->notes.changed[what];
    if (!p->known) {
        text_printf(f->out, "; %s is as after the reset", name);
    } else if (in_bios(p)) {
        text_printf(f->out, "; %s is still the BIOS's", name);
    } else {
        text_printf(f->out, "; %s was %s at ", name, insn);
        causes_place(f->out, p->cs, p->rip);
    }
}

/* Blocks at the end of the history whose instructions are all 00 00 (add %al,(%bx,%si)). */
static void put_zeros(struct finding *f)
{
    const struct x86_history *h = f->c->h;
    uint8_t bytes[4];
    unsigned n = 0;
    while (n < h->n) {
        const struct x86_step *s = &h->steps[h->n - 1 - n];
        if (!read_linear(f->c, s->lin, bytes, sizeof(bytes)) || ld32le(bytes) != 0) {
            break;
        }
        n++;
    }
    if (n != 0) {
        text_puts(f->out, "; the program runs through memory that holds only zeros, at ");
        causes_place(f->out, h->steps[h->n - 1].cs, h->steps[h->n - 1].rip);
    }
}

/* A stack among the code that runs: pushes overwrite instructions. */
static void put_stack(struct finding *f)
{
    const struct x86_history *h = f->c->h;
    const struct x86_state *s = f->c->s;
    uint64_t mask = s->seg[S_SS].attr & AR_DB ? 0xffffffff : 0xffff;
    uint64_t sp = s->seg[S_SS].base + (s->gpr[R_SP] & mask);
    bool sector = !protected_mode(s) && sp > 0x7c00 && sp < 0x7e00;
    for (unsigned i = 0; i < h->n && !sector; i++) {
        uint64_t lin = h->steps[i].lin;
        sector = lin < 0xc0000 && lin < sp && sp - lin < 64;
    }
    if (sector && (s->efer & EFER_LMA) == 0) {
        text_printf(f->out, "; the stack, at %04X:%04llX, lies among the code", s->seg[S_SS].sel,
                    (unsigned long long)(s->gpr[R_SP] & mask));
    }
}

/* [BIOS data area] 441h and 474h: status of the last operation of floppy and hard disk. */
static void put_disk(struct finding *f)
{
    const struct x86_history *h = f->c->h;
    uint8_t status = 0;
    if (!h->notes.int13.at.known || in_bios(&h->notes.int13.at)) {
        return;
    }
    space_read_bytes(f->c->mem, h->notes.int13.dx & 0x80 ? 0x474 : 0x441, &status, 1);
    if (status != 0) {
        text_printf(f->out,
                    "; the last INT 13h (AH=%02X AL=%02X CX=%04X DX=%04X ES:BX=%04X:%04X) failed "
                    "with status %02X, at ",
                    h->notes.int13.ax >> 8, h->notes.int13.ax & 255, h->notes.int13.cx,
                    h->notes.int13.dx, h->notes.int13.es, h->notes.int13.bx, status);
        causes_place(f->out, h->notes.int13.at.cs, h->notes.int13.at.rip);
        bool transfer = h->notes.int13.ax >> 8 == 2 || h->notes.int13.ax >> 8 == 3;
        if (transfer && (h->notes.int13.cx & 63) == 0) {
            text_puts(f->out, " (sectors count from 1)");
        }
    }
}

/* Below 500h there are vectors and the BIOS's data. */
static void put_astray(struct finding *f)
{
    const struct x86_notes *n = &f->c->h->notes;
    bool chained = f->c->death == DEATH_TRIPLE_FAULT || f->c->death == DEATH_FAULTS;
    uint64_t lin = f->c->s->seg[S_CS].base + f->c->s->rip;
    if (!protected_mode(f->c->s) && (chained ? n->at.lin : lin) < 0x500) {
        text_puts(f->out,
                  "; what runs there are the interrupt vectors: the program ran past its end, or "
                  "jumped astray");
    }
}

static void put_circumstances(struct finding *f)
{
    const struct x86_state *s = f->c->s;
    if (f->about & ABOUT_IDT) {
        put_origin(f, CHANGED_IDTR, "IDTR", "loaded by lidt");
    }
    if (f->about & ABOUT_GDT) {
        put_origin(f, CHANGED_GDTR, "GDTR", "loaded by lgdt");
    }
    if (f->about & ABOUT_PAGING) {
        put_origin(f, CHANGED_CR0, "CR0.PG", "set");
    }
    bool code16 =
        protected_mode(s) && !(s->rflags & FL_VM) && !(s->seg[S_CS].attr & (AR_DB | AR_L));
    if (code16 && f->c->death != DEATH_NO_BOOT) {
        text_puts(f->out, s->seg[S_CS].base == (uint64_t)s->seg[S_CS].sel << 4
                              ? "; CS is still that of real mode: no far jump followed CR0.PE"
                              : "; CS is a 16-bit segment");
    }
    if (!s->a20) {
        text_puts(f->out, "; A20 is off: address bit 20 is always 0");
    }
    put_astray(f);
    put_zeros(f);
    put_stack(f);
    put_disk(f);
}

/* ---- the line -------------------------------------------------------------------------------- */

static void same_fault(struct finding *f)
{
    const struct x86_notes *n = &f->c->h->notes;
    uint8_t vector[4];
    text_puts(f->out, exception_name(n->fault[0].vector));
    first_reason(f);
    if (!protected_mode(f->c->s) &&
        read_linear(f->c, f->c->s->idtr.base + n->fault[0].vector * 4u, vector, 4)) {
        text_puts(f->out, ", and its handler at ");
        causes_place(f->out, ld16le(vector + 2), ld16le(vector));
        text_puts(f->out, " returns to the same instruction");
    } else {
        text_puts(f->out, ", and its handler returns to the same instruction");
    }
}

static const char *headline(enum death death)
{
    static const char *const names[] = {
        [DEATH_TRIPLE_FAULT] = "triple fault",
        [DEATH_HALT] = "dead halt",
        [DEATH_LOOP] = "endless loop with interrupts off",
        [DEATH_FAULTS] = "endless faults",
        [DEATH_NO_BOOT] = "nothing to boot",
        [DEATH_RESET] = "reset",
        [DEATH_ERROR] = "accelerator error",
    };
    return names[death];
}

void causes_line(const struct causes *c, struct text *out)
{
    struct finding f = {.c = c, .out = out};
    const struct x86_notes *n = c->h != NULL ? &c->h->notes : NULL;
    bool chained = c->death == DEATH_TRIPLE_FAULT || c->death == DEATH_FAULTS;
    text_puts(out, headline(c->death));
    if (c->death != DEATH_NO_BOOT) {
        text_puts(out, " at ");
        bool noted = chained && n != NULL && n->n_faults != 0;
        causes_place(out, noted ? n->at.cs : c->s->seg[S_CS].sel, noted ? n->at.rip : c->s->rip);
    }
    if (c->note != NULL) {
        text_printf(out, ": %s", c->note);
    }
    if (n == NULL) {
        return;
    }
    if (chained && n->n_faults != 0) {
        text_puts(out, ": ");
        if (c->death == DEATH_TRIPLE_FAULT) {
            triple_fault(&f);
        } else {
            same_fault(&f);
        }
    } else if (c->death == DEATH_HALT) {
        text_puts(out, ": HLT with interrupts off");
    }
    if (c->death != DEATH_NO_BOOT && c->death != DEATH_RESET) {
        put_circumstances(&f);
    }
}
