/* QMP on a character device. */
#ifndef CORE_DEBUG_QMP_H
#define CORE_DEBUG_QMP_H

#include "core/debug/debug.h"

/* A monitor of @d on @c, which stays the caller's and must outlive it; debug_free ends it. @pretty:
 * answers over several lines. False and err if this build has no JSON library. [locked] */
bool qmp_new(struct debug *d, struct chardev *c, bool pretty, struct error **err);

#endif
