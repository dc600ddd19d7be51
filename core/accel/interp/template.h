/*
 * Decoded instructions as templates: most instructions of a program differ from one that was
 * decoded before in their displacement and immediate only.
 *
 * A template is found by its head, the bytes that are neither of these. How many bytes tell one
 * head from another is learned: as many as the shortest head had that began alike, up to four.
 */
#ifndef CORE_ACCEL_INTERP_TEMPLATE_H
#define CORE_ACCEL_INTERP_TEMPLATE_H

#include "core/cpu/decode.h"

#define TEMPLATES        1024u
#define TEMPLATE_READS   24u      /* bytes that template_find must be able to read */

struct template {
    uint64_t mask, head;         /* of the first eight bytes: where the head is, and what */
    uint32_t mode;               /* what else decoding depended on */
    bool used, ends;             /* ends: its block ends with it */
    struct decode_places places;
    struct insn insn;            /* with run chosen; offset and index_in_block 0 */
};

struct templates {
    struct template entries[TEMPLATES];
    uint8_t by_one[256];         /* bytes that tell heads apart, 1 or 2; 0: not learned */
    uint8_t by_two[65536];       /* likewise, of those with 2: 2 to 4 */
};

/* True if the instruction at @bytes is like one that is known: then *in is what decoding it gives,
 * and *ends as template_learn was told. */
bool template_find(const struct templates *t, const uint8_t *bytes, uint32_t mode, struct insn *in,
                   bool *ends);
/* @in was decoded from @bytes, without an error. */
void template_learn(struct templates *t, const uint8_t *bytes, uint32_t mode,
                    const struct decode_places *places, const struct insn *in, bool ends);

#endif
