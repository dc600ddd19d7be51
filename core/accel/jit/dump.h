/* What people want to see of translations: their code, and where perf finds their names. */
#ifndef CORE_ACCEL_JIT_DUMP_H
#define CORE_ACCEL_JIT_DUMP_H

#include "core/accel/jit/jit.h"
#include "core/base/text.h"

/* Guest and host code of a translation whose block still exists. */
void jit_dump(const struct jit *j, const struct jit_block *jb, struct text *out);
/* Totals, one matter a line. */
void jit_show_stats(const struct jit *j, struct text *out);
/* Every line to the log. */
void jit_log(const struct text *text);

/* Opens /tmp/perf-PID.map, in which Linux perf looks for names; @first: begins it anew. Before
 * anything is translated. */
bool jit_perf_open(struct jit *j, bool first, struct error **err);
void jit_perf_add(struct jit *j, const struct jit_block *jb);

#endif
