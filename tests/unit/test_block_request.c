/* core/block/request.h: workers, order, both clocks, cancelling, closing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/base/alloc.h"
#include "core/base/bits.h"
#include "core/block/drivers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* A block whose driver waits at a gate; the accesses it has made stand in `log`. */
struct slow {
    struct block *block;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool shut, fails;
    char log[32];            /* 'r', 'w', 'f' */
    uint8_t data[4096];
};

struct bench {
    struct lock lock;
    struct loop loop;
    struct clock clock;
    struct slow slow;
    struct block_request r[2];
    char order[16];          /* numbers of the requests whose done was called */
};

static void pass(struct slow *s, char what)
{
    pthread_mutex_lock(&s->mutex);
    while (s->shut) {
        pthread_cond_wait(&s->changed, &s->mutex);
    }
    s->log[strlen(s->log)] = what;
    pthread_mutex_unlock(&s->mutex);
}

static void gate(struct slow *s, bool shut)
{
    pthread_mutex_lock(&s->mutex);
    s->shut = shut;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->mutex);
}

static bool slow_read(struct block *b, uint64_t off, void *buf, size_t len, struct error **err)
{
    struct slow *s = b->impl;
    pass(s, 'r');
    memcpy(buf, s->data + off, len);
    return !s->fails || error_set(err, "read: this one fails");
}

static bool slow_write(struct block *b, uint64_t off, const void *buf, size_t len,
                       struct error **err)
{
    struct slow *s = b->impl;
    pass(s, 'w');
    memcpy(s->data + off, buf, len);
    return true;
}

static bool slow_flush(struct block *b, struct error **err)
{
    pass(b->impl, 'f');
    return true;
}

static void slow_close(struct block *b)
{
}

static const struct block_ops slow_ops = {
    .name = "slow", .read = slow_read, .write = slow_write, .flush = slow_flush,
    .close = slow_close,
};

static void done_first(void *opaque)
{
    struct bench *b = opaque;
    b->order[strlen(b->order)] = '1';
}

static void done_second(void *opaque)
{
    struct bench *b = opaque;
    b->order[strlen(b->order)] = '2';
    loop_quit(&b->loop);
}

static struct bench *new_bench(enum clock_driver driver)
{
    struct bench *b = NEW(struct bench);
    lock_init(&b->lock);
    assert_true(loop_init(&b->loop, &b->lock, NULL));
    clock_init(&b->clock, driver, 0);
    if (driver == CLOCK_HOST_DRIVEN) {
        loop_add_clock(&b->loop, &b->clock);
    }
    clock_start(&b->clock);
    pthread_mutex_init(&b->slow.mutex, NULL);
    pthread_cond_init(&b->slow.changed, NULL);
    b->slow.block = NEW(struct block);
    *b->slow.block = (struct block){
        .ops = &slow_ops, .bytes = sizeof(b->slow.data), .impl = &b->slow,
    };
    block_request_init(&b->r[0], &b->loop, &b->clock, "first", done_first, b);
    block_request_init(&b->r[1], &b->loop, &b->clock, "second", done_second, b);
    return b;
}

static int setup_host(void **state)
{
    *state = new_bench(CLOCK_HOST_DRIVEN);
    return 0;
}

static int setup_virtual(void **state)
{
    *state = new_bench(CLOCK_VIRTUAL);
    return 0;
}

static int teardown(void **state)
{
    struct bench *b = *state;
    gate(&b->slow, false);
    block_cancel(&b->r[0]);
    block_cancel(&b->r[1]);
    block_close(b->slow.block);
    pthread_cond_destroy(&b->slow.changed);
    pthread_mutex_destroy(&b->slow.mutex);
    loop_fini(&b->loop);
    clock_fini(&b->clock);
    lock_fini(&b->lock);
    free(b);
    return 0;
}

static void open_gate(void *opaque)
{
    struct bench *b = opaque;
    assert_string_equal(b->order, "");
    gate(&b->slow, false);
}

/* The submitter and the main loop go on while the image is slow. */
static void requests_end_on_the_loop_in_their_order(void **state)
{
    struct bench *b = *state;
    uint8_t out[512], in[512] = {0};
    memset(out, 0x5a, sizeof(out));
    gate(&b->slow, true);
    block_submit(&b->r[0], b->slow.block, BLOCK_WRITE, 1024, out, 512, 0);
    block_submit(&b->r[1], b->slow.block, BLOCK_READ, 1024, in, 512, 0);
    loop_defer(&b->loop, open_gate, b);
    loop_run(&b->loop);
    assert_string_equal(b->order, "12");
    assert_true(b->r[0].ok && b->r[1].ok);
    assert_false(b->r[1].pending);
    assert_int_equal(in[511], 0x5a);
    assert_string_equal(b->slow.log, "wr");
}

static void a_write_can_be_flushed_at_once(void **state)
{
    struct bench *b = *state;
    uint8_t out[512] = {0};
    block_submit(&b->r[0], b->slow.block, BLOCK_WRITE_FLUSH, 0, out, 512, 0);
    block_submit(&b->r[1], b->slow.block, BLOCK_FLUSH, 0, NULL, 0, 0);
    loop_run(&b->loop);
    assert_string_equal(b->slow.log, "wff");
}

static void failures_are_told(void **state)
{
    struct bench *b = *state;
    uint8_t in[512];
    b->slow.fails = true;
    block_submit(&b->r[0], b->slow.block, BLOCK_READ, 0, in, 512, 0);
    block_submit(&b->r[1], b->slow.block, BLOCK_READ, 4096 - 256, in, 512, 0);
    loop_run(&b->loop);
    assert_false(b->r[0].ok);
    assert_string_equal(error_text(b->r[0].err), "read: this one fails");
    assert_false(b->r[1].ok); /* past the end: the driver is not asked */
    assert_string_equal(b->slow.log, "r");
    b->slow.fails = false;
    block_submit(&b->r[1], b->slow.block, BLOCK_READ, 0, in, 512, 0);
    loop_run(&b->loop);
    assert_true(b->r[1].ok);
    assert_null(b->r[1].err);
}

static void a_read_only_image_is_not_written(void **state)
{
    struct bench *b = *state;
    uint8_t out[512] = {1};
    b->slow.block->read_only = true;
    block_submit(&b->r[1], b->slow.block, BLOCK_WRITE, 0, out, 512, 0);
    loop_run(&b->loop);
    assert_false(b->r[1].ok);
    assert_string_equal(b->slow.log, "");
}

/* The news of a cancelled request must not end the one that took its place. */
static void a_cancelled_request_can_be_used_again(void **state)
{
    struct bench *b = *state;
    uint8_t in[512];
    block_submit(&b->r[0], b->slow.block, BLOCK_READ, 0, in, 512, 0);
    block_cancel(&b->r[0]);
    assert_string_equal(b->slow.log, "r"); /* what had begun was waited for */
    assert_false(b->r[0].pending);
    gate(&b->slow, true);
    block_submit(&b->r[0], b->slow.block, BLOCK_FLUSH, 0, NULL, 0, 0);
    block_submit(&b->r[1], b->slow.block, BLOCK_FLUSH, 0, NULL, 0, 0);
    loop_defer(&b->loop, open_gate, b);
    loop_run(&b->loop);
    assert_string_equal(b->order, "12");
    assert_string_equal(b->slow.log, "rff");
}

static void finishing_calls_done_once(void **state)
{
    struct bench *b = *state;
    uint8_t in[512];
    block_submit(&b->r[0], b->slow.block, BLOCK_READ, 0, in, 512, 0);
    block_finish(&b->r[0]);
    assert_string_equal(b->order, "1");
    block_finish(&b->r[0]); /* nothing pends */
    block_submit(&b->r[1], b->slow.block, BLOCK_READ, 0, in, 512, 0);
    loop_run(&b->loop);
    assert_string_equal(b->order, "12");
}

static void *open_later(void *opaque)
{
    struct bench *b = opaque;
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    gate(&b->slow, false);
    return NULL;
}

static void a_direct_access_waits_for_requests(void **state)
{
    struct bench *b = *state;
    uint8_t out[512], in[512] = {0};
    pthread_t thread;
    memset(out, 0x77, sizeof(out));
    gate(&b->slow, true);
    block_submit(&b->r[0], b->slow.block, BLOCK_WRITE, 0, out, 512, 0);
    pthread_create(&thread, NULL, open_later, b);
    assert_true(block_read(b->slow.block, 0, in, 512, NULL));
    pthread_join(thread, NULL);
    assert_int_equal(in[0], 0x77);
    assert_string_equal(b->slow.log, "wr");
}

static void advance(struct bench *b, int64_t ns)
{
    clock_advance(&b->clock, ns);
    clock_run_timers(&b->clock);
}

/* Early or late, the worker does not change when the guest sees the end. */
static void on_the_virtual_clock_the_deadline_decides(void **state)
{
    struct bench *b = *state;
    uint8_t in[512];
    pthread_t thread;
    block_submit(&b->r[0], b->slow.block, BLOCK_READ, 0, in, 512, 1000);
    block_worker_drain(b->slow.block); /* long through */
    advance(b, 999);
    assert_string_equal(b->order, "");
    advance(b, 1);
    assert_string_equal(b->order, "1");
    gate(&b->slow, true);
    block_submit(&b->r[0], b->slow.block, BLOCK_READ, 0, in, 512, 1000);
    pthread_create(&thread, NULL, open_later, b);
    advance(b, 1000); /* waits for the gate */
    pthread_join(thread, NULL);
    assert_string_equal(b->order, "11");
    assert_true(b->r[0].ok);
}

static void a_cancelled_deadline_does_not_come(void **state)
{
    struct bench *b = *state;
    uint8_t in[512];
    block_submit(&b->r[0], b->slow.block, BLOCK_READ, 0, in, 512, 1000);
    block_cancel(&b->r[0]);
    advance(b, 5000);
    assert_string_equal(b->order, "");
}

static void closing_carries_out_what_was_submitted(void **state)
{
    struct bench *b = *state;
    uint8_t out[512];
    memset(out, 0x33, sizeof(out));
    block_submit(&b->r[0], b->slow.block, BLOCK_WRITE, 512, out, 512, 1000);
    block_submit(&b->r[1], b->slow.block, BLOCK_FLUSH, 0, NULL, 0, 1000);
    block_worker_stop(b->slow.block);
    assert_string_equal(b->slow.log, "wf");
    assert_int_equal(b->slow.data[512], 0x33);
}

int main(void)
{
#define H(name) cmocka_unit_test_setup_teardown(name, setup_host, teardown)
#define V(name) cmocka_unit_test_setup_teardown(name, setup_virtual, teardown)
    const struct CMUnitTest tests[] = {
        H(requests_end_on_the_loop_in_their_order),
        H(a_write_can_be_flushed_at_once),
        H(failures_are_told),
        H(a_read_only_image_is_not_written),
        H(a_cancelled_request_can_be_used_again),
        H(finishing_calls_done_once),
        H(a_direct_access_waits_for_requests),
        V(on_the_virtual_clock_the_deadline_decides),
        V(a_cancelled_deadline_does_not_come),
        V(closing_carries_out_what_was_submitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
