/*
 * The ways into and out of translated code.
 */
#include "core/accel/jit/code.h"

static const enum host_reg saved[] = {HOST_BX, HOST_BP, HOST_12, HOST_13, HOST_14, HOST_15};

static void push(struct emit *e, enum host_reg r)
{
    if (r >= HOST_8) {
        emit_u8(e, 0x41);
    }
    emit_u8(e, 0x50 | (r & 7));
}

static void pop(struct emit *e, enum host_reg r)
{
    if (r >= HOST_8) {
        emit_u8(e, 0x41);
    }
    emit_u8(e, 0x58 | (r & 7));
}

static void move_sp(struct emit *e, int by)
{
    emit_lea(e, 8, HOST_SP, HOST_SP, HOST_NONE, by);
}

/* @guard: what is added to it, for STUBS_LIVE. Uses R10;
 * EFLAGS stays. */
static void load_guest(struct emit *e, enum stubs_kind kind, uintptr_t guard)
{
    emit_load(e, 8, REG_BUDGET, CPU_OFFSET(budget));
    if (kind == STUBS_LIVE) {
        emit_mov_imm(e, HOST_10, guard);
        emit_lea(e, 8, REG_BUDGET, REG_BUDGET, HOST_10, 0);
    }
    for (unsigned r = 0; r < 8; r++) {
        emit_load(e, 8, guest_reg(r), 8 * (int32_t)r);
    }
}

static void store_integers(struct emit *e, enum stubs_kind kind, uintptr_t guard)
{
    if (kind == STUBS_LIVE) {
        emit_mov_imm(e, HOST_11, 0 - (uint64_t)guard);
        emit_lea(e, 8, REG_BUDGET, REG_BUDGET, HOST_11, 0);
    }
    emit_store(e, 8, REG_BUDGET, CPU_OFFSET(budget));
    for (unsigned r = 0; r < 8; r++) {
        emit_store(e, 8, guest_reg(r), 8 * (int32_t)r);
    }
}

static void store_guest(struct emit *e, enum stubs_kind kind, uintptr_t guard)
{
    jit_fp_emit_store(e);
    store_integers(e, kind, guard);
}

/* Calls C on its own stack: translated code has the host's stack for the returns it expects. */
static void to_c_stack(struct emit *e)
{
    emit_store(e, 8, HOST_SP, ENGINE_OFFSET(translated.returns));
    emit_load(e, 8, HOST_SP, ENGINE_OFFSET(translated.c_stack));
}

static void from_c_stack(struct emit *e)
{
    emit_load(e, 8, HOST_SP, ENGINE_OFFSET(translated.returns));
}

/* At the start of what translated code calls: where it returns to is no return of the guest's, and
 * C may never come back. */
static void begin_called(struct emit *e)
{
    struct host_mem back = cpu_field(ENGINE_OFFSET(translated.back));
    emit_rm(e, 0x8f, 4, (enum host_reg)0, &back);       /* pop [back] */
}

static void end_called(struct emit *e)
{
    struct host_mem back = cpu_field(ENGINE_OFFSET(translated.back));
    from_c_stack(e);
    emit_rm(e, 0xff, 4, (enum host_reg)6, &back);       /* push [back] */
    emit_u8(e, 0xc3);
}

/* Back from C, on its stack. */
static void leave(struct emit *e)
{
    move_sp(e, 8);
    for (unsigned i = ARRAY_SIZE(saved); i-- > 0;) {
        pop(e, saved[i]);
    }
    emit_u8(e, 0xc3);
}

/* Goes on at RAX, or back to C if that is 0. Here R8 leads to what is entered, too. */
static uint8_t *make_go_on(struct jit *j, struct emit *e, uint8_t **again)
{
    uint8_t *start = e->at;
    emit_rr(e, 0x85, 8, HOST_AX, HOST_AX);              /* test rax, rax */
    uint8_t *out = emit_jcc(e, 4);
    emit_mov(e, 8, HOST_8, HOST_AX);
    *again = e->at;
    emit_lea(e, 8, HOST_14, REG_CPU, HOST_NONE, 0);
    emit_load(e, 8, REG_MARKS, ENGINE_OFFSET(translated.base));
    from_c_stack(e);
    load_guest(e, STUBS_NARROW, 0);
    emit_rr(e, 0xff, 4, 4, HOST_8);                     /* jmp r8 */
    emit_link(out, e->at);
    leave(e);
    return start;
}

/* void enter(cpu in DI, code in SI). Six registers, the return address and 8 bytes: SP is
 * aligned, and so it is whenever C is called. */
static uint8_t *make_enter(struct emit *e, const uint8_t *again)
{
    uint8_t *start = e->at;
    for (unsigned i = 0; i < ARRAY_SIZE(saved); i++) {
        push(e, saved[i]);
    }
    move_sp(e, -8);
    emit_mov(e, 8, HOST_8, HOST_SI);
    emit_store(e, 8, HOST_SP, ENGINE_OFFSET(translated.c_stack));
    emit_link(emit_jmp(e), again);
    return start;
}

typedef int (*called)(struct x86_cpu *cpu, struct jit_block *jb, unsigned index);
typedef int (*called_light)(struct x86_cpu *cpu, struct jit_block *jb, unsigned index,
                            unsigned what);
typedef const uint8_t *(*left)(struct x86_cpu *cpu, void *what, unsigned index);

static void call_c(struct emit *e, uintptr_t f)
{
    emit_lea(e, 8, HOST_DI, REG_CPU, HOST_NONE, 0);
    emit_mov(e, 8, HOST_SI, HOST_8);
    emit_mov(e, 4, HOST_DX, HOST_9);
    emit_mov_imm(e, HOST_AX, f);
    emit_rr(e, 0xff, 4, 2, HOST_AX);                    /* call rax */
}

static uint8_t *make_exit(struct emit *e, enum stubs_kind kind, uintptr_t guard, left f,
                          const uint8_t *go_on)
{
    uint8_t *start = e->at;
    if (kind == STUBS_LIVE && (f == jit_leave_chain || f == jit_leave_link)) {
        emit_save_flags(e);
    }
    store_guest(e, kind, guard);
    if (f == jit_leave_chain) {
        emit_store(e, 8, HOST_8, CPU_OFFSET(s.rip));
    }
    to_c_stack(e);
    call_c(e, (uintptr_t)f);
    emit_link(emit_jmp(e), go_on);
    return start;
}

/* From the jump @out on: the block is not gone on with. */
static void leave_by(struct emit *e, uint8_t *out, left f, const uint8_t *go_on)
{
    emit_link(out, e->at);
    call_c(e, (uintptr_t)f);
    emit_link(emit_jmp(e), go_on);
}

/* Called. */
static uint8_t *make_slow(struct emit *e, enum stubs_kind kind, uintptr_t guard, called f,
                          left leaves, const uint8_t *go_on)
{
    uint8_t *start = e->at;
    begin_called(e);
    store_guest(e, kind, guard);
    to_c_stack(e);
    call_c(e, (uintptr_t)f);
    emit_rr(e, 0x85, 4, HOST_AX, HOST_AX);              /* test eax, eax */
    uint8_t *out = emit_jcc(e, 5);
    jit_fp_emit_load(e);
    emit_flags_to_host(e);
    load_guest(e, kind, guard);
    end_called(e);
    leave_by(e, out, leaves, go_on);
    return start;
}

/* Likewise, with R10 as what @f does. Where the host holds registers of the FPU, it is a slow
 * instruction. */
static uint8_t *make_light(struct emit *e, enum stubs_kind kind, uintptr_t guard, called_light f,
                           const uint8_t *slow, const uint8_t *go_on)
{
    struct host_mem fp = cpu_field(ENGINE_OFFSET(translated.fp));
    uint8_t *start = e->at;
    emit_rm(e, 0x80, 1, 7, &fp);                        /* cmp byte [fp], 0 */
    emit_u8(e, 0);
    emit_link(emit_jcc(e, 5), slow);
    begin_called(e);
    store_integers(e, kind, guard);
    to_c_stack(e);
    emit_mov(e, 4, HOST_CX, HOST_10);
    call_c(e, (uintptr_t)f);
    emit_rr(e, 0x85, 4, HOST_AX, HOST_AX);
    uint8_t *out = emit_jcc(e, 5);
    load_guest(e, kind, guard);
    end_called(e);
    leave_by(e, out, jit_leave_slow, go_on);
    return start;
}

/* Called at the start of a block, all of which is the interpreter's if this cannot be. */
static uint8_t *make_fp_load(struct emit *e, enum stubs_kind kind, uintptr_t guard,
                             const uint8_t *exit_step)
{
    called f = jit_fp_load;
    uint8_t *start = e->at;
    begin_called(e);
    store_guest(e, kind, guard);
    emit_store(e, 8, HOST_8, ENGINE_OFFSET(translated.link));
    to_c_stack(e);
    call_c(e, (uintptr_t)f);
    emit_mov(e, 4, HOST_9, HOST_AX);
    jit_fp_emit_load(e);
    load_guest(e, kind, guard);
    emit_rr(e, 0x85, 4, HOST_9, HOST_9);                /* test r9d, r9d */
    uint8_t *out = emit_jcc(e, 5);
    end_called(e);
    emit_link(out, e->at);
    from_c_stack(e);
    emit_load(e, 8, HOST_8, ENGINE_OFFSET(translated.link));
    emit_mov_imm(e, HOST_9, 0);
    emit_link(emit_jmp(e), exit_step);
    return start;
}

/* Where the host returns to from below the calls that are known: it stays there. */
static uint8_t *make_no_return(struct emit *e)
{
    uint8_t *start = e->at;
    move_sp(e, -8);
    emit_rr(e, 0xff, 4, 4, REG_OTHER);
    return start;
}

void jit_make_stubs(struct jit *j)
{
    struct emit e = {
        .at = j->code.rw, .end = j->code.rw + j->code.bytes, .context = jit_low_context(j),
    };
    uint8_t *again, *go_on = make_go_on(j, &e, &again), *enter = make_enter(&e, again);
    uintptr_t guard = (uintptr_t)j->guard.base;
    for (enum stubs_kind kind = 0; kind < STUBS_KINDS; kind++) {
        j->stubs[kind] = (struct jit_stubs){
            .exit_chain = make_exit(&e, kind, guard, jit_leave_chain, go_on),
            .exit_link = make_exit(&e, kind, guard, jit_leave_link, go_on),
            .exit_step = make_exit(&e, kind, guard, jit_leave_step, go_on),
            .exit_stop = make_exit(&e, kind, guard, jit_leave_stop, go_on),
            .exit_op = make_exit(&e, kind, guard, jit_leave_op, go_on),
            .slow = make_slow(&e, kind, guard, jit_slow, jit_leave_slow, go_on),
            .rep = make_slow(&e, kind, guard, jit_rep, jit_leave_chain, go_on),
        };
        const uint8_t *slow = j->stubs[kind].slow;
        j->stubs[kind].io = make_light(&e, kind, guard, jit_io, slow, go_on);
        j->stubs[kind].load = make_light(&e, kind, guard, jit_load, slow, go_on);
        j->stubs[kind].store = make_light(&e, kind, guard, jit_store, slow, go_on);
        j->stubs[kind].fp_load = make_fp_load(&e, kind, guard, j->stubs[kind].exit_step);
    }
    j->enter = (void (*)(struct x86_cpu *, const uint8_t *))(uintptr_t)codemem_rx(&j->code, enter);
    j->returns.none = codemem_rx(&j->code, make_no_return(&e));
    j->first = e.at;
    jit_all_room(j);
}
