/*
 * Which function runs an instruction: decoding as the engine needs it.
 *
 * Source: insn.def's run column, by forms.h.
 */
#include "core/accel/interp/engine.h"

#define INSN(map, op, modrm, pfx, name, o1, o2, o3, attr, rd, wr, und, feat, run, emit, test)      \
    RUN_##run,
#define INSN8 INSN
static const struct row_run row_run[ROW_COUNT] = {
    {FORM_ONE(run_ud), true, 0},
#include "core/cpu/insn.def"
};
#undef INSN
#undef INSN8

/* The model has what the instruction needs. */
static bool has_features(const struct interp *e, const struct insn *in)
{
    const struct insn_info *info = &insn_info[in->row];
    return x86_has(e->cpu.model, info->feature) &&
           (!(info->attr & A_Y2) || in->vex != 32 || x86_has(e->cpu.model, X86_F_AVX2));
}

static const struct row_run *choose_row(const struct interp *e, struct insn *in)
{
    bool protected = (e->cpu.mode & (MODE_PE | MODE_VM)) == MODE_PE;
    if ((insn_info[in->row].attr & A_OLDER) && !has_features(e, in)) {
        in->row--;
    }
    if (((insn_info[in->row].attr & A_PROT) && !protected) || !has_features(e, in)) {
        return &row_run[ROW_NONE];
    }
    return &row_run[in->row];
}

/* Chooses the run function. True if the instruction ends its block. */
static bool choose(const struct interp *e, struct insn *in)
{
    const struct row_run *row = choose_row(e, in); /* may change in->row */
    bool rep = row != row_run && (insn_info[in->row].attr & A_STRING);
    bool second = rep ? in->rep != REP_NONE : in->mem;
    in->run = row->one ? row->one : row->forms[second][__builtin_ctz(in->opsize | 8)];
    return row->ends || (rep && in->rep != REP_NONE);
}

static insn_run own_run(const struct block *b, const struct insn *in)
{
    return in == b->insns ? b->first : in->run;
}

insn_run block_op(const struct block *b, const struct insn *in)
{
    return own_run(b, in) == row_run[in->row].one ? row_run[in->row].op : NULL;
}

insn_run block_rep(const struct block *b, const struct insn *in)
{
    const insn_run(*forms)[4] = row_run[in->row].forms;
    unsigned size = (unsigned)__builtin_ctz(in->opsize | 8);
    bool rep = (insn_info[in->row].attr & A_STRING) && in->rep != REP_NONE;
    return rep && own_run(b, in) == forms[1][size] ? forms[2][size] : NULL;
}

static enum decode_mode decode_mode(const struct interp *e)
{
    return e->cpu.mode & MODE_CS64 ? DECODE_64 : e->cpu.mode & MODE_CS32 ? DECODE_32 : DECODE_16;
}

/* Decodes the instruction at @bytes in full. */
static bool decode_new(struct interp *e, struct insn *in, const uint8_t *bytes, unsigned n,
                       bool *ends)
{
    struct decode_places places;
    enum decode_status status = decode_with_places(bytes, n, decode_mode(e), in, &places);
    if (status == DECODE_SHORT) {
        return false;
    }
    if (status == DECODE_OK) {
        *ends = choose(e, in);
        if (n >= TEMPLATE_READS) {
            template_learn(&e->templates, bytes, e->cpu.mode & MODE_DECODE, &places, in, *ends);
        }
        return true;
    }
    *ends = true;
    in->row = ROW_NONE;
    in->run = status == DECODE_UD ? run_ud : run_too_long;
    return true;
}

bool interp_decode(struct interp *e, struct insn *in, const uint8_t *bytes, unsigned n, bool *ends)
{
    return (n >= TEMPLATE_READS &&
            template_find(&e->templates, bytes, e->cpu.mode & MODE_DECODE, in, ends)) ||
           decode_new(e, in, bytes, n, ends);
}
