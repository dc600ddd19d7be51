/* Templates of decoded instructions: whatever was learned before, they give what decode() gives. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/accel/interp/template.h"
#include "core/base/alloc.h"
#include "tests/unit/random.h"

#include <stdlib.h>
#include <string.h>

#define CASES 3000000u

/* Few different bytes, so that heads come again; most of the rest are constants. */
static void random_code(uint64_t *seed, uint8_t bytes[TEMPLATE_READS])
{
    static const uint8_t likely[] = {
        0x66, 0x67, 0xf3, 0x48, 0x4c, 0x0f, 0x8b, 0x89, 0x81, 0x83, 0x05, 0xb8, 0xe8, 0x74, 0xc2,
        0xc8, 0xa1, 0x9a, 0x69, 0x6b, 0xf6, 0xf7, 0xc7, 0x80, 0xd8, 0xdd, 0xc5, 0xc4, 0x38, 0x3a,
        0x6f, 0x45, 0x44, 0x24, 0x04, 0x85, 0x84, 0x3d, 0x2e, 0x65, 0xba, 0x70, 0xd9, 0xfe,
    };
    for (unsigned i = 0; i < TEMPLATE_READS; i++) {
        uint64_t v = random_64(seed);
        bytes[i] = i < 5 && v % 8 ? likely[(v >> 8) % sizeof(likely)] : (uint8_t)(v >> 8);
    }
}

static void a_template_gives_what_decoding_gives(void **state)
{
    struct templates *t = NEW(struct templates);
    uint64_t seed = 1;
    unsigned found = 0;
    for (unsigned i = 0; i < CASES; i++) {
        uint8_t bytes[TEMPLATE_READS];
        enum decode_mode mode = (enum decode_mode)(random_64(&seed) % 3);
        struct insn in, like;
        struct decode_places places;
        bool ends = false;
        random_code(&seed, bytes);
        enum decode_status status = decode_with_places(bytes, sizeof(bytes), mode, &in, &places);
        if (template_find(t, bytes, mode, &like, &ends)) {
            found++;
            assert_int_equal(status, DECODE_OK);
            assert_memory_equal(&like, &in, sizeof(in));
            assert_int_equal(ends, in.row & 1);
        } else if (status == DECODE_OK) {
            template_learn(t, bytes, mode, &places, &in, in.row & 1);
        }
    }
    assert_true(found > CASES / 20);
    free(t);
}

static void other_modes_have_their_own_templates(void **state)
{
    static const uint8_t add[TEMPLATE_READS] = {0x05, 1, 2, 3, 4};
    struct templates *t = NEW(struct templates);
    struct insn in;
    struct decode_places places;
    bool ends;
    assert_int_equal(decode_with_places(add, sizeof(add), DECODE_32, &in, &places), DECODE_OK);
    template_learn(t, add, DECODE_32, &places, &in, false);
    assert_true(template_find(t, add, DECODE_32, &in, &ends));
    assert_false(template_find(t, add, DECODE_16, &in, &ends));
    free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_template_gives_what_decoding_gives),
        cmocka_unit_test(other_modes_have_their_own_templates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
