/* What the picture formats share: a file that appears whole or not at all. */
#ifndef CORE_UI_PICTURE_FILE_H
#define CORE_UI_PICTURE_FILE_H

#include "core/base/error.h"
#include "core/ui/surface.h"

#include <stdio.h>

/* Writes @path by way of a temporary file next to it, with @encode. */
bool picture_write(const char *path, const struct surface *s,
                   bool (*encode)(FILE *f, const struct surface *s, struct error **err),
                   struct error **err);

/* Line @y as 3 bytes a pixel: red, green, blue. */
void picture_row_rgb(const struct surface *s, unsigned y, uint8_t *row);

#endif
