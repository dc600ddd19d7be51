/*
 * Two Intel 8237A DMA controllers as on an AT: channels 0..3 move bytes, 5..7 move words, channel 4
 * is the cascade of the first into the second; with the page registers.
 *
 * A device's side: it raises its DREQ while it wants service (only the status register shows it),
 * asks i8237_ready, and moves data itself with i8237_read_memory / i8237_write_memory, in pieces of
 * any size. It stops at *tc; an autoinitialised channel is ready again at once.
 */
#ifndef HW_CHIPS_I8237_H
#define HW_CHIPS_I8237_H

#include "core/device/machine.h"

struct i8237_pair;

struct i8237_channel {
    uint16_t base_address, base_count;
    uint16_t address, count; /* current; count is transfers left minus 1 */
    uint8_t mode;            /* as written, channel number masked off */
    uint8_t page;
};

struct i8237 {
    const char *name;
    struct i8237_pair *pair;
    struct region ports;
    unsigned shift; /* 0: byte channels, a port each; 1: word channels, two ports */
    struct i8237_channel channel[4];
    uint8_t command;
    uint8_t mask;    /* 1: DREQ ignored */
    uint8_t request; /* software requests */
    uint8_t tc;      /* reached since the last status read */
    uint8_t dreq;    /* levels of the inputs */
    bool high_byte;  /* the flip-flop: the next byte is the high one */
};

/* A run of neighbouring page register ports. */
struct i8237_pages {
    struct i8237_pair *pair;
    unsigned first; /* offset from port 80h */
    struct region ports;
};

struct i8237_pair {
    struct machine *m;
    struct i8237 chip[2];
    struct i8237_pages pages[4]; /* 81-83, 87, 89-8B, 8F */
    uint8_t refresh_page;        /* 8F: a register without effect */
};

/* Ports 00h-0Fh, C0h-DFh and page registers 81h-83h, 87h, 89h-8Bh, 8Fh. */
void i8237_pair_init(struct i8237_pair *p, struct machine *m);

/* The DREQ pin of @channel 0..3, 5..7. [locked] */
void i8237_dreq(struct i8237_pair *p, unsigned channel, bool level);

/* True if a transfer on @channel would be served: unmasked, controllers enabled, cascade open. */
bool i8237_ready(const struct i8237_pair *p, unsigned channel);

/* Moves up to @len bytes from memory to @buf (a "read" transfer), as @channel is programmed: an
 * even number on 5..7, none if the channel is not ready or set to the other direction. In verify
 * mode the addresses move and @buf is left as it is. Stops at terminal count. Returns the bytes
 * moved; *tc (not NULL) says whether TC was reached. [locked] */
unsigned i8237_read_memory(struct i8237_pair *p, unsigned channel, void *buf, unsigned len,
                           bool *tc);

/* The same from @buf to memory (a "write" transfer). [locked] */
unsigned i8237_write_memory(struct i8237_pair *p, unsigned channel, const void *buf, unsigned len,
                            bool *tc);

#endif
