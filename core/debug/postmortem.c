/* Watching for a machine's death, and telling of it. See postmortem.h. */
#include "core/debug/postmortem.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/hash.h"
#include "core/base/log.h"
#include "core/cpu/disasm.h"
#include "core/debug/walk.h"
#include "core/ui/surface.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_NS     NS_PER_SEC /* between two looks at a running machine */
#define LOOP_LOOKS  4          /* the same state with interrupts off: an endless loop */
#define LOOP_SEEN   16         /* looks that are remembered */
#define MANY_FAULTS 1000       /* the same fault so often in a row, and more at the next look */
#define SHOWN_STEPS 32         /* instructions */
#define LOOP_RESETS 3
#define STACK_BYTES 32

struct postmortem {
    struct machine *m;
    struct machine_listener listener;
    struct timer look;
    bool told;                /* since the reset */
    char *last;               /* the line told last */
    unsigned resets;          /* that followed it, or that one place asked for, in a row */
    struct text reset;        /* where the last reset was asked for */
    uint64_t seen[LOOP_SEEN]; /* hashes of the processor's state at the last looks... */
    unsigned looks;           /* ... that found interrupts off and none taken since the first */
    uint64_t acks;
    uint32_t repeats;
};

/* ---- what was before ------------------------------------------------------------------------- */

static void put_changes(const struct x86_step *s, const struct x86_step *before, struct text *out)
{
    static const char *const names[] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    const char *sign = "   ;";
    for (unsigned i = 0; i < 16; i++) {
        if (before == NULL || before->gpr[i] == s->gpr[i]) {
            continue;
        }
        text_puts(out, sign);
        sign = "";
        const char *prefix = s->bits == 64 ? "r" : s->gpr[i] >> 16 || s->bits == 32 ? "e" : "";
        if (i < 8) {
            text_printf(out, " %s%s=%llx", prefix, names[i], (unsigned long long)s->gpr[i]);
        } else {
            text_printf(out, " r%u=%llx", i, (unsigned long long)s->gpr[i]);
        }
    }
}

/* One line: where, bytes, text. Returns the length. */
static unsigned put_insn(struct machine *m, const struct x86_state *s, const struct x86_step *at,
                         struct text *out)
{
    uint8_t bytes[DISASM_MAX_BYTES];
    char insn[DISASM_TEXT];
    struct space *mem = s->in_smm ? &m->smm : &m->mem;
    size_t n = walk_read(s, mem, at->lin, bytes, sizeof(bytes));
    if (n == 0) {
        return 0;
    }
    unsigned len = disasm(bytes, n, at->bits, at->rip, insn);
    text_puts(out, "  ");
    causes_place(out, at->cs, at->rip);
    text_puts(out, "  ");
    for (unsigned i = 0; i < 8; i++) {
        text_printf(out, i < len ? "%02x" : "  ", bytes[i < len ? i : 0]);
    }
    text_printf(out, "  %s", insn);
    return len;
}

/* The instructions of each block up to the next one's, the last SHOWN_STEPS of all. */
static void put_steps(struct machine *m, const struct x86_state *s, const struct x86_history *h,
                      struct text *out)
{
    const struct x86_step *before = NULL;
    text_puts(out, "the last instructions (with what had changed when a block began):\n");
    for (unsigned i = 0; i < h->n; i++) {
        struct x86_step at = h->steps[i];
        uint64_t end = i + 1 < h->n ? h->steps[i + 1].count : h->count;
        for (bool first = true; at.count < end; at.count++, first = false) {
            unsigned len = 1;
            bool shown = h->count - at.count <= SHOWN_STEPS;
            struct text line = {0};
            len = put_insn(m, s, &at, &line);
            if (len == 0) {
                text_free(&line);
                break;
            }
            if (shown) {
                text_puts(out, text_str(&line));
                if (first && at.has_regs && before != NULL) {
                    put_changes(&at, before, out);
                }
                text_putc(out, '\n');
            }
            text_free(&line);
            if (i + 1 == h->n && h->notes.n_faults != 0 && at.lin == h->notes.at.lin) {
                break; /* faults count, too */
            }
            at.lin += len;
            at.rip += len;
        }
        before = h->steps[i].has_regs ? &h->steps[i] : before;
    }
}

static void put_registers(const struct x86_state *s, struct text *out)
{
    static const char *const names[] = {"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI"};
    static const char *const segs[] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    const char *prefix = s->efer & EFER_LMA ? "R" : "E";
    text_puts(out, "registers:\n ");
    for (unsigned i = 0; i < 8; i++) {
        text_printf(out, " %s%s=%08llx", prefix, names[i], (unsigned long long)s->gpr[i]);
    }
    text_puts(out, "\n ");
    for (unsigned i = 0; i < 6; i++) {
        text_printf(out, " %s=%04x", segs[i], s->seg[i].sel);
    }
    text_printf(out, " %sIP=%08llx FLAGS=%08llx\n", prefix, (unsigned long long)s->rip,
                (unsigned long long)s->rflags);
    text_printf(
        out,
        "  CR0=%08llx CR2=%08llx CR3=%08llx CR4=%08llx GDT=%08llx/%04x IDT=%08llx/%04x A20=%u\n",
        (unsigned long long)s->cr0, (unsigned long long)s->cr2, (unsigned long long)s->cr3,
        (unsigned long long)s->cr4, (unsigned long long)s->gdtr.base, s->gdtr.limit,
        (unsigned long long)s->idtr.base, s->idtr.limit, s->a20);
}

static void put_stack(struct machine *m, const struct x86_state *s, struct text *out)
{
    uint64_t mask = s->efer & EFER_LMA ? ~0ull : s->seg[S_SS].attr & AR_DB ? 0xffffffff : 0xffff;
    uint64_t sp = s->gpr[R_SP] & mask;
    uint8_t bytes[STACK_BYTES];
    struct space *mem = s->in_smm ? &m->smm : &m->mem;
    size_t n = walk_read(s, mem, s->seg[S_SS].base + sp, bytes, sizeof(bytes));
    text_puts(out, "stack at ");
    causes_place(out, s->seg[S_SS].sel, sp);
    text_puts(out, n != 0 ? ":" : ": not mapped");
    for (size_t i = 0; i + 1 < n; i += 2) {
        text_printf(out, " %02x%02x", bytes[i + 1], bytes[i]);
    }
    text_putc(out, '\n');
}

/* The lines of the text screen that are not empty. */
static void put_screen(struct machine *m, struct text *out)
{
    struct text_screen *t = NEW(struct text_screen);
    if (m->display != NULL && m->display->text(m->display->dev, t)) {
        size_t size = 3 * (size_t)(t->cols + 1) * t->rows + 1;
        char *text = xcalloc(size, 1);
        text_screen_utf8(t, text, size);
        for (const char *line = text; *line != '\0';) {
            size_t n = strcspn(line, "\n");
            if (n != 0) {
                text_puts(out, "  ");
                text_add(out, line, n);
                text_putc(out, '\n');
            }
            line += line[n] == '\0' ? n : n + 1;
        }
        free(text);
    }
    free(t);
}

void postmortem_details(struct machine *m, const struct x86_state *s, const struct x86_history *h,
                        struct text *out)
{
    if (h != NULL && h->n != 0) {
        put_steps(m, s, h, out);
    }
    put_registers(s, out);
    put_stack(m, s, out);
    text_puts(out, "screen:\n");
    put_screen(m, out);
}

/* ---- telling --------------------------------------------------------------------------------- */

static void print_lines(const struct text *lines)
{
    char line[400];
    const char *p = text_str(lines);
    while (*p != '\0') {
        size_t n = strcspn(p, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)n, p);
        log_line(line);
        p += p[n] == '\0' ? n : n + 1;
    }
}

/* Prints the line, and the details unless the same was told before the last reset. */
static void tell(struct postmortem *p, const struct text *line, const struct x86_state *s,
                 const struct x86_history *h)
{
    bool again = p->last != NULL && strcmp(p->last, text_str(line)) == 0;
    p->told = true;
    p->resets = again ? p->resets + 1 : 1;
    if (again) {
        if (p->resets == LOOP_RESETS) {
            log_error("reset loop: the same again for the %uth time: %s", p->resets, p->last);
        }
        return;
    }
    struct text details = {0};
    free(p->last);
    p->last = xstrdup(text_str(line));
    postmortem_details(p->m, s, h, &details);
    log_error("%s", p->last);
    print_lines(&details);
    text_free(&details);
}

static void death(struct postmortem *p, struct vcpu *cpu, enum death what, const char *note)
{
    struct machine *m = p->m;
    struct x86_state *s = NEW(struct x86_state);
    struct x86_history *h = NEW(struct x86_history);
    struct text line = {0};
    bool known = m->accel->history != NULL;
    m->accel->get_state(cpu, s);
    if (known) {
        m->accel->history(cpu, h);
    }
    const struct causes c = {
        .death = what,
        .s = s,
        .h = known ? h : NULL,
        .mem = s->in_smm ? &m->smm : &m->mem,
        .note = note,
    };
    causes_line(&c, &line);
    tell(p, &line, s, c.h);
    text_free(&line);
    free(h);
    free(s);
}

/* A reset that the program asks for is no death, unless it comes again and again from one place. */
static void reset_asked(struct postmortem *p, struct vcpu *cpu)
{
    struct x86_state *s = NEW(struct x86_state);
    struct text line = {0};
    p->m->accel->get_state(cpu, s);
    const struct causes c = {.death = DEATH_RESET, .s = s, .mem = &p->m->mem};
    causes_line(&c, &line);
    bool again = p->reset.len != 0 && strcmp(text_str(&p->reset), text_str(&line)) == 0;
    p->resets = again ? p->resets + 1 : 1;
    text_cut(&p->reset, 0);
    text_puts(&p->reset, text_str(&line));
    p->told = true;
    if (p->resets == LOOP_RESETS) {
        struct text details = {0};
        log_error("reset loop: %s, %u times in a row", text_str(&line), p->resets);
        postmortem_details(p->m, s, NULL, &details);
        print_lines(&details);
        text_free(&details);
    }
    text_free(&line);
    free(s);
}

/* On the vCPU's thread, outside run. [locked] */
static void died(void *opaque, struct vcpu *cpu, enum machine_cause cause)
{
    struct postmortem *p = opaque;
    if (p->told) {
        return;
    }
    switch (cause) {
    case CAUSE_TRIPLE_FAULT:
        death(p, cpu, DEATH_TRIPLE_FAULT, NULL);
        break;
    case CAUSE_DEAD_HALT:
        death(p, cpu, DEATH_HALT, NULL);
        break;
    case CAUSE_ERROR:
        death(p, cpu, DEATH_ERROR, cpu->last_exit.error.text);
        break;
    case CAUSE_GUEST_RESET:
        reset_asked(p, cpu);
        break;
    default:
        break;
    }
}

/* ---- looking now and then -------------------------------------------------------------------- */

/* Interrupts are off, none was taken since the first look, and the processor comes back to one and
 * the same state: nothing in it counts or moves on, as a delay or a memory test would. */
static bool loops(struct postmortem *p, const struct vcpu *cpu, const struct x86_state *s)
{
    if (s->activity != ACT_RUNNING || (s->rflags & FL_IF) || s->in_smm || cpu->acks != p->acks) {
        p->acks = cpu->acks;
        p->looks = 0;
        return false;
    }
    uint64_t now = hash_bytes(s->seg[S_CS].base + s->rip, s->gpr, 16 * sizeof(s->gpr[0]));
    unsigned before = 0;
    for (unsigned i = 0; i < p->looks && i < LOOP_SEEN; i++) {
        before += p->seen[i] == now;
    }
    p->seen[p->looks++ % LOOP_SEEN] = now;
    return before >= LOOP_LOOKS - 1;
}

static bool keeps_faulting(struct postmortem *p, const struct x86_notes *n)
{
    bool more = n->repeats >= MANY_FAULTS && p->repeats >= MANY_FAULTS && n->repeats != p->repeats;
    p->repeats = n->repeats;
    return more;
}

/* What SeaBIOS says when no drive boots, and what it read last. */
static bool nothing_boots(struct postmortem *p, struct text *why)
{
    struct text screen = {0};
    uint8_t sector[512];
    put_screen(p->m, &screen);
    bool found = strstr(text_str(&screen), "No bootable device") != NULL;
    text_free(&screen);
    if (!found) {
        return false;
    }
    space_read_bytes(&p->m->mem, 0x7c00, sector, sizeof(sector));
    bool empty = true;
    for (unsigned i = 0; i < sizeof(sector); i++) {
        empty = empty && sector[i] == 0;
    }
    if (empty) {
        text_puts(why, "no drive gave a boot sector that is not empty");
    } else if (sector[510] != 0x55 || sector[511] != 0xaa) {
        text_printf(why,
                    "the sector that was read ends with %02X %02X, not with the signature 55 AA",
                    sector[510], sector[511]);
    } else {
        text_puts(why, "a boot sector was read and gave control back to the firmware");
    }
    return true;
}

static void look_at(struct postmortem *p, struct vcpu *cpu)
{
    struct x86_state *s = NEW(struct x86_state);
    struct x86_history *h = NEW(struct x86_history);
    struct text why = {0};
    struct machine *m = p->m;
    m->accel->get_state(cpu, s);
    if (m->accel->history != NULL) {
        m->accel->history(cpu, h);
    }
    if (keeps_faulting(p, &h->notes)) {
        death(p, cpu, DEATH_FAULTS, NULL);
    } else if (loops(p, cpu, s)) {
        death(p, cpu, DEATH_LOOP, NULL);
    } else if (nothing_boots(p, &why)) {
        death(p, cpu, DEATH_NO_BOOT, text_str(&why));
    }
    bool hangs = p->told && why.len == 0;
    text_free(&why);
    free(h);
    free(s);
    if (hangs && m->stop_on_dead_halt) {
        machine_request_stop(m, CAUSE_HANG, 0);
    }
}

static void look(void *opaque)
{
    struct postmortem *p = opaque;
    struct machine *m = p->m;
    if (p->told || m->n_vcpus != 1) {
        return; /* several processors wait for each other in many ways; a reset arms it again */
    }
    bool stop = m->clock.driver != CLOCK_VIRTUAL && m->run_state == RUN_RUNNING;
    if (stop) {
        pause_all_vcpus(m);
    }
    look_at(p, m->vcpus[0]);
    if (stop) {
        resume_all_vcpus(m);
    }
    if (!p->told) {
        timer_at(&p->look, clock_now(&m->clock) + LOOK_NS);
    }
}

static void machine_event(void *opaque, enum machine_event event, enum machine_cause cause)
{
    struct postmortem *p = opaque;
    if (event == MACHINE_RESET) {
        p->told = false;
        p->looks = 0;
        p->repeats = 0;
        timer_at(&p->look, clock_now(&p->m->clock) + LOOK_NS);
    }
}

/* ---- life ------------------------------------------------------------------------------------ */

struct postmortem *postmortem_new(struct machine *m)
{
    struct postmortem *p = NEW(struct postmortem);
    p->m = m;
    p->listener = (struct machine_listener){.event = machine_event, .opaque = p};
    machine_listen(m, &p->listener);
    timer_init(&p->look, &m->clock, "postmortem", look, p);
    timer_at(&p->look, LOOK_NS);
    m->died = died;
    m->died_opaque = p;
    return p;
}

void postmortem_free(struct postmortem *p)
{
    if (p == NULL) {
        return;
    }
    timer_cancel(&p->look);
    machine_unlisten(p->m, &p->listener);
    p->m->died = NULL;
    text_free(&p->reset);
    free(p->last);
    free(p);
}
