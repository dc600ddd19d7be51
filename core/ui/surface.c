#include "core/ui/surface.h"

#include "core/base/alloc.h"
#include "core/base/bits.h"

#include <assert.h>
#include <stdlib.h>

#define SURFACE_MAX 4096u

void surface_resize(struct surface *s, unsigned width, unsigned height)
{
    assert(width > 0 && width <= SURFACE_MAX && height > 0 && height <= SURFACE_MAX);
    size_t need = (size_t)width * height;
    if (need > s->cap) {
        s->pixels = xrealloc(s->pixels, need * sizeof(*s->pixels));
        s->cap = need;
    }
    s->width = width;
    s->height = height;
}

void surface_fini(struct surface *s)
{
    free(s->pixels);
    *s = (struct surface){0};
}
