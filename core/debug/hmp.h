/* The human monitor on a character device. */
#ifndef CORE_DEBUG_HMP_H
#define CORE_DEBUG_HMP_H

#include "core/debug/debug.h"

/* A monitor of @d on @c, which stays the caller's and must outlive it; debug_free ends it.
 * [locked] */
void hmp_new(struct debug *d, struct chardev *c);

#endif
