/*
 * Memory for translated code: one memfd mapped twice, writable at one address and executable at
 * another, so that no address is ever both.
 */
#ifndef CORE_ACCEL_JIT_CODEMEM_H
#define CORE_ACCEL_JIT_CODEMEM_H

#include "core/base/error.h"

#include <stddef.h>
#include <stdint.h>

struct codemem {
    uint8_t *rw;             /* where code is written */
    uint8_t *rx;             /* where the same bytes run */
    size_t bytes;
};

/* @bytes is a multiple of the page size. Pages cost nothing until they are written. */
bool codemem_init(struct codemem *m, size_t bytes, struct error **err);
/* The same without a file: perf takes the memory of a memfd for a library, and has no names for
 * it. */
bool codemem_init_unnamed(struct codemem *m, size_t bytes, struct error **err);
void codemem_fini(struct codemem *m);

static inline uint8_t *codemem_rx(const struct codemem *m, const uint8_t *rw)
{
    return m->rx + (rw - m->rw);
}

#endif
