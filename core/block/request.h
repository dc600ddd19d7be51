/*
 * Requests: reads, writes and flushes of an image that a worker thread carries out, so that neither
 * a vCPU nor the main loop waits for the host's disk.
 *
 * An image has one worker, started by its first request; it carries requests out in the order of
 * block_submit. Each ends with one call of its owner's `done`, locked:
 *   host driven clock: on the main loop, as soon as the worker is through;
 *   virtual clock: at the deadline that the owner gave, a modelled duration, where it waits for the
 *   worker if that is late. So the guest sees the same on any host.
 *
 * Order of calls: block_request_init; then block_submit and `done`, again and again; block_finish
 * or block_cancel before the image goes, block_cancel and the end of the loop before the request's
 * memory goes. All [locked].
 */
#ifndef CORE_BLOCK_REQUEST_H
#define CORE_BLOCK_REQUEST_H

#include "core/block/block.h"
#include "core/event/clock.h"
#include "core/event/loop.h"

enum block_op {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_WRITE_FLUSH,       /* a write that is on stable storage when it is done */
    BLOCK_FLUSH,
};

struct block_request {
    struct loop *loop;
    struct timer timer;      /* virtual clock: armed while pending; part of the owner's state */
    void (*done)(void *opaque);
    void *opaque;
    bool pending;            /* submitted, and done was not called yet */
    bool ok;                 /* result, for done to look at */
    struct error *err;       /* why not; done may take it and leave NULL */
    /* of the request under way */
    struct block *block;
    enum block_op op;
    uint64_t off;
    void *buf;               /* borrowed; the worker's until done */
    size_t len;
    struct block_request *next;
    bool carried_out;        /* guarded by the worker's mutex */
};

void block_request_init(struct block_request *r, struct loop *loop, struct clock *clock,
                        const char *name, void (*done)(void *opaque), void *opaque);

/* Starts @op on @b; @r is not pending. @buf is the worker's until done. @ns: how long it takes on
 * the virtual clock. */
void block_submit(struct block_request *r, struct block *b, enum block_op op, uint64_t off,
                  void *buf, size_t len, int64_t ns);

/* If @r is pending, waits for the worker and calls done before its time: the image is to go. */
void block_finish(struct block_request *r);

/* If @r is pending, waits for the worker and forgets the result; done is not called. What a write
 * had begun is in the image. A zeroed request is allowed. */
void block_cancel(struct block_request *r);

#endif
