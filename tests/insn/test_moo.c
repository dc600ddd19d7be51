/*
 * Real processors' answers: every vector of the MOO captures in $COLDBOOT_IMAGES/cpu, run by the
 * interpreter. Usage: test_moo [NAME...]: only files whose name starts so; -v prints each
 * difference.
 *
 * A vector is an initial state, an instruction followed by HLT, and the state afterwards. Flags
 * that the instruction's row in insn.def calls undefined are not compared. Where a later processor
 * differs by definition from the captured one, the difference is listed in by_generation, counted
 * and printed, not compared.
 */
#include "tests/unit/interp_bench.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zlib.h>

/* ---- the file ---- */

struct bytes {
    uint8_t *p;
    size_t n;
};

/* Registers by MOO's order of 16-bit ones. */
enum {
    M_AX, M_BX, M_CX, M_DX, M_CS, M_SS, M_DS, M_ES, M_SP, M_BP, M_SI, M_DI, M_IP, M_FLAGS, M_FS,
    M_GS, M_REGS
};
static const char *const reg_names[M_REGS] = {
    "ax", "bx", "cx", "dx", "cs", "ss",    "ds", "es",
    "sp", "bp", "si", "di", "ip", "flags", "fs", "gs",
};

struct cell {
    uint32_t addr;
    uint8_t val;
};

struct snapshot {
    uint32_t regs[M_REGS];
    uint32_t set;                /* which are given */
    struct cell *ram;
    uint32_t n_ram;
};

struct vector {
    char name[80];
    uint8_t code[32];
    uint32_t n_code;
    struct snapshot init, fina;
    bool excepted;
    uint8_t exc_vector;
    uint32_t exc_flags_at;
};

static bool read_regs16(const uint8_t *p, size_t n, struct snapshot *s)
{
    uint16_t mask = ld16le(p);
    size_t at = 2;
    for (unsigned i = 0; i <= M_FLAGS; i++) {
        if (mask >> i & 1) {
            if (at + 2 > n) {
                return false;
            }
            s->regs[i] = ld16le(p + at);
            s->set |= 1u << i;
            at += 2;
        }
    }
    return true;
}

/* RG32: cr0 cr3 eax ebx ecx edx esi edi ebp esp cs ds es fs gs ss eip eflags dr6 dr7. */
static bool read_regs32(const uint8_t *p, size_t n, struct snapshot *s)
{
    static const int8_t where[20] = {-1, -1, M_AX, M_BX, M_CX, M_DX, M_SI, M_DI, M_BP, M_SP,
                                     M_CS, M_DS, M_ES, M_FS, M_GS, M_SS, M_IP, M_FLAGS, -1, -1};
    uint32_t mask = ld32le(p);
    size_t at = 4;
    for (unsigned i = 0; i < 20; i++) {
        if (mask >> i & 1) {
            if (at + 4 > n) {
                return false;
            }
            if (where[i] >= 0) {
                s->regs[where[i]] = ld32le(p + at);
                s->set |= 1u << where[i];
            }
            at += 4;
        }
    }
    return true;
}

static void read_snapshot(const uint8_t *p, size_t n, struct snapshot *s)
{
    for (size_t at = 0; at + 8 <= n;) {
        const uint8_t *id = p + at, *body = p + at + 8;
        uint32_t len = ld32le(p + at + 4);
        if (len > n - at - 8) {
            return;
        }
        if (!memcmp(id, "REGS", 4) && len >= 2) {
            read_regs16(body, len, s);
        } else if (!memcmp(id, "RG32", 4) && len >= 4) {
            read_regs32(body, len, s);
        } else if (!memcmp(id, "RAM ", 4) && len >= 4) {
            s->n_ram = ld32le(body);
            if (s->n_ram > (len - 4) / 5) {
                s->n_ram = (len - 4) / 5;
            }
            s->ram = calloc(s->n_ram + 1, sizeof(struct cell));
            for (uint32_t i = 0; s->ram && i < s->n_ram; i++) {
                s->ram[i] = (struct cell){ld32le(body + 4 + 5 * i), body[4 + 5 * i + 4]};
            }
        }
        at += 8 + len;
    }
}

static void read_vector(const uint8_t *p, size_t n, struct vector *v)
{
    for (size_t at = 4; at + 8 <= n;) {
        const uint8_t *id = p + at, *body = p + at + 8;
        uint32_t len = ld32le(p + at + 4);
        if (len > n - at - 8) {
            return;
        }
        if (!memcmp(id, "NAME", 4) && len > 4) {
            snprintf(v->name, sizeof(v->name), "%.*s", (int)(len - 4), (const char *)body + 4);
        } else if (!memcmp(id, "BYTS", 4) && len > 4) {
            v->n_code = len - 4 < sizeof(v->code) ? len - 4 : sizeof(v->code);
            memcpy(v->code, body + 4, v->n_code);
        } else if (!memcmp(id, "INIT", 4)) {
            read_snapshot(body, len, &v->init);
        } else if (!memcmp(id, "FINA", 4)) {
            read_snapshot(body, len, &v->fina);
        } else if (!memcmp(id, "EXCP", 4) && len >= 5) {
            v->excepted = true;
            v->exc_vector = body[0];
            v->exc_flags_at = ld32le(body + 1);
        }
        at += 8 + len;
    }
}

/* ---- masks and known differences ---- */

/* Flags that the manual leaves undefined, from the row of the vector's first instruction. */
static uint32_t undefined_flags(const struct vector *v)
{
    static const struct {
        char letter;
        uint32_t flag;
    } letters[] = {{'O', FL_OF}, {'S', FL_SF}, {'Z', FL_ZF},
                   {'A', FL_AF}, {'P', FL_PF}, {'C', FL_CF}};
    struct insn in;
    uint32_t mask = 0;
    if (decode(v->code, v->n_code, DECODE_16, &in) != DECODE_OK) {
        return 0;
    }
    const char *und = insn_info[in.row].undefined;
    for (unsigned i = 0; i < ARRAY_SIZE(letters); i++) {
        if (strchr(und, letters[i].letter)) {
            mask |= letters[i].flag;
        }
    }
    return mask;
}

/* Where our processor differs from the captured one by definition. */
enum difference { NONE, LOCK_UD, TEN_BYTES, STACK_LIMIT, STRING_FAULT, FS_GS, N_DIFFERENCES };
static const char *const by_generation[N_DIFFERENCES] = {
    [LOCK_UD] = "LOCK is #UD with most instructions since the 386",
    [TEN_BYTES] = "an instruction has up to 15 bytes since the 386; the 286 takes 10",
    [STACK_LIMIT] = "a word at SS:FFFF is #SS (12) since the 386; the 286 gives 13",
    [STRING_FAULT] = "SI and DI stay when a string instruction faults; the 286 has moved them",
    [FS_GS] = "FS and GS exist since the 386",
};

static enum difference difference(const struct vector *v)
{
    struct insn in;
    enum decode_status status = decode(v->code, v->n_code, DECODE_16, &in);
    uint32_t attr = insn_info[in.row].attr;
    bool old = !(v->init.set >> M_FS & 1);
    if (!old) {
        return NONE;
    }
    if (in.lock && status == DECODE_UD) {
        return LOCK_UD;
    }
    if (status == DECODE_OK && in.row == ROW_M1_0x8e_X_X_mov && in.reg >= S_FS) {
        return FS_GS;
    }
    if (v->exc_vector != X86_GP) {
        return NONE;
    }
    if (in.len > 10) {
        return TEN_BYTES;
    }
    if (attr & A_STRING) {
        return STRING_FAULT;
    }
    return (attr & A_STACK) || (in.mem && in.seg == S_SS) ? STACK_LIMIT : NONE;
}

struct suite {
    struct interp_bench *b;
    bool verbose;
    const char *file;
    unsigned long run, failed, listed[N_DIFFERENCES];
};

/* ---- running ---- */

static void load(struct interp_bench *b, const struct vector *v)
{
    static const uint8_t gprs[8] = {M_AX, M_CX, M_DX, M_BX, M_SP, M_BP, M_SI, M_DI};
    static const uint8_t segs[6] = {M_ES, M_CS, M_SS, M_DS, M_FS, M_GS};
    const uint32_t *r = v->init.regs;
    struct x86_state *st = &b->cpu->s;
    for (uint32_t i = 0; i < v->init.n_ram; i++) {
        ibench_poke(b, v->init.ram[i].addr, &v->init.ram[i].val, 1);
    }
    ibench_real(b, 0);
    for (unsigned i = 0; i < 8; i++) {
        st->gpr[i] = r[gprs[i]];
    }
    for (unsigned i = 0; i < 6; i++) {
        st->seg[i].sel = (uint16_t)r[segs[i]];
        st->seg[i].base = (uint64_t)st->seg[i].sel << 4;
    }
    st->rip = r[M_IP];
    st->rflags = (r[M_FLAGS] & ~0xf000u) | FL_1;
    x86_state_loaded(b->cpu);
}

static uint32_t get_reg(struct interp_bench *b, unsigned r)
{
    static const uint8_t gprs[M_REGS] = {
        [M_AX] = R_AX, [M_BX] = R_BX, [M_CX] = R_CX, [M_DX] = R_DX,
        [M_SP] = R_SP, [M_BP] = R_BP, [M_SI] = R_SI, [M_DI] = R_DI};
    static const uint8_t segs[M_REGS] = {[M_CS] = S_CS, [M_SS] = S_SS, [M_DS] = S_DS, [M_ES] = S_ES,
                                         [M_FS] = S_FS, [M_GS] = S_GS};
    if (r == M_IP) {
        return (uint32_t)b->cpu->s.rip;
    }
    if (r == M_FLAGS) {
        return (uint32_t)x86_get_rflags(b->cpu);
    }
    return (r >= M_CS && r <= M_ES) || r >= M_FS ? b->cpu->s.seg[segs[r]].sel
                                                 : (uint32_t)b->cpu->s.gpr[gprs[r]];
}

static bool differ(const struct suite *s, const struct vector *v, bool *first, const char *what,
                   uint32_t ours, uint32_t theirs)
{
    if (*first && s->verbose) {
        printf("%s: %s [", s->file, v->name);
        for (uint32_t i = 0; i < v->n_code; i++) {
            printf("%02x", v->code[i]);
        }
        printf("]");
        for (unsigned i = 0; i < M_REGS; i++) {
            printf(" %s=%x", reg_names[i], v->init.regs[i]);
        }
        if (v->excepted) {
            printf(" exception %u, flags at %x", v->exc_vector, v->exc_flags_at);
        }
        printf("\n");
    }
    if (s->verbose) {
        printf("    %s: %x, captured %x\n", what, ours, theirs);
    }
    *first = false;
    return false;
}

static bool same(struct suite *s, const struct vector *v)
{
    bool ok = true, first = true;
    uint32_t undefined = undefined_flags(v);
    for (unsigned i = 0; i < M_REGS; i++) {
        uint32_t want = v->fina.set >> i & 1 ? v->fina.regs[i] : v->init.regs[i];
        /* IP counts on to 10000h since the 386, where fetching faults; before it wraps. */
        uint32_t mask = i == M_FLAGS ? 0xfff & ~undefined : i == M_IP ? 0xffff : 0xffffffff;
        uint32_t got = get_reg(s->b, i);
        if ((got ^ want) & mask) {
            ok = differ(s, v, &first, reg_names[i], got & mask, want & mask);
        }
    }
    for (uint32_t i = 0; i < v->fina.n_ram; i++) {
        const struct cell *c = &v->fina.ram[i];
        uint8_t mask = 0xff;
        /* The capture gives the bus's word address. */
        uint32_t flags_at = v->exc_flags_at + (v->init.regs[M_SP] & 1);
        if (v->excepted && c->addr == flags_at) {
            mask = (uint8_t)~undefined;
        } else if (v->excepted && c->addr == flags_at + 1) {
            mask = 0x0f & (uint8_t)~(undefined >> 8);
        }
        uint8_t got = *ibench_mem(s->b, c->addr);
        if ((got ^ c->val) & mask) {
            char what[32];
            snprintf(what, sizeof(what), "[%05x]", c->addr);
            ok = differ(s, v, &first, what, got, c->val);
        }
    }
    return ok;
}

static void run_vector(struct suite *s, const struct vector *v)
{
    static const uint8_t zero;
    load(s->b, v);
    s->b->stop_at = interp_icount(s->b->cpu) + 500;
    ibench_run(s->b);
    s->run++;
    enum difference why = difference(v);
    s->listed[why]++;
    if (why == NONE && !same(s, v)) {
        s->failed++;
    }
    for (uint32_t i = 0; i < v->init.n_ram; i++) {
        ibench_poke(s->b, v->init.ram[i].addr, &zero, 1);
    }
    for (uint32_t i = 0; i < v->fina.n_ram; i++) {
        ibench_poke(s->b, v->fina.ram[i].addr, &zero, 1);
    }
}

static void run_file(struct suite *s, const char *name, struct bytes f)
{
    unsigned long failed = s->failed, run = s->run;
    s->file = name;
    if (s->verbose) {
        printf("%s\n", name);
        fflush(stdout);
    }
    for (size_t at = 0; at + 8 <= f.n;) {
        uint32_t len = ld32le(f.p + at + 4);
        if (len > f.n - at - 8) {
            break;
        }
        if (!memcmp(f.p + at, "TEST", 4)) {
            struct vector v = {.n_code = 0};
            read_vector(f.p + at + 8, len, &v);
            if (v.init.set) {
                run_vector(s, &v);
            }
            free(v.init.ram);
            free(v.fina.ram);
        }
        at += 8 + len;
    }
    if (s->failed != failed) {
        printf("%s: %lu of %lu differ\n", name, s->failed - failed, s->run - run);
    }
}

/* ---- archives ---- */

static struct bytes slurp(const char *path)
{
    struct bytes f = {NULL, 0};
    struct stat st;
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        return f;
    }
    if (fstat(fileno(in), &st) == 0 && (f.p = malloc((size_t)st.st_size + 1)) != NULL) {
        f.n = fread(f.p, 1, (size_t)st.st_size, in);
    }
    fclose(in);
    return f;
}

static struct bytes gunzip(const uint8_t *p, size_t n)
{
    struct bytes out = {malloc(4 * MiB), 0};
    z_stream z = {.next_in = (Bytef *)(uintptr_t)p, .avail_in = (uInt)n, .next_out = out.p,
                  .avail_out = 4 * MiB};
    if (out.p == NULL || inflateInit2(&z, 15 + 32) != Z_OK) {
        return out;
    }
    inflate(&z, Z_FINISH);
    out.n = z.total_out;
    inflateEnd(&z);
    return out;
}

static bool wanted(const char *name, int argc, char **argv)
{
    bool any = false;
    for (int i = 1; i < argc; i++) {
        if (argv[i][0] != '-') {
            any = true;
            if (!strncmp(name, argv[i], strlen(argv[i]))) {
                return true;
            }
        }
    }
    return !any;
}

static void run_tar(struct suite *s, const char *path, int argc, char **argv)
{
    struct bytes tar = slurp(path);
    for (size_t at = 0; at + 512 <= tar.n && tar.p[at];) {
        size_t len = strtoul((const char *)tar.p + at + 124, NULL, 8);
        char name[101];
        snprintf(name, sizeof(name), "%.100s", (const char *)tar.p + at);
        const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
        if (len > tar.n - at - 512) {
            break;
        }
        if (len > 0 && wanted(base, argc, argv)) {
            struct bytes f = gunzip(tar.p + at + 512, len);
            run_file(s, base, f);
            free(f.p);
        }
        at += 512 + align_up(len, 512);
    }
    free(tar.p);
}

int main(int argc, char **argv)
{
    const char *images = getenv("COLDBOOT_IMAGES");
    char path[512];
    struct suite s = {.b = NULL};
    struct stat st;
    for (int i = 1; i < argc; i++) {
        s.verbose = s.verbose || !strcmp(argv[i], "-v");
    }
    snprintf(path, sizeof(path), "%s/cpu/sst286.tar", images ? images : "../shared/images");
    if (stat(path, &st) != 0) {
        printf("skipped: no %s (COLDBOOT_IMAGES)\n", path);
        return 0;
    }
    s.b = ibench_new(16 * MiB + PAGE_BYTES, NULL);
    run_tar(&s, path, argc, argv);
    snprintf(path, sizeof(path), "%s/cpu/386EX-00-add-500.MOO",
             images ? images : "../shared/images");
    if (stat(path, &st) == 0 && wanted("386EX-00", argc, argv)) {
        struct bytes f = slurp(path);
        run_file(&s, "386EX-00", f);
        free(f.p);
    }
    ibench_free(s.b);
    for (unsigned i = 1; i < N_DIFFERENCES; i++) {
        printf("%5lu not compared: %s\n", s.listed[i], by_generation[i]);
    }
    printf("%lu vectors, %lu failed\n", s.run, s.failed);
    return s.failed != 0;
}
