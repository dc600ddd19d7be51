/*
 * A wire: an output pin's level carried to one input pin. Levels are logical (true = asserted).
 * A chip's outputs are `struct irq *` given to its init; the receiving chip owns the struct.
 */
#ifndef CORE_DEVICE_IRQ_H
#define CORE_DEVICE_IRQ_H

#include <stdbool.h>
#include <stddef.h>

struct irq {
    void (*set)(void *opaque, unsigned n, bool level); /* NULL: not connected */
    void *opaque;
    unsigned n;              /* which input of the receiver */
    bool level;              /* last level sent; saved by the sender's own state, not here */
};

static inline void irq_init(struct irq *i, void (*set)(void *, unsigned, bool), void *opaque,
                            unsigned n)
{
    *i = (struct irq){.set = set, .opaque = opaque, .n = n};
}

/* Drives the wire; a NULL wire is a pin that is not connected. The receiver sees every call, also
 * repeated levels. [locked] */
static inline void irq_set(struct irq *i, bool level)
{
    if (i != NULL) {
        i->level = level;
        if (i->set != NULL) {
            i->set(i->opaque, i->n, level);
        }
    }
}

static inline void irq_pulse(struct irq *i)
{
    irq_set(i, true);
    irq_set(i, false);
}

#endif
