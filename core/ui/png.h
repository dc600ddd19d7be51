/* Screenshots. */
#ifndef CORE_UI_PNG_H
#define CORE_UI_PNG_H

#include "core/base/error.h"
#include "core/ui/surface.h"

/* Writes @s to @path as PNG (8-bit RGB); the file appears whole or not at all. Without libpng in
 * the build it fails with a message that says so. */
bool png_write(const char *path, const struct surface *s, struct error **err);

/* Writes @s as binary PPM (P6). */
bool ppm_write(const char *path, const struct surface *s, struct error **err);

#endif
