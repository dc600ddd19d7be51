/*
 * Post-mortems: when a machine dies (triple fault, dead halt, a loop that nothing can end, a reset
 * loop, an accelerator that cannot go on, nothing to boot), one line says why, and what was before
 * follows. The machine then does what hardware does. Once per death: the same again after a reset
 * is one line.
 *
 * Order of calls: postmortem_new when the board is built, postmortem_free before machine_fini.
 */
#ifndef CORE_DEBUG_POSTMORTEM_H
#define CORE_DEBUG_POSTMORTEM_H

#include "core/accel/vcpu.h"
#include "core/debug/causes.h"

struct postmortem;

struct postmortem *postmortem_new(struct machine *m);
void postmortem_free(struct postmortem *p); /* NULL is allowed */

/* What is known of a vCPU outside run: instructions, registers, stack, screen; lines that end with
 * a newline. @h may be NULL. [locked] */
void postmortem_details(struct machine *m, const struct x86_state *s, const struct x86_history *h,
                        struct text *out);

#endif
