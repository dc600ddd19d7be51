/* Screenshots as PNG (libpng). */
#include "core/ui/png.h"
#include "core/ui/picture_file.h"

#ifdef HAVE_LIBPNG

#include "core/base/alloc.h"

#include <png.h>
#include <stdlib.h>

/* libpng's way out of an error: remember what it said and jump back. */
struct png_failure {
    char *text;
};

static void png_failed(png_structp png, png_const_charp text)
{
    struct png_failure *f = png_get_error_ptr(png);
    f->text = xstrdup(text);
    png_longjmp(png, 1);
}

static void png_warned(png_structp png, png_const_charp text)
{
}

/* Everything that libpng can jump out of. @row has room for one line. */
static bool encode(png_structp png, png_infop info, FILE *f, const struct surface *s, uint8_t *row)
{
    if (setjmp(png_jmpbuf(png))) {
        return false;
    }
    png_init_io(png, f);
    png_set_IHDR(png, info, s->width, s->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (unsigned y = 0; y < s->height; y++) {
        picture_row_rgb(s, y, row);
        png_write_row(png, row);
    }
    png_write_end(png, info);
    return true;
}

static bool write_png(FILE *f, const struct surface *s, struct error **err)
{
    struct png_failure failure = {0};
    png_infop info = NULL;
    uint8_t *row = xcalloc(s->width, 3);
    png_structp png;
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &failure, png_failed, png_warned);
    bool ok = false;
    if (png != NULL) {
        info = png_create_info_struct(png);
        ok = info != NULL && encode(png, info, f, s, row);
    }
    if (!ok) {
        error_set(err, "libpng: %s", failure.text != NULL ? failure.text : "out of memory");
    }
    png_destroy_write_struct(&png, &info);
    free(failure.text);
    free(row);
    return ok;
}

bool png_write(const char *path, const struct surface *s, struct error **err)
{
    return picture_write(path, s, write_png, err);
}

#else

bool png_write(const char *path, const struct surface *s, struct error **err)
{
    return error_set(err, "%s: this build was made without libpng (write a .ppm instead)", path);
}

#endif
