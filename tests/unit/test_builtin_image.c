/* The image that is part of the program. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/main/builtin_image.h"

#include <string.h>

static void the_builtin_image_is_a_floppy_that_can_be_written(void **state)
{
    struct block *image = builtin_image_open();
    uint8_t sector[512];
    assert_int_equal(image->bytes, 1440 * 1024);
    assert_true(block_read(image, 0, sector, sizeof(sector), NULL));
    assert_int_equal(sector[510] | sector[511] << 8, 0xaa55);
    memset(sector, 0x5a, sizeof(sector));
    assert_true(block_write(image, 1439 * 1024, sector, sizeof(sector), NULL));
    assert_true(block_read(image, 1439 * 1024, sector, sizeof(sector), NULL));
    assert_int_equal(sector[0], 0x5a);
    assert_false(block_write(image, 1440 * 1024, sector, sizeof(sector), NULL));
    block_close(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_builtin_image_is_a_floppy_that_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
