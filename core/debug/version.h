/* What QMP says about itself. */
#ifndef CORE_DEBUG_VERSION_H
#define CORE_DEBUG_VERSION_H

#include "core/base/json_out.h"

/* The members "qemu" and "package" of a version. */
void qmp_version(struct json_out *j, const char *package);

#endif
