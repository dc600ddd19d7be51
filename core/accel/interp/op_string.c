/*
 * String instructions. Source: [SDM2] "MOVS", "CMPS", "STOS", "LODS", "SCAS", "INS", "OUTS",
 * "REP/REPE/REPZ/REPNE/REPNZ"; [SDM1] "String Operations".
 *
 * An iteration moves SI, DI and CX only when its accesses are done, so a fault or an interrupt
 * between two iterations leaves them exact, and the instruction goes on from there. With REP,
 * REP_CHUNK iterations count as one instruction; after them interrupts are looked at. Runs of plain
 * memory within a page are moved at once.
 */
#include "core/accel/interp/engine.h"
#include "core/accel/interp/run.h"

/* ---- registers ---- */

static inline uint64_t ad_mask(const struct insn *in)
{
    return ~0ull >> in->ea_shift;
}

static inline uint64_t ad_reg(const struct x86_cpu *cpu, const struct insn *in, enum x86_gpr r)
{
    return cpu->s.gpr[r] & ad_mask(in);
}

static inline void ad_add(struct x86_cpu *cpu, const struct insn *in, enum x86_gpr r, int64_t by)
{
    reg_w(cpu, GPR_OFF(r), cpu->s.gpr[r] + (uint64_t)by, in->adsize);
}

static inline int64_t string_step(const struct x86_cpu *cpu, unsigned size)
{
    return cpu->s.rflags & FL_DF ? -(int64_t)size : (int64_t)size;
}

/* ---- one iteration of each ---- */

#define STRING_ONE(N)                                                                              \
    static inline void movs_one##N(struct x86_cpu *cpu, const struct insn *in)                     \
    {                                                                                              \
        int64_t step = string_step(cpu, N / 8);                                                    \
        uint##N##_t v = x86_ld##N(cpu, in->seg, ad_reg(cpu, in, R_SI));                            \
        x86_st##N(cpu, S_ES, ad_reg(cpu, in, R_DI), v);                                            \
        ad_add(cpu, in, R_SI, step);                                                               \
        ad_add(cpu, in, R_DI, step);                                                               \
    }                                                                                              \
    static inline void cmps_one##N(struct x86_cpu *cpu, const struct insn *in)                     \
    {                                                                                              \
        int64_t step = string_step(cpu, N / 8);                                                    \
        uint##N##_t b = x86_ld##N(cpu, S_ES, ad_reg(cpu, in, R_DI));                               \
        alu_sub##N(cpu, x86_ld##N(cpu, in->seg, ad_reg(cpu, in, R_SI)), b);                        \
        ad_add(cpu, in, R_SI, step);                                                               \
        ad_add(cpu, in, R_DI, step);                                                               \
    }                                                                                              \
    static inline void stos_one##N(struct x86_cpu *cpu, const struct insn *in)                     \
    {                                                                                              \
        x86_st##N(cpu, S_ES, ad_reg(cpu, in, R_DI), reg_r##N(cpu, GPR_OFF(R_AX)));                 \
        ad_add(cpu, in, R_DI, string_step(cpu, N / 8));                                            \
    }                                                                                              \
    static inline void lods_one##N(struct x86_cpu *cpu, const struct insn *in)                     \
    {                                                                                              \
        reg_w##N(cpu, GPR_OFF(R_AX), x86_ld##N(cpu, in->seg, ad_reg(cpu, in, R_SI)));              \
        ad_add(cpu, in, R_SI, string_step(cpu, N / 8));                                            \
    }                                                                                              \
    static inline void scas_one##N(struct x86_cpu *cpu, const struct insn *in)                     \
    {                                                                                              \
        uint##N##_t b = x86_ld##N(cpu, S_ES, ad_reg(cpu, in, R_DI));                               \
        alu_sub##N(cpu, reg_r##N(cpu, GPR_OFF(R_AX)), b);                                          \
        ad_add(cpu, in, R_DI, string_step(cpu, N / 8));                                            \
    }                                                                                              \
    /* The destination is known to be writable before the port is read, which has side effects. */ \
    static inline void ins_one##N(struct x86_cpu *cpu, const struct insn *in)                      \
    {                                                                                              \
        unsigned port = reg_r16(cpu, GPR_OFF(R_DX));                                               \
        x86_io_check(cpu, port, N / 8);                                                            \
        uint64_t lin = x86_lin_w(cpu, S_ES, ad_reg(cpu, in, R_DI), N / 8);                         \
        x86_lin_probe_write(cpu, lin, N / 8, cpu->cpl == 3);                                       \
        x86_stl##N(cpu, lin, (uint##N##_t)x86_io_read(cpu, port, N / 8));                          \
        ad_add(cpu, in, R_DI, string_step(cpu, N / 8));                                            \
    }                                                                                              \
    static inline void outs_one##N(struct x86_cpu *cpu, const struct insn *in)                     \
    {                                                                                              \
        unsigned port = reg_r16(cpu, GPR_OFF(R_DX));                                               \
        x86_io_check(cpu, port, N / 8);                                                            \
        x86_io_write(cpu, port, (uint32_t)x86_ld##N(cpu, in->seg, ad_reg(cpu, in, R_SI)), N / 8);  \
        ad_add(cpu, in, R_SI, string_step(cpu, N / 8));                                            \
    }
FOR_SIZES(STRING_ONE)

#define STRING_PLAIN(name, N)                                                                      \
    RUN(str_##name##_##N)                                                                          \
    {                                                                                              \
        name##_one##N(cpu, in);                                                                    \
        INTERP_NEXT(cpu, in);                                                                      \
    }
#define STRING_PLAINS(name) FOR_SIZES_1(STRING_PLAIN, name)
STRING_PLAINS(movs)
STRING_PLAINS(cmps)
STRING_PLAINS(stos)
STRING_PLAINS(lods)
STRING_PLAINS(scas)
STRING_PLAINS(ins)
STRING_PLAINS(outs)

/* ---- runs of plain memory ---- */

/* The part of an operand that lies in one page of memory, from the current element on. */
struct run_part {
    uint8_t *host;               /* of the element at SI or DI */
    uint64_t count;              /* elements; 0: go one by one */
};

/* Elements from offset @off on in the direction of @step that need no further check. Faults as the
 * access to the first would. */
static struct run_part run_part(struct x86_cpu *cpu, const struct insn *in, unsigned seg,
                                uint64_t off, int64_t step, bool write)
{
    unsigned size = in->opsize;
    struct run_part none = {NULL, 0};
    uint64_t top = write ? cpu->seg_top_w[seg] : cpu->seg_top_r[seg];
    uint64_t lin = (cpu->s.seg[seg].base + off) & cpu->lin_mask;
    uint64_t in_page = lin & PAGE_OFFSET, count;
    if (off + size > top || in_page + size > PAGE_BYTES) {
        return none;
    }
    const struct tlb_entry *e = x86_tlb_slot(cpu, lin);
    if ((write ? e->wtag : e->rtag) != (lin & ~PAGE_OFFSET)) {
        e = x86_translate(cpu, lin, write ? ACC_WRITE : ACC_READ, cpu->cpl == 3);
    }
    if ((write ? e->wtag : e->rtag) != (lin & ~PAGE_OFFSET)) {
        return none;                                    /* a device, or somebody watches */
    }
    if (step > 0) {
        uint64_t end = min_u64(top, ad_mask(in) == ~0ull ? top : ad_mask(in) + 1);
        count = min_u64(PAGE_BYTES - in_page, end - off) / size;
    } else {
        count = min_u64(in_page, off) / size + 1;
    }
    return (struct run_part){(uint8_t *)(uintptr_t)(lin + e->addend), count};
}

/* A store of plain memory: tells the arena if some line of it is watched. */
static void stored(struct x86_cpu *cpu, const uint8_t *p, uint64_t bytes)
{
    uint64_t ram = (uint64_t)(p - cpu->arena->base);
    if (ram_marked(cpu->arena, ram, bytes)) {
        ram_touched(cpu->arena, ram, bytes);
    }
}

/* Copies @n elements one after the other, in the direction of @step: a destination inside the
 * source's path repeats what was written before, as the processor does. */
static void copy_elements(uint8_t *to, const uint8_t *from, uint64_t n, int64_t step)
{
    size_t size = (size_t)(step < 0 ? -step : step);
    uint8_t *to_low = step < 0 ? to - (n - 1) * size : to;
    const uint8_t *from_low = step < 0 ? from - (n - 1) * size : from;
    uint64_t bytes = n * size;
    bool apart = to_low + bytes <= from_low || from_low + bytes <= to_low;
    if (apart || (step > 0 ? to_low <= from_low : to_low >= from_low)) {
        memmove(to_low, from_low, bytes);
        return;
    }
    for (; n > 0; n--, to += step, from += step) {
        memmove(to, from, size);
    }
}

/* Any elements are a pattern of eight bytes; mostly all of those are equal. */
static void fill_elements(uint8_t *p, uint64_t v, uint64_t n, unsigned size)
{
    uint64_t bytes = n * size, each = v & (~0ull >> (64 - 8 * size)), done;
    uint64_t pattern = each * (~0ull / (~0ull >> (64 - 8 * size)));
    if (pattern == (uint8_t)v * 0x0101010101010101u) {
        memset(p, (int)(v & 0xff), bytes);
        return;
    }
    for (done = 0; done + 16 <= bytes; done += 16) {
        st64le(p + done, pattern);
        st64le(p + done + 8, pattern);
    }
    for (; done < bytes; done += size) {
        st_le(p + done, pattern, size);
    }
}

/* Each moves up to @most elements at once and SI and DI with them; returns how many, 0 if it
 * cannot. */
static uint64_t movs_run(struct x86_cpu *cpu, const struct insn *in, uint64_t most)
{
    int64_t step = string_step(cpu, in->opsize);
    struct run_part from = run_part(cpu, in, in->seg, ad_reg(cpu, in, R_SI), step, false);
    if (from.count == 0) {
        return 0;                                       /* the source's faults come first */
    }
    struct run_part to = run_part(cpu, in, S_ES, ad_reg(cpu, in, R_DI), step, true);
    uint64_t n = min_u64(most, min_u64(from.count, to.count));
    if (n == 0) {
        return 0;
    }
    copy_elements(to.host, from.host, n, step);
    stored(cpu, step < 0 ? to.host - (n - 1) * in->opsize : to.host, n * in->opsize);
    ad_add(cpu, in, R_SI, (int64_t)n * step);
    ad_add(cpu, in, R_DI, (int64_t)n * step);
    return n;
}

static uint64_t stos_run(struct x86_cpu *cpu, const struct insn *in, uint64_t most)
{
    int64_t step = string_step(cpu, in->opsize);
    struct run_part to = run_part(cpu, in, S_ES, ad_reg(cpu, in, R_DI), step, true);
    uint64_t n = min_u64(most, to.count);
    if (n == 0) {
        return 0;
    }
    uint8_t *low = step < 0 ? to.host - (n - 1) * in->opsize : to.host;
    fill_elements(low, cpu->s.gpr[R_AX], n, in->opsize);
    stored(cpu, low, n * in->opsize);
    ad_add(cpu, in, R_DI, (int64_t)n * step);
    return n;
}

/* Device to memory and back in blocks, where the port has them; upwards only. */
static uint64_t ins_run(struct x86_cpu *cpu, const struct insn *in, uint64_t most)
{
    unsigned port = reg_r16(cpu, GPR_OFF(R_DX)), size = in->opsize;
    x86_io_check(cpu, port, size);
    struct run_part to = run_part(cpu, in, S_ES, ad_reg(cpu, in, R_DI), size, true);
    uint64_t n = min_u64(most, to.count);
    if (n == 0 || (cpu->s.rflags & FL_DF) || !cpu->host_ops->read_block) {
        return 0;
    }
    n = cpu->host_ops->read_block(cpu->host, cpu->ports, port, to.host, size, (unsigned)n);
    if (n > 0) {
        stored(cpu, to.host, n * size);
        ad_add(cpu, in, R_DI, (int64_t)(n * size));
        interp_after_device(cpu);
    }
    return n;
}

static uint64_t outs_run(struct x86_cpu *cpu, const struct insn *in, uint64_t most)
{
    unsigned port = reg_r16(cpu, GPR_OFF(R_DX)), size = in->opsize;
    x86_io_check(cpu, port, size);
    struct run_part from = run_part(cpu, in, in->seg, ad_reg(cpu, in, R_SI), size, false);
    uint64_t n = min_u64(most, from.count);
    if (n == 0 || (cpu->s.rflags & FL_DF) || !cpu->host_ops->write_block) {
        return 0;
    }
    n = cpu->host_ops->write_block(cpu->host, cpu->ports, port, from.host, size, (unsigned)n);
    if (n > 0) {
        ad_add(cpu, in, R_SI, (int64_t)(n * size));
        interp_after_device(cpu);
    }
    return n;
}

static inline uint64_t no_run(struct x86_cpu *cpu, const struct insn *in, uint64_t most)
{
    return 0;
}

#define lods_run no_run
#define cmps_run no_run
#define scas_run no_run

/* ---- REP ---- */

/* What is done even if the count is 0. Addresses of 32 bits: the registers that the instruction
 * uses lose their upper halves at once in 64-bit mode. */
static inline void extend_count(struct x86_cpu *cpu, const struct insn *in)
{
    ad_add(cpu, in, R_CX, 0);
}

static inline void movs_begin(struct x86_cpu *cpu, const struct insn *in)
{
    extend_count(cpu, in);
    ad_add(cpu, in, R_SI, 0);
    ad_add(cpu, in, R_DI, 0);
}

static inline void stos_begin(struct x86_cpu *cpu, const struct insn *in)
{
    extend_count(cpu, in);
    ad_add(cpu, in, R_DI, 0);
}

static inline void ins_begin(struct x86_cpu *cpu, const struct insn *in)
{
    x86_io_check(cpu, reg_r16(cpu, GPR_OFF(R_DX)), in->opsize);
    extend_count(cpu, in);
}

#define lods_begin extend_count
#define cmps_begin extend_count
#define scas_begin extend_count
#define outs_begin ins_begin

static inline void count_down(struct x86_cpu *cpu, const struct insn *in, uint64_t by)
{
    ad_add(cpu, in, R_CX, -(int64_t)by);
}

/* REPE goes on while equal, REPNE while not; for the others either prefix is REP. */
static inline bool rep_goes_on(const struct x86_cpu *cpu, const struct insn *in, bool compares)
{
    return !compares || lf_zf(cpu) == (in->rep == REP_E);
}

/* [SDM3] "Instruction-Breakpoint Exception Condition": between iterations RF is set, so that a code
 * breakpoint stops a REP once. */
static inline void rep_ends(struct x86_cpu *cpu, const struct insn *in, bool done)
{
    cpu->s.rip = done ? x86_next_rip(cpu, in) : x86_insn_rip(cpu);
    if (unlikely(!done && interp_of(cpu)->single)) {
        x86_set_rflags(cpu, FL_RF, FL_RF);
    }
}

/* The body of a REP: true when the instruction is done. It pauses when a device access made
 * something due. */
#define REP_BODY(name, compares, N)                                                                \
    static bool rep_##name##N(struct x86_cpu *cpu, const struct insn *in)                          \
    {                                                                                              \
        struct interp *e = interp_of(cpu);                                                         \
        uint64_t left = interp_of(cpu)->single ? 1 : REP_CHUNK;                                    \
        bool more = true;                                                                          \
        uint64_t result = cpu->lf_result;                                                          \
        __typeof__(cpu->lf_aux) aux = cpu->lf_aux;                                                 \
        e->due = false;                                                                            \
        name##_begin(cpu, in);                                                                     \
        while (left > 0 && more && !e->due && ad_reg(cpu, in, R_CX) != 0) {                        \
            if (compares) { /* [SDM2] "REP": a fault leaves the flags of before */                 \
                cpu->lf_result = result;                                                           \
                cpu->lf_aux = aux;                                                                 \
            }                                                                                      \
            uint64_t n = name##_run(cpu, in, min_u64(left, ad_reg(cpu, in, R_CX)));                \
            if (n == 0) {                                                                          \
                name##_one##N(cpu, in);                                                            \
                n = 1;                                                                             \
            }                                                                                      \
            count_down(cpu, in, n);                                                                \
            left -= n;                                                                             \
            more = rep_goes_on(cpu, in, compares);                                                 \
        }                                                                                          \
        return !more || ad_reg(cpu, in, R_CX) == 0;                                                \
    }                                                                                              \
    RUN(str_##name##_alone##N)                                                                     \
    {                                                                                              \
        rep_ends(cpu, in, rep_##name##N(cpu, in));                                                 \
    }                                                                                              \
    void str_##name##_rep##N(struct x86_cpu *cpu, const struct insn *in)                           \
    {                                                                                              \
        str_##name##_alone##N(cpu, in);                                                            \
        return interp_chain(cpu);                                                                  \
    }
#define REP_BODIES(name, compares) FOR_SIZES_2(REP_BODY, name, compares)
REP_BODIES(movs, false)
REP_BODIES(cmps, true)
REP_BODIES(stos, false)
REP_BODIES(lods, false)
REP_BODIES(scas, true)
REP_BODIES(ins, false)
REP_BODIES(outs, false)
