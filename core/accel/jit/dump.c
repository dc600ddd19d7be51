/* See dump.h. */
#include "core/accel/jit/dump.h"

#include "core/base/alloc.h"
#include "core/base/log.h"
#include "core/cpu/disasm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void dump_code(const uint8_t *code, size_t bytes, unsigned bits, uint64_t at,
                      struct text *out)
{
    char line[DISASM_TEXT];
    for (size_t i = 0; i < bytes;) {
        unsigned len = disasm(code + i, bytes - i, bits, at + i, line);
        text_printf(out, "  %08" PRIx64 "  ", at + i);
        for (unsigned k = 0; k < len; k++) {
            text_printf(out, "%02x", code[i + k]);
        }
        text_printf(out, "%*s  %s\n", (int)(len < 10 ? 20 - 2 * len : 0), "", line);
        i += len;
    }
}

static void dump_part(const struct jit *j, const struct jit_block *jb, struct text *out)
{
    const struct block *b = jb->block;
    unsigned bits = b->mode & MODE_CS64 ? 64 : b->mode & MODE_CS32 ? 32 : 16;
    text_printf(out, "guest code at %" PRIx64 ", memory %08" PRIx64 ", %u instructions, %u bits\n",
                jb->rip, b->ram, b->n, bits);
    const uint8_t *base = j->e->cpu.arena->base;
    uint8_t crossing[INSN_MAX_BYTES] = {0};
    if (b->bytes > b->bytes1) {
        memcpy(crossing, base + b->ram, b->bytes1);
        memcpy(crossing + b->bytes1, base + b->ram2, b->bytes - b->bytes1);
    }
    dump_code(b->bytes > b->bytes1 ? crossing : base + b->ram, b->bytes, bits, jb->rip, out);
}

void jit_dump(const struct jit *j, const struct jit_block *jb, struct text *out)
{
    for (unsigned i = 0; i < jb->n_parts; i++) {
        dump_part(j, &jb[i], out);
    }
    unsigned bytes = (unsigned)((const uint8_t *)jb->faults - jb->entry);
    text_printf(out, "host code, %u bytes\n", bytes);
    dump_code(jb->entry, bytes, 64, (uintptr_t)codemem_rx(&j->code, jb->entry), out);
}

/* ---- totals ---- */

#define CAUSES 12u

struct cause {
    uint64_t count;
    unsigned row;
};

static int more(const void *a, const void *b)
{
    const struct cause *x = a, *y = b;
    return (x->count < y->count) - (x->count > y->count);
}

/* Instructions that were left to the interpreter most often. */
static void show_causes(const struct jit *j, struct text *out)
{
    struct cause *all = NEW_ARRAY(struct cause, ROW_COUNT);
    for (unsigned row = 0; row < ROW_COUNT; row++) {
        all[row] = (struct cause){j->stats.slow_rows[row], row};
    }
    qsort(all, ROW_COUNT, sizeof(*all), more);
    for (unsigned i = 0; i < CAUSES && all[i].count > 0; i++) {
        const struct insn_info *info = &insn_info[all[i].row];
        text_printf(out, "  %-10s %02x  %12" PRIu64 "  %s\n", info->name, info->opcode,
                    all[i].count, jit_emits(all[i].row) ? "access" : "no emitter");
    }
    free(all);
}

void jit_show_stats(const struct jit *j, struct text *out)
{
    const struct jit_stats *s = &j->stats;
    text_printf(out, "translations     %12" PRIu64 "  (%" PRIu64 " of several blocks)\n",
                s->translated, s->units);
    text_printf(out, "host code bytes  %12" PRIu64 "\n", s->bytes);
    text_printf(out,
                "dropped          %12" PRIu64 "  (%" PRIu64 " times everything, %" PRIu64
                " times the oldest)\n",
                s->dropped, s->flushes, s->evictions);
    text_printf(out, "links            %12" PRIu64 "\n", s->links);
    text_printf(out, "entries          %12" PRIu64 "  (%" PRIu64 " in another context)\n",
                s->entries, s->mismatches);
    text_printf(out, "slow paths       %12" PRIu64 "\n", s->slow_calls);
    text_printf(out, "window faults    %12" PRIu64 "\n", s->faults);
    show_causes(j, out);
}

void jit_log(const struct text *text)
{
    struct text copy = {0};
    char *save = NULL;
    if (text->len == 0) {
        return;
    }
    text_puts(&copy, text_str(text));
    for (char *line = strtok_r(copy.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        log_line(line);
    }
    text_free(&copy);
}

/* ---- perf ---- */

bool jit_perf_open(struct jit *j, bool first, struct error **err)
{
    char path[64];
    struct codemem code;
    if (!codemem_init_unnamed(&code, CODE_BYTES, err)) {
        return error_prefix(err, "perf=on");
    }
    codemem_fini(&j->code);
    j->code = code;
    jit_make_stubs(j);
    snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (first ? O_TRUNC : 0);
    j->perf = open(path, flags, 0600);
    return j->perf >= 0 || error_errno(err, errno, "perf=on: open %s", path);
}

/* Linux, tools/perf/Documentation/jit-interface.txt: start and size in hexadecimal, name. */
void jit_perf_add(struct jit *j, const struct jit_block *jb)
{
    char line[96];
    int n = snprintf(line, sizeof(line), "%" PRIxPTR " %x guest:%" PRIx64 "\n",
                     (uintptr_t)codemem_rx(&j->code, jb->entry), jb->code_bytes, jb->rip);
    if (write(j->perf, line, (size_t)n) != n) {         /* the disk is full: no more names */
        close(j->perf);
        j->perf = -1;
    }
}
