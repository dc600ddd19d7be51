/* What the parts of the translator share: fixed registers, fields of the context. */
#ifndef CORE_ACCEL_JIT_CODE_H
#define CORE_ACCEL_JIT_CODE_H

#include "core/accel/jit/emit.h"
#include "core/accel/jit/jit.h"

#define REG_CPU    HOST_CONTEXT
#define REG_MARKS  HOST_13           /* marks, so that host address >> 6 indexes them; or */
#define REG_WINDOW HOST_13           /* linear address 0 in the window */
#define REG_BUDGET HOST_12
#define REG_ESP    HOST_15
#define REG_OTHER  HOST_11           /* of a return: where it goes on if R8 is not expected */

#define CPU_OFFSET(field)    ((int32_t)offsetof(struct x86_cpu, field))
#define ENGINE_OFFSET(field) ((int32_t)offsetof(struct interp, field))

static inline struct host_mem cpu_field(int32_t offset)
{
    return (struct host_mem){REG_CPU, HOST_NONE, 0, offset};
}

/* Host register of a guest GPR 0..7. */
static inline enum host_reg guest_reg(unsigned r)
{
    return r == R_SP ? REG_ESP : (enum host_reg)r;
}

static inline void emit_load(struct emit *e, unsigned size, enum host_reg reg, int32_t offset)
{
    struct host_mem m = cpu_field(offset);
    emit_rm(e, 0x8b, size, reg, &m);
}

static inline void emit_store(struct emit *e, unsigned size, enum host_reg reg, int32_t offset)
{
    struct host_mem m = cpu_field(offset);
    emit_rm(e, 0x89, size, reg, &m);
}

static inline void emit_mov(struct emit *e, unsigned size, enum host_reg to, enum host_reg from)
{
    emit_rr(e, 0x8b, size, to, from);
}

/* mov @reg, [base + index]; lea */
static inline void emit_lea(struct emit *e, unsigned size, enum host_reg reg, enum host_reg base,
                            enum host_reg index, int32_t disp)
{
    struct host_mem m = {base, index, 0, disp};
    emit_rm(e, 0x8d, size, reg, &m);
}

/* translated.flags from EFLAGS, which stays. Uses R10. */
static inline void emit_save_flags(struct emit *e)
{
    struct host_mem m = cpu_field(ENGINE_OFFSET(translated.flags));
    emit_mov(e, 8, HOST_10, HOST_AX);
    emit_u8(e, 0x9f);                                   /* lahf */
    emit_rr(e, 0x0f90, 1, (enum host_reg)0, HOST_AX);   /* seto al */
    emit_rm(e, 0x89, 2, HOST_AX, &m);
    emit_mov(e, 8, HOST_AX, HOST_10);
}

/* EFLAGS from translated.flags; AX is overwritten. */
static inline void emit_flags_to_host(struct emit *e)
{
    struct host_mem m = cpu_field(ENGINE_OFFSET(translated.flags));
    emit_rm(e, 0x0fb7, 4, HOST_AX, &m);
    emit_u8(e, 0x04);                                   /* add al, 7fh: OF if AL is 1 */
    emit_u8(e, 0x7f);
    emit_u8(e, 0x9e);                                   /* sahf */
}

#endif
