/*
 * The automation engine: carries a script out on a running machine.
 *
 * It lives on the machine's clock: the screen is examined every 10 ms of guest time, limits are
 * guest time, typing follows the guest's reading. So on the virtual clock a run is repeatable and a
 * busy host changes nothing; a guard in host time ends what guest time cannot end.
 *
 * Order of calls: expect_new after pc_init, expect_start before the vCPUs are resumed,
 * expect_finish when the main loop has ended, expect_free before machine_fini.
 */
#ifndef CORE_MAIN_EXPECT_H
#define CORE_MAIN_EXPECT_H

#include "core/device/chardev.h"
#include "core/device/machine.h"
#include "core/main/script.h"

#define EXPECT_PERIOD_NS     (10 * NS_PER_MS)
#define EXPECT_HOST_LIMIT_NS (300 * NS_PER_SEC)

/* Exit statuses. */
enum {
    STATUS_OK = 0,
    STATUS_USAGE = 1,
    STATUS_FAILED = 3,
    STATUS_TIME_LIMIT = 4,
    STATUS_TRIPLE_FAULT = 5,
    STATUS_DEAD_HALT = 6,
    STATUS_HOST_LIMIT = 7,
    STATUS_HANG = 8,
};

struct expect;

/* @s and @com1 (NULL: no serial port) are borrowed. NULL and err if the machine lacks what the
 * script uses. Makes the machine stop at a triple fault and at a halt for ever. [locked] */
struct expect *expect_new(struct machine *m, const struct script *s, struct chardev *com1,
                          int64_t host_limit_ns, struct error **err);
void expect_start(struct expect *e);    /* [locked] */

/* The process exit status that the end of the machine (m->stop_request) means. A failure is told on
 * standard error, with the last screen. [vCPUs out of run] */
int expect_finish(struct expect *e);
void expect_free(struct expect *e);     /* NULL is allowed */

#endif
