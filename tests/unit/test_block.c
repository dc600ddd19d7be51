/* core/block: raw images, locks, the temporary overlay. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/block/block.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct files {
    char dir[64];
    char path[96];           /* an image of 200000 bytes, byte n = n / 512 + 1 */
};

#define IMAGE_BYTES 200000

static void fill(const char *path, size_t bytes)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < bytes; i++) {
        fputc((int)(i / 512 + 1), f);
    }
    assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
    struct files *f = calloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/test_block.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/a.img", f->dir);
    fill(f->path, IMAGE_BYTES);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct files *f = *state;
    unlink(f->path);
    rmdir(f->dir);
    free(f);
    return 0;
}

static uint8_t byte_in_file(const char *path, long off)
{
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    fseek(f, off, SEEK_SET);
    int c = fgetc(f);
    fclose(f);
    return (uint8_t)c;
}

static struct block *open_ok(const char *path, const char *format, unsigned flags)
{
    struct error *err = NULL;
    struct block *b = block_open(path, format, flags, &err);
    if (b == NULL) {
        print_error("%s\n", error_text(err));
    }
    assert_non_null(b);
    return b;
}

/* Opening must fail with @what in the text. */
static void open_fails(const char *path, const char *format, unsigned flags, const char *what)
{
    struct error *err = NULL;
    assert_null(block_open(path, format, flags, &err));
    if (strstr(error_text(err), what) == NULL) {
        print_error("'%s' has no '%s'\n", error_text(err), what);
    }
    assert_non_null(strstr(error_text(err), what));
    assert_non_null(strstr(error_text(err), path));
    error_free(err);
}

static void a_raw_image_is_its_bytes(void **state)
{
    struct files *f = *state;
    struct block *b = open_ok(f->path, NULL, 0);
    uint8_t buf[1024];

    assert_int_equal(b->bytes, IMAGE_BYTES);
    assert_true(block_read(b, 256, buf, sizeof(buf), NULL));
    assert_int_equal(buf[0], 1);
    assert_int_equal(buf[256], 2);
    assert_int_equal(buf[1023], 3);
    block_close(b);
}

static void a_write_is_in_the_file_after_a_flush(void **state)
{
    struct files *f = *state;
    struct block *b = open_ok(f->path, "raw", 0);

    assert_true(block_write(b, 1000, "\xaa\xbb", 2, NULL));
    assert_true(block_flush(b, NULL));
    assert_int_equal(byte_in_file(f->path, 1000), 0xaa);
    assert_int_equal(byte_in_file(f->path, 1001), 0xbb);
    assert_int_equal(byte_in_file(f->path, 1002), 2);
    block_close(b);
}

static void an_access_past_the_end_is_an_error(void **state)
{
    struct files *f = *state;
    struct block *b = open_ok(f->path, NULL, 0);
    uint8_t buf[16];
    struct error *err = NULL;

    assert_true(block_read(b, IMAGE_BYTES - 16, buf, 16, NULL));
    assert_false(block_read(b, IMAGE_BYTES - 15, buf, 16, &err));
    assert_non_null(strstr(error_text(err), "past the end"));
    error_free(err);
    assert_false(block_write(b, UINT64_MAX - 3, buf, 16, NULL));
    assert_false(block_read(b, UINT64_MAX, buf, 1, NULL));
    block_close(b);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_size, IMAGE_BYTES);
}

static void a_read_only_image_refuses_writes(void **state)
{
    struct files *f = *state;
    struct block *b = open_ok(f->path, NULL, BLOCK_READ_ONLY);
    struct error *err = NULL;

    assert_true(b->read_only);
    assert_false(block_write(b, 0, "x", 1, &err));
    assert_non_null(strstr(error_text(err), "read-only"));
    error_free(err);
    block_close(b);
    assert_int_equal(byte_in_file(f->path, 0), 1);
}

static void a_second_writer_is_told_of_the_first(void **state)
{
    struct files *f = *state;
    struct block *b = open_ok(f->path, NULL, 0);

    open_fails(f->path, NULL, 0, "in use by this machine");
    open_fails(f->path, NULL, BLOCK_READ_ONLY, "in use by this machine");
    block_close(b);
    block_close(open_ok(f->path, NULL, 0)); /* the lock went with the file */
}

static void the_error_of_a_locked_image_names_the_holder(void **state)
{
    struct files *f = *state;
    int ready[2], done[2];
    char c, text[64];

    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(done), 0);
    pid_t child = fork();
    if (child == 0) {
        struct block *b = block_open(f->path, NULL, 0, NULL);
        close(done[1]);
        _exit(b == NULL || write(ready[1], "r", 1) != 1 || read(done[0], &c, 1) < 0);
    }
    close(done[0]);
    assert_int_equal(read(ready[0], &c, 1), 1);
    snprintf(text, sizeof(text), "locked by process %d (", (int)child);
    open_fails(f->path, NULL, 0, text);
    open_fails(f->path, NULL, BLOCK_SNAPSHOT, text);
    close(done[1]);
    close(ready[0]);
    close(ready[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    block_close(open_ok(f->path, NULL, 0)); /* it died, so did its lock */
}

static void expect_locks(const char *path, unsigned flags, const char *bytes)
{
    struct block *b = open_ok(path, NULL, flags);
    char found[64] = "";
    int fd = open(path, O_RDONLY);
    for (int at = 0; at < 300; at++) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
        assert_int_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
        if (lock.l_type != F_UNLCK) {
            snprintf(found + strlen(found), sizeof(found) - strlen(found), " %d", at);
        }
    }
    close(fd);
    block_close(b);
    assert_string_equal(found, bytes);
}

static void the_locks_are_on_the_bytes_that_qemu_looks_at(void **state)
{
    struct files *f = *state;
    expect_locks(f->path, BLOCK_READ_ONLY, " 100 201 203");
    expect_locks(f->path, 0, " 100 101 103 201 203");
}

static void readers_share_an_image(void **state)
{
    struct files *f = *state;
    struct block *a = open_ok(f->path, NULL, BLOCK_READ_ONLY);
    struct block *b = open_ok(f->path, NULL, BLOCK_READ_ONLY);
    struct block *c = open_ok(f->path, NULL, BLOCK_SNAPSHOT);

    open_fails(f->path, NULL, 0, "in use by this machine");
    block_close(c);
    block_close(b);
    block_close(a);
}

static void a_snapshot_reads_back_its_writes_and_leaves_the_file_alone(void **state)
{
    struct files *f = *state;
    struct block *b = open_ok(f->path, NULL, BLOCK_SNAPSHOT);
    uint8_t data[3000], back[4000];

    assert_false(b->read_only);
    memset(data, 0xee, sizeof(data));
    assert_true(block_write(b, 65536 - 1000, data, sizeof(data), NULL)); /* two clusters */
    assert_true(block_write(b, IMAGE_BYTES - 1, data, 1, NULL));         /* the last, partial one */
    assert_true(block_flush(b, NULL));
    assert_true(block_read(b, 65536 - 1500, back, sizeof(back), NULL));
    for (unsigned i = 0; i < sizeof(back); i++) {
        uint8_t was = (uint8_t)((65536 - 1500 + i) / 512 + 1);
        assert_int_equal(back[i], i >= 500 && i < 3500 ? 0xee : was);
    }
    assert_true(block_read(b, IMAGE_BYTES - 2, back, 2, NULL));
    assert_int_equal(back[0], (uint8_t)((IMAGE_BYTES - 2) / 512 + 1));
    assert_int_equal(back[1], 0xee);
    block_close(b);
    for (long off = 0; off < IMAGE_BYTES; off += 500) {
        assert_int_equal(byte_in_file(f->path, off), (uint8_t)(off / 512 + 1));
    }
}

static void a_snapshot_of_a_file_we_may_not_write_works(void **state)
{
    struct files *f = *state;
    assert_int_equal(chmod(f->path, 0444), 0);
    struct block *b = open_ok(f->path, NULL, BLOCK_SNAPSHOT);
    assert_true(block_write(b, 0, "x", 1, NULL));
    block_close(b);
    if (geteuid() != 0) { /* root may write anything */
        open_fails(f->path, NULL, 0, "no permission to write");
    }
}

static void what_cannot_be_an_image_is_refused_by_name(void **state)
{
    struct files *f = *state;
    char other[128];

    snprintf(other, sizeof(other), "%s/absent.img", f->dir);
    open_fails(other, NULL, 0, "No such file");
    open_fails(f->dir, NULL, 0, "is a directory");
    open_fails(f->dir, NULL, BLOCK_READ_ONLY, "is a directory");
    open_fails("/dev/null", NULL, 0, "neither a regular file nor a block device");
    open_fails(f->path, "qcow7", 0, "unknown image format 'qcow7'");
    snprintf(other, sizeof(other), "%s/fifo", f->dir);
    assert_int_equal(mkfifo(other, 0600), 0);
    open_fails(other, NULL, BLOCK_READ_ONLY, "neither a regular file"); /* and does not wait */
    unlink(other);
    snprintf(other, sizeof(other), "%s/empty.img", f->dir);
    fill(other, 0);
    open_fails(other, NULL, 0, "is empty");
    unlink(other);
}

static void a_container_format_is_not_taken_for_raw_by_guess(void **state)
{
    struct files *f = *state;
    FILE *img = fopen(f->path, "r+");
    fwrite("QFI\xfb", 4, 1, img);
    fclose(img);
    open_fails(f->path, NULL, 0, "is a qcow2 image");
    block_close(open_ok(f->path, "raw", 0));
}

static void a_file_that_shrinks_gives_a_read_error(void **state)
{
    struct files *f = *state;
    struct block *b = open_ok(f->path, NULL, 0);
    struct error *err = NULL;
    uint8_t buf[512];

    assert_int_equal(truncate(f->path, 1024), 0);
    assert_true(block_read(b, 512, buf, 512, NULL));
    assert_false(block_read(b, 1024, buf, 512, &err));
    assert_non_null(strstr(error_text(err), "got shorter"));
    error_free(err);
    block_close(b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_raw_image_is_its_bytes),
        T(a_write_is_in_the_file_after_a_flush),
        T(an_access_past_the_end_is_an_error),
        T(a_read_only_image_refuses_writes),
        T(a_second_writer_is_told_of_the_first),
        T(the_error_of_a_locked_image_names_the_holder),
        T(the_locks_are_on_the_bytes_that_qemu_looks_at),
        T(readers_share_an_image),
        T(a_snapshot_reads_back_its_writes_and_leaves_the_file_alone),
        T(a_snapshot_of_a_file_we_may_not_write_works),
        T(what_cannot_be_an_image_is_refused_by_name),
        T(a_container_format_is_not_taken_for_raw_by_guess),
        T(a_file_that_shrinks_gives_a_read_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
