/*
 * Guided fuzzing of the engines, by clang's libFuzzer: what it makes up is a wild guest
 * (wild_guest.h), and it aborts where the JIT differs from the interpreter. `scripts/fuzz` builds
 * and runs it, and keeps what reaches new code in corpus.txt.
 *
 * Its bytes: where it starts, 8 of the seed, code.
 */
#include "tests/fuzz/wild_guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wild_pair pair;
    struct wild_guest g = {0};
    char why[120];
    if (size < 1 + 8 + CODE_BYTES_MIN) {
        return -1;
    }
    if (!pair.jit) {
        pair = wild_pair_new(false);
    }
    g.start = data[0] % START_COUNT;
    g.seed = ld64le(data + 1);
    g.bytes = (unsigned)(size - 9 < CODE_BYTES_MAX ? size - 9 : CODE_BYTES_MAX);
    memcpy(g.code, data + 9, g.bytes);
    if (!wild_run(&pair, &g, why, sizeof(why))) {
        fprintf(stderr, "%s\n", why);
        abort();
    }
    return 0;
}
