/* Breaks on events. See breaks.h. */
#include "core/debug/breaks.h"

#include "core/accel/debug.h"
#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/log.h"
#include "core/debug/break_cond.h"
#include "core/debug/causes.h"
#include "core/debug/expr.h"
#include "core/ui/surface.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_NS          (10 * NS_PER_MS) /* between two looks at the screen */
#define PORT_PCI_ADDRESS 0xcf8
#define PORT_PCI_DATA    0xcfc
#define PORT_CMOS_INDEX  0x70

enum break_kind {
    BREAK_CODE,
    BREAK_IO,
    BREAK_MMIO,
    BREAK_PCI,
    BREAK_CMOS,
    BREAK_MSR,
    BREAK_INT,
    BREAK_EXCEPTION,
    BREAK_IRQ,
    BREAK_MODE,
    BREAK_INSN,
    BREAK_TEXT,
};

/* Accesses that count. */
enum { BREAK_READ = 1, BREAK_WRITE = 2 };

struct brk {
    unsigned id;
    enum break_kind kind;
    char *what;           /* as given */
    uint64_t first, last; /* address, register, vector, mode, instruction... */
    uint32_t function;    /* PCI: as in the address port, bits 23:8 */
    uint8_t rw;
    char *text;
    struct cond cond;
    uint64_t hits;
    struct brk *next;
};

struct breaks {
    struct debug *debug;
    struct stops *stops;
    struct stops_listener listener;
    struct timer look;
    struct brk *list;
    unsigned last_id;
    int cmos_index; /* last written to port 70h; -1: not since somebody wanted to know */
};

static struct machine *machine_of(const struct breaks *b)
{
    return b->debug->machine;
}

/* ---- parsing --------------------------------------------------------------------------------- */

static bool take_range(const char **p, struct brk *k, struct error **err)
{
    *p = expr_skip_blanks(*p);
    if (!cond_number(p, false, &k->first)) {
        return error_set(err, "an address is expected at '%.20s'", *p);
    }
    k->last = k->first;
    if (**p == '-') {
        (*p)++;
        if (!cond_number(p, false, &k->last) || k->last < k->first) {
            return error_set(err, "the end of a range is expected at '%.20s'", *p);
        }
    }
    return true;
}

/* r, w or both. */
static bool take_access(const char **p, struct brk *k, struct error **err)
{
    *p = expr_skip_blanks(*p);
    size_t n = strcspn(*p, " \t");
    k->rw = BREAK_READ | BREAK_WRITE;
    if (n == 0 || strncmp(*p, "if ", 3) == 0) {
        return true;
    }
    if (n == 1 && (**p == 'r' || **p == 'w')) {
        k->rw = **p == 'r' ? BREAK_READ : BREAK_WRITE;
    } else if (n != 2 || strncmp(*p, "rw", 2) != 0) {
        return error_set(err, "r, w, rw or if is expected at '%.20s'", *p);
    }
    *p += n;
    return true;
}

static bool parse_access(const char **p, struct brk *k, struct error **err)
{
    return take_range(p, k, err) && take_access(p, k, err);
}

static bool parse_pci(const char **p, struct brk *k, struct error **err)
{
    unsigned bus, dev, fn;
    int used = 0;
    *p = expr_skip_blanks(*p);
    if (sscanf(*p, "%2x:%2x.%1x%n", &bus, &dev, &fn, &used) != 3 || dev > 31 || fn > 7 ||
        strspn(*p, "0123456789abcdefABCDEF:.") < (size_t)used) { /* no signs, no blanks */
        return error_set(err, "a PCI function, as 00:01.0, is expected at '%.20s'", *p);
    }
    k->function = (uint32_t)(bus << 16 | dev << 11 | fn << 8);
    *p += used;
    return parse_access(p, k, err);
}

static bool parse_hex(const char **p, struct brk *k, struct error **err)
{
    *p = expr_skip_blanks(*p);
    bool ok = cond_number(p, true, &k->first) && k->first < 256;
    k->last = k->first;
    return ok || error_set(err, "an interrupt number, in hexadecimal, is expected at '%.20s'", *p);
}

static bool parse_exception(const char **p, struct brk *k, struct error **err)
{
    static const char *const names[] = {
        "de", "db", "nmi", "bp", "of", "br", "ud", "nm", "df", "",
        "ts", "np", "ss",  "gp", "pf", "",   "mf", "ac", "mc", "xm",
    };
    *p = expr_skip_blanks(*p);
    *p += **p == '#';
    size_t n = strcspn(*p, " \t");
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (n != 0 && strlen(names[i]) == n && strncasecmp(names[i], *p, n) == 0) {
            *p += n;
            k->first = k->last = i;
            return true;
        }
    }
    bool ok = cond_number(p, false, &k->first) && k->first < 32;
    k->last = k->first;
    return ok || error_set(err, "an exception, as 13 or gp, is expected at '%.20s'", *p);
}

static bool parse_number(const char **p, struct brk *k, struct error **err)
{
    *p = expr_skip_blanks(*p);
    bool ok = cond_number(p, false, &k->first);
    k->last = k->first;
    return ok || error_set(err, "a number is expected at '%.20s'", *p);
}

static bool parse_mode(const char **p, struct brk *k, struct error **err)
{
    *p = expr_skip_blanks(*p);
    size_t n = strcspn(*p, " \t");
    for (unsigned i = 0; i < CPU_MODES; i++) {
        if (strlen(cpu_mode_names[i]) == n && strncmp(cpu_mode_names[i], *p, n) == 0) {
            *p += n;
            k->first = k->last = i;
            return true;
        }
    }
    return error_set(err, "real, protected, v86, long or smm is expected at '%.20s'", *p);
}

/* In quotes of either kind, or up to the end. */
static bool parse_text(const char **p, struct brk *k, struct error **err)
{
    *p = expr_skip_blanks(*p);
    char quote = **p == '\'' || **p == '"' ? *(*p)++ : '\0';
    const char *end = quote != '\0' ? strchr(*p, quote) : *p + strlen(*p);
    if (end == NULL || end == *p) {
        return error_set(err, "a text is expected at '%.20s'", *p);
    }
    k->text = xasprintf("%.*s", (int)(end - *p), *p);
    *p = end + (quote != '\0');
    return true;
}

static bool parse_code(const char **p, struct brk *k, struct error **err)
{
    uint64_t segment;
    const char *q = *p;
    if (cond_number(&q, true, &segment) && *q == ':') {
        q++;
        if (segment > 0xffff || !cond_number(&q, true, &k->first) || k->first > 0xffff) {
            return error_set(err, "a segment and an offset of 16 bits are expected at '%.20s'", *p);
        }
        k->first += segment << 4;
        *p = q;
    } else if (!parse_number(p, k, err)) {
        return false;
    }
    k->last = k->first;
    return true;
}

static const struct row {
    const char *word;
    enum break_kind kind;
    bool (*parse)(const char **p, struct brk *k, struct error **err);
    unsigned event; /* EVENT_* that it needs */
} rows[] = {
    {"io", BREAK_IO, parse_access, EVENT_PORT},
    {"mmio", BREAK_MMIO, parse_access, EVENT_MMIO},
    {"pci", BREAK_PCI, parse_pci, EVENT_PORT},
    {"cmos", BREAK_CMOS, parse_access, EVENT_PORT},
    {"msr", BREAK_MSR, parse_access, EVENT_MSR},
    {"int", BREAK_INT, parse_hex, EVENT_INT},
    {"exception", BREAK_EXCEPTION, parse_exception, EVENT_EXCEPTION},
    {"irq", BREAK_IRQ, parse_number, EVENT_INTR},
    {"mode", BREAK_MODE, parse_mode, EVENT_MODE},
    {"insn", BREAK_INSN, parse_number, 0},
    {"text", BREAK_TEXT, parse_text, 0},
    {"", BREAK_CODE, parse_code, 0},
};

static bool parse(struct brk *k, const char *what, struct error **err)
{
    const char *p = expr_skip_blanks(what);
    const struct row *row = rows;
    size_t n = strcspn(p, " \t");
    while (row->word[0] != '\0' && (strlen(row->word) != n || strncmp(row->word, p, n) != 0)) {
        row++;
    }
    p += strlen(row->word);
    k->kind = row->kind;
    if (!row->parse(&p, k, err)) {
        return false;
    }
    p = expr_skip_blanks(p);
    if (strncmp(p, "if ", 3) == 0) {
        return cond_parse(&k->cond, p + 3, err);
    }
    return *p == '\0' || error_set(err, "'if' is expected at '%.20s'", p);
}

/* ---- what happens ---------------------------------------------------------------------------- */

static void put_place(struct text *out, const struct x86_state *s, const struct x86_place *at)
{
    text_puts(out, " at ");
    causes_place(out, at->known ? at->cs : s->seg[S_CS].sel, at->known ? at->rip : s->rip);
}

/* Finishes a hit: counts it and says what it was. */
static void hit_is(struct brk *k, struct debug_hit *hit, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void hit_is(struct brk *k, struct debug_hit *hit, const char *fmt, ...)
{
    va_list ap;
    k->hits++;
    int n = snprintf(hit->text, sizeof(hit->text), "break %u: ", k->id);
    va_start(ap, fmt);
    vsnprintf(hit->text + n, sizeof(hit->text) - (size_t)n, fmt, ap);
    va_end(ap);
}

/* Bytes of the access among first..last. */
static bool touches(const struct brk *k, const struct stop_event *e, uint64_t addr)
{
    bool kind = k->rw & (e->write ? BREAK_WRITE : BREAK_READ);
    return kind && addr <= k->last && k->first < addr + e->size;
}

/* The register behind an access of the PCI data port; false: another function, or none. */
static bool pci_register(const struct breaks *b, const struct brk *k, const struct stop_event *e,
                         uint64_t *reg)
{
    if ((e->addr & ~3ull) != PORT_PCI_DATA) {
        return false;
    }
    uint64_t address = space_read(&machine_of(b)->ports, PORT_PCI_ADDRESS, 4);
    *reg = (address & 0xfc) + (e->addr & 3);
    return (address & 0x80000000) && (address & 0xffff00) == k->function;
}

/* The vector base of an 8259, from its state. */
static unsigned vector_base(const struct machine *m, const char *chip)
{
    for (const struct device *d = m->devices; d != NULL; d = d->next) {
        if (strcmp(d->type->name, "i8259") != 0) {
            continue;
        }
        for (const struct state_field *f = d->type->state; f->kind != STATE_KIND_END; f++) {
            for (const struct state_field *s = f->sub; s != NULL && s->kind != STATE_KIND_END;
                 s++) {
                if (strcmp(f->name, chip) == 0 && strcmp(s->name, "vector_base") == 0) {
                    return ((const uint8_t *)d->dev)[f->offset + s->offset];
                }
            }
        }
    }
    return ~0u;
}

static bool is_irq(const struct breaks *b, const struct brk *k, unsigned vector)
{
    unsigned base = vector_base(machine_of(b), k->first < 8 ? "master" : "slave");
    return k->first < 16 && vector == base + (k->first & 7);
}

/* Whether the event is the break's; then *text says so. */
static bool matches(struct breaks *b, const struct brk *k, const struct stop_event *e,
                    struct text *text)
{
    const char *way = e->write ? "write" : "read";
    uint64_t reg;
    switch (k->kind) {
    case BREAK_IO:
        text_printf(text, "port %04llX %s", (unsigned long long)e->addr, way);
        return e->kind == EVENT_PORT && touches(k, e, e->addr);
    case BREAK_MMIO:
        text_printf(text, "MMIO %08llX %s", (unsigned long long)e->addr, way);
        return e->kind == EVENT_MMIO && touches(k, e, e->addr);
    case BREAK_PCI:
        if (e->kind != EVENT_PORT || !pci_register(b, k, e, &reg)) {
            return false;
        }
        text_printf(text, "PCI %02x:%02x.%x register %02llX %s", k->function >> 16,
                    k->function >> 11 & 31, k->function >> 8 & 7, (unsigned long long)reg, way);
        return touches(k, e, reg);
    case BREAK_CMOS:
        text_printf(text, "CMOS %02X %s", b->cmos_index & 0x7f, way);
        return e->kind == EVENT_PORT && e->addr == PORT_CMOS_INDEX + 1 && b->cmos_index >= 0 &&
               touches(k, &(struct stop_event){.write = e->write, .size = 1},
                       (uint64_t)b->cmos_index & 0x7f);
    case BREAK_MSR:
        text_printf(text, "MSR %llX %s", (unsigned long long)e->addr, way);
        return e->kind == EVENT_MSR &&
               touches(k, &(struct stop_event){.write = e->write, .size = 1}, e->addr);
    case BREAK_INT:
        text_printf(text, "INT %02llXh", (unsigned long long)e->addr);
        return e->kind == EVENT_INT && e->write && e->addr == k->first;
    case BREAK_EXCEPTION:
        text_printf(text, "exception %llu, error code", (unsigned long long)e->addr);
        return e->kind == EVENT_EXCEPTION && e->addr == k->first;
    case BREAK_IRQ:
        text_printf(text, "IRQ %llu, vector %02llX", (unsigned long long)k->first,
                    (unsigned long long)e->addr);
        return e->kind == EVENT_INTR && is_irq(b, k, (unsigned)e->addr);
    case BREAK_MODE:
        text_printf(text, "%s mode", cpu_mode_names[k->first]);
        return e->kind == EVENT_MODE && e->val == k->first;
    case BREAK_CODE:
    case BREAK_INSN:
    case BREAK_TEXT:
        break;
    }
    return false;
}

/* On the vCPU's thread. */
static bool event(void *opaque, struct vcpu *cpu, const struct stop_event *e, struct debug_hit *hit)
{
    struct breaks *b = opaque;
    struct text text = {0};
    bool stop = false;
    if (e->kind == EVENT_PORT && e->addr == PORT_CMOS_INDEX && e->write) {
        b->cmos_index = (int)(e->val & 0xff);
    }
    for (struct brk *k = b->list; k != NULL && !stop; k = k->next) {
        text_cut(&text, 0);
        if (!matches(b, k, e, &text)) {
            continue;
        }
        struct x86_state s;
        cpu->accel->get_state(cpu, &s);
        if (cond_holds(&k->cond, &s, e->val)) {
            if (e->kind & (EVENT_PORT | EVENT_MMIO | EVENT_MSR | EVENT_EXCEPTION)) {
                text_printf(&text, " %0*llX", (int)e->size * 2, (unsigned long long)e->val);
            }
            put_place(&text, &s, &e->at);
            hit_is(k, hit, "%s", text_str(&text));
            stop = true;
        }
    }
    text_free(&text);
    return stop;
}

/* A code point is reached: is it ours alone, and its condition false? On the vCPU's thread. */
static bool code_wanted(void *opaque, struct vcpu *cpu, uint64_t lin, unsigned users)
{
    struct breaks *b = opaque;
    unsigned ours = 0;
    bool wanted = false;
    for (struct brk *k = b->list; k != NULL; k = k->next) {
        if (k->kind == BREAK_CODE && k->first == lin) {
            struct x86_state s;
            cpu->accel->get_state(cpu, &s);
            bool holds = cond_holds(&k->cond, &s, 0);
            k->hits += holds;
            wanted = wanted || holds;
            ours++;
        }
    }
    return wanted || users > ours;
}

/* ---- stopped --------------------------------------------------------------------------------- */

static struct brk *find_by_address(struct breaks *b, enum break_kind kind, uint64_t first)
{
    struct brk *k = b->list;
    while (k != NULL && !(k->kind == kind && k->first == first)) {
        k = k->next;
    }
    return k;
}

static void announce(struct breaks *b, const char *text)
{
    /* Made by us: nothing in it needs a backslash. */
    char *data = xasprintf("{\"text\": \"%s\"}", text);
    log_line(text);
    debug_event(b->debug, "COLDBOOT_BREAK", data);
    free(data);
}

static void set_counts(struct breaks *b);

static void stopped(void *opaque, struct vcpu *cpu)
{
    struct breaks *b = opaque;
    char text[120];
    const struct brk *k = NULL;
    if (cpu->hit.kind == HIT_EVENT) {
        announce(b, cpu->hit.text);
        return;
    }
    if (cpu->hit.kind == HIT_CODE) {
        k = find_by_address(b, BREAK_CODE, cpu->hit.addr);
    } else if (cpu->hit.kind == HIT_COUNT) {
        uint64_t now = cpu->accel->icount(cpu);
        struct brk *counted = find_by_address(b, BREAK_INSN, now);
        if (counted != NULL) {
            counted->hits++;
        }
        k = counted;
        set_counts(b);
    }
    if (k != NULL) {
        snprintf(text, sizeof(text), "break %u: %s %llX", k->id,
                 k->kind == BREAK_CODE ? "code" : "instruction", (unsigned long long)k->first);
        announce(b, text);
    }
}

/* The screen, for BREAK_TEXT. On the machine's clock. */
static void look(void *opaque)
{
    struct breaks *b = opaque;
    struct machine *m = machine_of(b);
    struct text_screen *t = NEW(struct text_screen);
    bool wanted = false;
    char *text = NULL;
    if (m->display != NULL && m->display->text(m->display->dev, t)) {
        size_t size = 3 * (size_t)(t->cols + 1) * t->rows + 1;
        text = xcalloc(size, 1);
        text_screen_utf8(t, text, size);
    }
    for (struct brk *k = b->list; k != NULL; k = k->next) {
        bool there = k->kind == BREAK_TEXT && text != NULL && strstr(text, k->text) != NULL;
        wanted = wanted || k->kind == BREAK_TEXT;
        if (there && k->last == 0) { /* it was not there at the last look */
            struct vcpu *cpu = m->vcpus[0];
            cpu->hit = (struct debug_hit){.kind = HIT_EVENT};
            hit_is(k, &cpu->hit, "text on the screen");
            vcpu_debug_stop(cpu);
        }
        k->last = there;
    }
    free(text);
    free(t);
    if (wanted) {
        timer_at(&b->look, clock_now(&m->clock) + LOOK_NS);
    }
}

/* ---- the list -------------------------------------------------------------------------------- */

/* The next instruction number that a break waits for. */
static void set_counts(struct breaks *b)
{
    struct vcpu *cpu = machine_of(b)->vcpus[0];
    uint64_t now = cpu->accel->icount(cpu), next = UINT64_MAX;
    for (const struct brk *k = b->list; k != NULL; k = k->next) {
        if (k->kind == BREAK_INSN && k->first > now && k->first < next) {
            next = k->first;
        }
    }
    if (cpu->stop_count != next) {
        vcpu_set_stop_count(cpu, next);
    }
}

/* Asks for the events that the list needs. The vCPUs are out of run. */
static void update(struct breaks *b)
{
    unsigned events = 0;
    bool text = false;
    for (const struct brk *k = b->list; k != NULL; k = k->next) {
        text = text || k->kind == BREAK_TEXT;
        for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
            events |= rows[i].kind == k->kind ? rows[i].event : 0;
        }
    }
    stops_want(b->stops, events, event, b);
    set_counts(b);
    if (!text) {
        timer_cancel(&b->look);
    } else if (!timer_armed(&b->look)) {
        timer_at(&b->look, clock_now(&machine_of(b)->clock) + LOOK_NS);
    }
}

static struct breaks *breaks_of(struct debug *d, struct error **err)
{
    struct stops *stops = stops_get(d->machine);
    if (stops == NULL) {
        error_set(err, "-accel %s cannot be debugged", d->machine->accel->name);
        return NULL;
    }
    if (d->breaks == NULL) {
        struct breaks *b = d->breaks = NEW(struct breaks);
        b->debug = d;
        b->stops = stops;
        b->cmos_index = -1;
        b->listener = (struct stops_listener){.stopped = stopped, .opaque = b};
        stops_listen(stops, &b->listener);
        stops->code_wanted = code_wanted;
        stops->code_opaque = b;
        timer_init(&b->look, &d->machine->clock, "break text", look, b);
    }
    return d->breaks;
}

static void brk_free(struct brk *k)
{
    free(k->what);
    free(k->text);
    free(k);
}

/* False and err: the accelerator does not tell of what @k waits for. */
static bool is_told(const struct debug *d, const struct brk *k, struct error **err)
{
    const struct accel *a = d->machine->accel;
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].kind == k->kind && ((rows[i].event & a->untold) ||
                                        (k->kind == BREAK_INSN && !a->counts_insns))) {
            return error_set(err, "-accel %s cannot break on '%s'; -accel tcg can", a->name,
                             rows[i].word);
        }
    }
    return true;
}

static struct stop_point point_of(const struct brk *k)
{
    return (struct stop_point){.addr = k->first, .len = 1, .on = POINT_CODE};
}

bool breaks_add(struct debug *d, const char *what, unsigned *id, struct error **err)
{
    struct breaks *b = breaks_of(d, err);
    if (b == NULL) {
        return false;
    }
    struct brk *k = NEW(struct brk);
    if (!parse(k, what, err) || !is_told(d, k, err)) {
        brk_free(k);
        return false;
    }
    debug_freeze(d);
    const struct stop_point p = point_of(k);
    if (k->kind == BREAK_CODE && !stops_add(b->stops, &p)) {
        brk_free(k);
        return error_set(err, "there are too many breakpoints");
    }
    struct brk **at = &b->list;
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = k;
    k->what = xstrdup(expr_skip_blanks(what));
    *id = k->id = ++b->last_id;
    update(b);
    return true;
}

bool breaks_delete(struct debug *d, unsigned id, struct error **err)
{
    struct breaks *b = d->breaks;
    bool found = id == 0;
    debug_freeze(d);
    for (struct brk **at = b != NULL ? &b->list : NULL; at != NULL && *at != NULL;) {
        struct brk *k = *at;
        if (id != 0 && k->id != id) {
            at = &k->next;
            continue;
        }
        found = true;
        const struct stop_point p = point_of(k);
        if (k->kind == BREAK_CODE) {
            stops_remove(b->stops, &p);
        }
        *at = k->next;
        brk_free(k);
    }
    if (b != NULL) {
        update(b);
    }
    return found || error_set(err, "there is no break %u", id);
}

void breaks_each(struct debug *d,
                 void (*each)(void *opaque, unsigned id, const char *what, uint64_t hits),
                 void *opaque)
{
    for (const struct brk *k = d->breaks != NULL ? d->breaks->list : NULL; k != NULL; k = k->next) {
        each(opaque, k->id, k->what, k->hits);
    }
}

static void list_one(void *opaque, unsigned id, const char *what, uint64_t hits)
{
    text_printf(opaque, "%u: %s (%llu hits)\n", id, what, (unsigned long long)hits);
}

void breaks_list(struct debug *d, struct text *out)
{
    if (d->breaks == NULL || d->breaks->list == NULL) {
        text_puts(out, "no breaks\n");
    }
    breaks_each(d, list_one, out);
}

void breaks_free(struct breaks *b)
{
    if (b == NULL) {
        return;
    }
    debug_freeze(b->debug);
    b->stops->code_wanted = NULL;
    while (b->list != NULL) {
        struct brk *k = b->list;
        const struct stop_point p = point_of(k);
        if (k->kind == BREAK_CODE) {
            stops_remove(b->stops, &p);
        }
        b->list = k->next;
        brk_free(k);
    }
    stops_want(b->stops, 0, NULL, NULL);
    stops_unlisten(b->stops, &b->listener);
    timer_cancel(&b->look);
    b->debug->breaks = NULL;
    free(b);
}
