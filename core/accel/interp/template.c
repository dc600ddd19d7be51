/*
 * Templates of decoded instructions. What depends on an instruction's constants is the constants
 * alone: places says where decode() found them, and that there is nothing more.
 */
#include "core/accel/interp/template.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"

#define HEAD_BYTES 8u

/* The mask of @n bytes from byte @at on, as far as a head goes. */
static uint64_t bytes_mask(unsigned at, unsigned n)
{
    uint64_t mask = n < HEAD_BYTES ? BIT64(8 * n) - 1 : ~0ull;
    return n && at < HEAD_BYTES ? mask << (8 * at) : 0;
}

static unsigned slot(uint64_t word, unsigned n, uint32_t mode)
{
    uint64_t key = (word & bytes_mask(0, n)) ^ (uint64_t)mode << 32;
    return (unsigned)(key * 0x9e3779b97f4a7c15ull >> 54);
}
_Static_assert(TEMPLATES == 1u << (64 - 54), "slot gives so many bits");

/* Eight bytes are read whatever the size, since that is what the host does at once. */
static uint64_t constant(const uint8_t *bytes, unsigned at, unsigned size, bool is_signed)
{
    unsigned shift = 64 - 8 * size;
    uint64_t v = ld64le(bytes + at) << shift;
    return is_signed ? (uint64_t)((int64_t)v >> shift) : v >> shift;
}

bool template_find(const struct templates *t, const uint8_t *bytes, uint32_t mode, struct insn *in,
                   bool *ends)
{
    uint64_t word = ld64le(bytes);
    unsigned n = t->by_one[word & 0xff];
    const struct template *e = &t->entries[slot(word, n < 2 ? n : t->by_two[word & 0xffff], mode)];
    if (!e->used || e->mode != mode || (word & e->mask) != e->head) {
        return false;
    }
    *in = e->insn;
    if (e->places.disp_size) {
        in->disp = (int32_t)constant(bytes, e->places.disp_at, e->places.disp_size, true);
    }
    if (e->places.imm_size) {
        in->imm = constant(bytes, e->places.imm_at, e->places.imm_size, e->places.imm_signed);
    }
    *ends = e->ends;
    return true;
}

static void learn_less(uint8_t *known, unsigned n)
{
    *known = (uint8_t)(*known && *known < n ? *known : n);
}

void template_learn(struct templates *t, const uint8_t *bytes, uint32_t mode,
                    const struct decode_places *places, const struct insn *in, bool ends)
{
    uint64_t mask = bytes_mask(0, in->len) & ~bytes_mask(places->disp_at, places->disp_size) &
                    ~bytes_mask(places->imm_at, places->imm_size);
    unsigned head = in->len - places->disp_size - places->imm_size, n = head < 4 ? head : 4;
    if (places->others || head > HEAD_BYTES || (unsigned)__builtin_popcountll(mask) != 8 * head) {
        return;
    }
    uint64_t word = ld64le(bytes);
    learn_less(&t->by_one[word & 0xff], n < 2 ? n : 2);
    if (t->by_one[word & 0xff] == 2) {
        learn_less(&t->by_two[word & 0xffff], n);
        n = t->by_two[word & 0xffff];
    } else {
        n = 1;
    }
    t->entries[slot(word, n, mode)] = (struct template){
        .mask = mask, .head = word & mask, .mode = mode, .used = true, .ends = ends,
        .places = *places, .insn = *in,
    };
}
