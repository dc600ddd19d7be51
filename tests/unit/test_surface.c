/* Surfaces, code page 437, UTF-8, and pictures in files. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/ui/png.h"
#include "core/ui/surface.h"
#include "core/base/utf8.h"

#include <dirent.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_LIBPNG
#include <png.h>
#endif

static void printable_code_page_437_is_as_the_c_library_has_it(void **state)
{
    iconv_t cd = iconv_open("UTF-32LE", "CP437");
    if (cd == (iconv_t)-1) {
        skip();
    }
    for (unsigned c = 32; c < 256; c++) {
        char in = (char)c, *inp = &in;
        uint32_t cp = 0;
        char *outp = (char *)&cp;
        size_t in_left = 1, out_left = sizeof(cp);
        if (c == 127) {
            continue;                                   /* a control there, a house on the screen */
        }
        assert_int_equal(iconv(cd, &inp, &in_left, &outp, &out_left), 0);
        assert_int_equal(cp437_to_unicode((uint8_t)c), cp);
    }
    iconv_close(cd);
    assert_int_equal(cp437_to_unicode(0x01), 0x263a);
    assert_int_equal(cp437_to_unicode(0x1f), 0x25bc);
    assert_int_equal(cp437_to_unicode(0x7f), 0x2302);
    assert_int_equal(cp437_to_unicode(0x00), ' ');
}

static void every_code_point_survives_utf8(void **state)
{
    for (uint32_t cp = 0; cp <= 0x10ffff; cp++) {
        char buf[UTF8_MAX];
        size_t used;
        unsigned n = utf8_encode(cp, buf);
        bool surrogate = cp >= 0xd800 && cp < 0xe000;
        assert_int_equal(utf8_decode(buf, n, &used), surrogate ? UTF8_INVALID : cp);
        assert_int_equal(used, n);
        if (n > 1) {
            assert_int_equal(utf8_decode(buf, n - 1, &used), UTF8_INVALID);
            assert_int_equal(used, 0);
        }
    }
}

static void malformed_utf8_is_refused_a_byte_or_more_at_a_time(void **state)
{
    static const struct {
        const char *bytes;
        size_t used;
    } bad[] = {
        {"\x80", 1}, {"\xff", 1}, {"\xf8\x88\x80\x80", 1}, {"\xc0\xaf", 2}, {"\xe0\x80\xaf", 3},
        {"\xc3(", 1}, {"\xe2\x82(", 2}, {"\xf4\x90\x80\x80", 4},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        size_t used;
        assert_int_equal(utf8_decode(bad[i].bytes, strlen(bad[i].bytes), &used), UTF8_INVALID);
        assert_int_equal(used, bad[i].used);
    }
}

static void screen_text_has_no_trailing_blanks(void **state)
{
    struct text_screen *t = NEW(struct text_screen);
    char buf[64];
    t->cols = 10;
    t->rows = 3;
    for (unsigned i = 0; i < 10; i++) {
        t->cells[0][i].ch = ' ';
        t->cells[2][i].ch = i < 3 ? 0xc4 : 0;
    }
    t->cells[0][1].ch = 'A';
    t->cells[0][3].ch = 0xe1;
    assert_int_equal(text_screen_utf8(t, buf, sizeof(buf)), 4 + 2 - 1 + 1 + 1 + 9 + 1);
    assert_string_equal(buf, " A \u00df\n\n\u2500\u2500\u2500\n");
    free(t);
}

static void screen_text_is_cut_between_characters(void **state)
{
    struct text_screen *t = NEW(struct text_screen);
    char buf[64];
    t->cols = 3;
    t->rows = 1;
    for (unsigned i = 0; i < 3; i++) {
        t->cells[0][i].ch = 0xdb;                        /* 3 bytes each */
    }
    for (size_t size = 1; size < 12; size++) {
        memset(buf, 'x', sizeof(buf));
        size_t len = text_screen_utf8(t, buf, size);
        size_t fits = (size - 1) / 3 * 3;
        assert_int_equal(len, fits < 9 ? fits : size - 1 > 9 ? 10 : 9);
        assert_int_equal(buf[len], 0);
        assert_int_equal(buf[size], 'x');
    }
    assert_int_equal(text_screen_utf8(t, buf, 0), 0);
    free(t);
}

static void the_largest_screen_fits_in_the_promised_room(void **state)
{
    struct text_screen *t = NEW(struct text_screen);
    t->cols = TEXT_MAX_COLS;
    t->rows = TEXT_MAX_ROWS;
    for (unsigned y = 0; y < t->rows; y++) {
        for (unsigned x = 0; x < t->cols; x++) {
            t->cells[y][x].ch = 0xdb;
        }
    }
    size_t size = 3 * (t->cols + 1) * t->rows + 1;
    char *buf = xcalloc(size, 1);
    assert_int_equal(text_screen_utf8(t, buf, size), (3 * t->cols + 1) * t->rows);
    free(buf);
    free(t);
}

static struct surface picture(unsigned w, unsigned h)
{
    struct surface s = {0};
    surface_resize(&s, w, h);
    for (unsigned i = 0; i < w * h; i++) {
        s.pixels[i] = (i * 2654435761u) >> 8;
    }
    return s;
}

static void a_surface_grows_and_shrinks(void **state)
{
    struct surface s = picture(10, 10);
    surface_resize(&s, 4096, 4096);
    s.pixels[4096 * 4096 - 1] = 1;
    surface_resize(&s, 1, 1);
    assert_int_equal(s.width, 1);
    surface_fini(&s);
    assert_null(s.pixels);
}

static const char *temp_dir(void)
{
    static char dir[64];
    strcpy(dir, "/tmp/coldboot-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    return dir;
}

static unsigned files_in(const char *dir)
{
    unsigned n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        n += e->d_name[0] != '.';
    }
    closedir(d);
    return n;
}

static void a_ppm_holds_every_pixel(void **state)
{
    const char *dir = temp_dir();
    char *path = xasprintf("%s/a.ppm", dir);
    struct surface s = picture(37, 5);
    struct error *err = NULL;
    unsigned w, h;
    assert_true(ppm_write(path, &s, &err));
    FILE *f = fopen(path, "rb");
    assert_int_equal(fscanf(f, "P6\n%u %u\n255", &w, &h), 2);
    assert_int_equal(fgetc(f), '\n');
    assert_int_equal(w, 37);
    assert_int_equal(h, 5);
    for (unsigned i = 0; i < w * h; i++) {
        uint32_t r = (uint32_t)fgetc(f), g = (uint32_t)fgetc(f), b = (uint32_t)fgetc(f);
        assert_int_equal(r << 16 | g << 8 | b, s.pixels[i]);
    }
    assert_int_equal(fgetc(f), EOF);
    fclose(f);
    assert_int_equal(files_in(dir), 1);
    unlink(path);
    rmdir(dir);
    free(path);
    surface_fini(&s);
}

static void a_png_decodes_to_the_same_pixels(void **state)
{
#ifdef HAVE_LIBPNG
    const char *dir = temp_dir();
    char *path = xasprintf("%s/a.png", dir);
    struct surface s = picture(720, 40);
    struct error *err = NULL;
    png_image img = {.version = PNG_IMAGE_VERSION};
    assert_true(png_write(path, &s, &err));
    assert_int_equal(png_image_begin_read_from_file(&img, path), 1);
    assert_int_equal(img.width, 720);
    assert_int_equal(img.height, 40);
    img.format = PNG_FORMAT_RGB;
    uint8_t *rgb = xcalloc(PNG_IMAGE_SIZE(img), 1);
    assert_int_equal(png_image_finish_read(&img, NULL, rgb, 0, NULL), 1);
    for (unsigned i = 0; i < 720 * 40; i++) {
        const uint8_t *p = rgb + 3 * i;
        assert_int_equal((uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2], s.pixels[i]);
    }
    assert_int_equal(files_in(dir), 1);
    unlink(path);
    rmdir(dir);
    free(rgb);
    free(path);
    surface_fini(&s);
#else
    skip();
#endif
}

static void a_failed_picture_leaves_nothing_behind(void **state)
{
    struct surface s = picture(2000, 1000);
    struct error *err = NULL;
    assert_false(png_write("/nonexistent/a.png", &s, &err));
    assert_non_null(strstr(error_text(err), "/nonexistent/a.png"));
    error_free(err);
    err = NULL;
    if (access("/dev/full", W_OK) == 0) {
        assert_false(ppm_write("/dev/full", &s, &err));
        assert_non_null(strstr(error_text(err), "No space left"));
        error_free(err);
        err = NULL;
    }
    struct surface none = {0};
    assert_false(ppm_write("/tmp/coldboot-none.ppm", &none, &err));
    assert_int_equal(access("/tmp/coldboot-none.ppm", F_OK), -1);
    error_free(err);
    surface_fini(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_code_page_437_is_as_the_c_library_has_it),
        cmocka_unit_test(every_code_point_survives_utf8),
        cmocka_unit_test(malformed_utf8_is_refused_a_byte_or_more_at_a_time),
        cmocka_unit_test(screen_text_has_no_trailing_blanks),
        cmocka_unit_test(screen_text_is_cut_between_characters),
        cmocka_unit_test(the_largest_screen_fits_in_the_promised_room),
        cmocka_unit_test(a_surface_grows_and_shrinks),
        cmocka_unit_test(a_ppm_holds_every_pixel),
        cmocka_unit_test(a_png_decodes_to_the_same_pixels),
        cmocka_unit_test(a_failed_picture_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
