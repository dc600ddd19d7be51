/* Commands that look at memory, ports and expressions. */
#include "core/debug/commands.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/cpu/disasm.h"
#include "core/debug/expr.h"
#include "core/debug/walk.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DUMP_MAX_BYTES (1 * MiB) /* one x or xp shows at most this much */
#define SAVE_CHUNK     (64 * KiB)
#define SAVE_MAX_BYTES (128 * GiB)

/* ---- formats --------------------------------------------------------------------------------- */

/* What was not given is as it was the last time. */
static struct mem_format whole_format(struct command_call *c)
{
    struct mem_format f = command_arg(c, "fmt")->format;
    struct monitor *m = c->monitor;
    f.count = f.count != 0 ? f.count : 1;
    f.form = f.form != 0 ? f.form : m->form != 0 ? m->form : 'x';
    if (f.form != 'i') {
        f.size = f.size != 0 ? f.size : m->size != 0 ? m->size : 'w';
        m->size = f.size;
    }
    m->form = f.form;
    return f;
}

static unsigned size_bytes(char size)
{
    return size == 'b' ? 1 : size == 'h' ? 2 : size == 'g' ? 8 : 4;
}

static void put_char(struct text *out, uint8_t c)
{
    static const char from[] = "\n\r\t\\'", to[] = "nrt\\'";
    const char *at = c != 0 ? strchr(from, c) : NULL;
    if (at != NULL) {
        text_printf(out, "'\\%c'", to[at - from]);
    } else if (c >= 32 && c < 127) {
        text_printf(out, "'%c'", c);
    } else {
        text_printf(out, "'\\x%02x'", c);
    }
}

static void put_value(struct text *out, char form, unsigned bytes, uint64_t v)
{
    int bits = (int)bytes * 8;
    switch (form) {
    case 'o':
        text_printf(out, "%#*" PRIo64, (bits + 2) / 3, v);
        break;
    case 'u':
        text_printf(out, "%*" PRIu64, (bits * 10 + 32) / 33, v);
        break;
    case 'd':
        text_printf(out, "%*" PRId64, (bits * 10 + 32) / 33,
                    (int64_t)(v << (64 - bits)) >> (64 - bits));
        break;
    case 'c':
        put_char(out, (uint8_t)v);
        break;
    default:
        text_printf(out, "0x%0*" PRIx64, bits / 4, v);
        break;
    }
}

/* ---- x, xp ----------------------------------------------------------------------------------- */

/* Reads @len bytes for a dump; returns how many are there. */
static size_t dump_read(struct command_call *c, bool physical, uint64_t addr, void *buf, size_t len)
{
    const struct x86_state *s = debug_state(c->debug, c->monitor->cpu);
    struct space *mem = debug_memory(c->debug, c->monitor->cpu);
    if (physical || s == NULL) {
        space_peek_bytes(mem, addr, buf, len);
        return len;
    }
    return walk_read(s, mem, addr, buf, len);
}

static unsigned code_bits(const struct x86_state *s)
{
    uint32_t cs = s != NULL ? s->seg[S_CS].attr : 0;
    return s != NULL && (s->efer & EFER_LMA) && (cs & AR_L) ? 64 : cs & AR_DB ? 32 : 16;
}

static void dump_code(struct command_call *c, bool physical, uint64_t addr, unsigned count)
{
    unsigned bits = code_bits(debug_state(c->debug, c->monitor->cpu));
    for (unsigned i = 0; i < count; i++) {
        uint8_t code[DISASM_MAX_BYTES];
        char text[DISASM_TEXT];
        size_t have = dump_read(c, physical, addr, code, sizeof(code));
        if (have == 0) {
            text_printf(c->out, "0x%08" PRIx64 ":  Cannot access memory\n", addr);
            return;
        }
        unsigned len = disasm(code, have, bits, addr, text);
        text_printf(c->out, "0x%08" PRIx64 ": ", addr);
        for (unsigned n = 0; n < 8; n++) {
            text_printf(c->out, n < len ? " %02x" : "   ", code[n < len ? n : 0]);
        }
        text_printf(c->out, "  %s\n", text);
        addr += len;
    }
}

static bool dump(struct command_call *c, bool physical, struct error **err)
{
    struct mem_format f = whole_format(c);
    uint64_t addr = (uint64_t)command_arg(c, "addr")->num;
    unsigned bytes = f.form == 'c' ? 1 : size_bytes(f.size);
    unsigned a_line = bytes == 1 ? 8 : 16 / bytes;
    if (f.count > DUMP_MAX_BYTES / (f.form == 'i' ? 16 : bytes)) {
        return error_set(err, "count too large");
    }
    if (f.form == 'i') {
        dump_code(c, physical, addr, f.count);
        return true;
    }
    while (f.count > 0) {
        uint8_t buf[16];
        unsigned n = f.count < a_line ? f.count : a_line;
        text_printf(c->out, "%016" PRIx64 ":", addr);
        if (dump_read(c, physical, addr, buf, n * bytes) < n * bytes) {
            text_puts(c->out, " Cannot access memory\n");
            return true;
        }
        for (unsigned i = 0; i < n; i++) {
            text_putc(c->out, ' ');
            put_value(c->out, f.form, bytes, ld_le(buf + i * bytes, bytes));
        }
        text_putc(c->out, '\n');
        addr += n * bytes;
        f.count -= n;
    }
    return true;
}

COMMAND(cmd_x)
{
    return dump(c, false, err);
}

COMMAND(cmd_xp)
{
    return dump(c, true, err);
}

COMMAND(cmd_print)
{
    struct mem_format f = whole_format(c);
    int64_t v = command_arg(c, "val")->num;
    switch (f.form) {
    case 'o':
        text_printf(c->out, "%#" PRIo64, v);
        break;
    case 'u':
        text_printf(c->out, "%" PRIu64, (uint64_t)v);
        break;
    case 'd':
        text_printf(c->out, "%" PRId64, v);
        break;
    case 'c':
        put_char(c->out, (uint8_t)v);
        break;
    default:
        text_printf(c->out, "%#" PRIx64, v);
        break;
    }
    text_putc(c->out, '\n');
    return true;
}

/* ---- ports ----------------------------------------------------------------------------------- */

static char port_suffix(unsigned bytes)
{
    return bytes == 1 ? 'b' : bytes == 2 ? 'w' : 'l';
}

COMMAND(cmd_in)
{
    struct mem_format f = whole_format(c);
    struct machine *m = c->debug->machine;
    unsigned bytes = size_bytes(f.size) > 4 ? 4 : size_bytes(f.size);
    uint16_t port = (uint16_t)command_arg(c, "addr")->num;
    if (command_arg(c, "index")
            ->given) { /* a pair of index and data port: the index is written first */
        space_write(&m->ports, port, (uint8_t)command_arg(c, "index")->num, 1);
        port++;
    }
    debug_freeze(c->debug); /* a port may change the memory map */
    uint64_t val = space_read(&m->ports, port, bytes);
    text_printf(c->out, "port%c[0x%04x] = 0x%0*" PRIx64 "\n", port_suffix(bytes), port,
                (int)bytes * 2, val);
    return true;
}

COMMAND(cmd_out)
{
    struct mem_format f = whole_format(c);
    struct machine *m = c->debug->machine;
    unsigned bytes = size_bytes(f.size) > 4 ? 4 : size_bytes(f.size);
    debug_freeze(c->debug);
    space_write(&m->ports, (uint16_t)command_arg(c, "addr")->num,
                (uint64_t)command_arg(c, "val")->num, bytes);
    if (m->commit_pending) {
        machine_commit(m);
    }
    return true;
}

/* ---- addresses ------------------------------------------------------------------------------- */

COMMAND(cmd_gva2gpa)
{
    const struct x86_state *s = debug_state(c->debug, c->monitor->cpu);
    uint64_t phys;
    if (s != NULL && walk_translate(s, debug_memory(c->debug, c->monitor->cpu),
                                    (uint64_t)command_arg(c, "addr")->num, &phys)) {
        text_printf(c->out, "gpa: 0x%" PRIx64 "\n", phys);
    } else {
        text_puts(c->out, "Unmapped\n");
    }
    return true;
}

COMMAND(cmd_gpa2hva)
{
    uint64_t addr = (uint64_t)command_arg(c, "addr")->num;
    const struct view_range *r = view_find(c->debug->machine->mem.view, addr);
    const struct region *region = r != NULL ? r->rd.region : NULL;
    if (region == NULL) {
        return error_set(err, "No memory is mapped at address 0x%" PRIx64, addr);
    }
    if (region->ram == NULL) {
        return error_set(err, "Memory at address 0x%" PRIx64 " is not RAM", addr);
    }
    text_printf(c->out, "Host virtual address for 0x%" PRIx64 " (%s) is %p\n", addr, region->name,
                (void *)(ram_host(region->ram) + r->rd.off + (addr - r->start)));
    return true;
}

COMMAND(cmd_sum)
{
    uint64_t start = (uint64_t)command_arg(c, "start")->num,
             size = (uint64_t)command_arg(c, "size")->num;
    uint16_t sum = 0;
    if (size > SAVE_MAX_BYTES) {
        return error_set(err, "size too large");
    }
    uint8_t *buf = xcalloc(SAVE_CHUNK, 1);
    for (uint64_t at = 0; at < size; at += SAVE_CHUNK) {
        size_t n = min_u64(SAVE_CHUNK, size - at);
        space_peek_bytes(&c->debug->machine->mem, start + at, buf, n);
        for (size_t i = 0; i < n; i++) { /* as BSD's sum: rotate right, add */
            sum = (uint16_t)((sum >> 1 | sum << 15) + buf[i]);
        }
    }
    free(buf);
    text_printf(c->out, "%05d\n", sum);
    return true;
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool write_all(int fd, const uint8_t *buf, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, buf, len);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        buf += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool save(struct command_call *c, bool physical, struct error **err)
{
    uint64_t addr = (uint64_t)command_arg(c, "val")->num,
             size = (uint64_t)command_arg(c, "size")->num;
    const char *path = command_text(c, "filename");
    if (size > SAVE_MAX_BYTES) {
        return error_set(err, "Parameter 'size' is too large");
    }
    /* Not waiting: a FIFO that nobody reads would hold the whole machine up. */
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
    if (fd < 0) {
        return error_errno(err, errno, "Could not open '%s'", path);
    }
    uint8_t *buf = xcalloc(SAVE_CHUNK, 1);
    bool ok = true;
    for (uint64_t at = 0; ok && at < size; at += SAVE_CHUNK) {
        size_t n = min_u64(SAVE_CHUNK, size - at);
        if (physical) {
            space_peek_bytes(&c->debug->machine->mem, addr + at, buf, n);
        } else if (dump_read(c, false, addr + at, buf, n) < n) {
            ok = error_set(err, "Invalid addr 0x%016" PRIx64 "/size %" PRIu64 " specified", addr,
                           size);
        }
        ok = ok && (write_all(fd, buf, n) || error_errno(err, errno, "write '%s'", path));
    }
    free(buf);
    if (close(fd) < 0 && ok) {
        ok = error_errno(err, errno, "write '%s'", path);
    }
    return ok;
}

COMMAND(cmd_pmemsave)
{
    return save(c, true, err);
}

COMMAND(cmd_memsave)
{
    struct monitor *m = c->monitor;
    unsigned was = m->cpu;
    const struct command_value *cpu = command_arg(c, "cpu-index");
    if (cpu->given && (cpu->num < 0 || cpu->num >= c->debug->machine->n_vcpus)) {
        return error_set(err, "Parameter 'cpu-index' expects a CPU number");
    }
    m->cpu = cpu->given ? (unsigned)cpu->num : was;
    bool ok = save(c, false, err);
    m->cpu = was;
    return ok;
}
