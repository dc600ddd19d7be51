/*
 * A block that is one instruction with a part in the next page.
 *
 * Who jumps to a block knows that its page is where it was. The second page may have gone elsewhere
 * alone, so the block asks the TLB before it does anything. An entry that is gone (or another
 * page's, which has the same slot) says no more than that: the interpreter finds the code anew.
 */
#include "core/accel/jit/translate.h"

static void stop_unless(struct trans *t, int32_t field, uint64_t value)
{
    struct host_mem m = cpu_field(field);
    emit_mov_imm(&t->e, HOST_10, value);
    emit_rm(&t->e, 0x3b, 8, HOST_10, &m);
    t->second_page[t->n_second_page++] = emit_jcc(&t->e, 5);
}

void trans_second_page_begin(struct trans *t)
{
    const struct x86_cpu *cpu = &t->j->e->cpu;
    const struct block *b = t->block;
    t->n_second_page = 0;
    if (b->bytes == b->bytes1) {
        return;
    }
    trans_flags_aside(t);
    uint64_t lin = (t->context->cs_base + t->jb->rip + b->bytes1) & (t->wide ? ~0ull : 0xffffffff);
    size_t slot = t->context->tlb * TLB_SIZE + (lin >> PAGE_BITS & (TLB_SIZE - 1));
    int32_t entry = CPU_OFFSET(tlbs) + (int32_t)(slot * sizeof(struct tlb_entry));
    stop_unless(t, entry + (int32_t)offsetof(struct tlb_entry, xtag), lin);
    stop_unless(t, entry + (int32_t)offsetof(struct tlb_entry, addend),
                (uintptr_t)cpu->arena->base + b->ram2 - lin);
}

void trans_second_page_end(struct trans *t)
{
    if (t->n_second_page == 0) {
        return;
    }
    for (unsigned i = 0; i < t->n_second_page; i++) {
        emit_link(t->second_page[i], t->e.at);
    }
    emit_mov_imm(&t->e, HOST_8, (uintptr_t)t->jb);
    emit_mov_imm(&t->e, HOST_9, 0);
    emit_link(emit_jmp(&t->e), stubs_of(t)->exit_stop);
}
