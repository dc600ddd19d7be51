/*
 * Intel 8237A DMA controllers: two of them, the first cascaded into channel 0 of the second, and
 * the page registers that give addresses their upper bits.
 *
 * Source: [8237A] "DMA Operation", "Register Description", "Software Commands"; [AT] "DMA
 *         Controller" for page registers and word channels; [PIIX3] "DMA Controller".
 * Pins:   DREQ0..3, 5..7 in. DACK, EOP and the bus are the calls of the devices.
 * Model:  transfers take no time and happen when the device calls, so single, demand and block mode
 *         differ only in what the sheet says of software requests (block mode alone serves them).
 * Left out: memory-to-memory transfers, with them the temporary register (reads 0) and address
 *         hold: the PIIX3 has none; priorities, timing and pin polarity (command bits 3 to 7) are
 *         kept and read by nobody.
 * Unsure: reading a write-only register gives ones, but offset 15 gives the mask, as later chips
 *         do; a device on a channel set to the other direction, or the illegal one, gets no data.
 */
#include "hw/chips/i8237.h"

#include "core/base/bits.h"
#include "core/base/log.h"
#include "trace/hw_chips.h"

enum {
    REG_COMMAND = 8, /* read: status */
    REG_REQUEST,
    REG_SINGLE_MASK,
    REG_MODE,
    REG_CLEAR_FLIP_FLOP,
    REG_MASTER_CLEAR, /* read: temporary */
    REG_CLEAR_MASK,
    REG_ALL_MASK,

    COMMAND_MEM_TO_MEM = 0x01,
    COMMAND_DISABLE = 0x04,

    MODE_TRANSFER = 0x0c, /* which: */
    MODE_VERIFY = 0x00,
    MODE_WRITE = 0x04,
    MODE_READ = 0x08,
    MODE_AUTOINIT = 0x10,
    MODE_DECREMENT = 0x20,
    MODE_SELECT = 0xc0, /* which: */
    MODE_BLOCK = 0x80,
    MODE_CASCADE = 0xc0,
};

/* ---- transfers ---- */

/* What a channel of this number is: its chip, its place in it. */
static struct i8237 *chip_of(struct i8237_pair *p, unsigned channel)
{
    return &p->chip[channel >> 2 & 1];
}

/* True if a request of @channel reaches the bus: channels 0..3 go through the second chip's channel
 * 0, and a channel in cascade mode moves nothing itself. */
static bool reaches_bus(const struct i8237_pair *p, unsigned channel)
{
    const struct i8237 *c = &p->chip[channel >> 2 & 1];
    const struct i8237 *upper = &p->chip[1];
    if (c->command & COMMAND_DISABLE ||
        (c->channel[channel & 3].mode & MODE_SELECT) == MODE_CASCADE) {
        return false;
    }
    return c == upper || (!(upper->command & COMMAND_DISABLE) && !(upper->mask & BIT(0)) &&
                          (upper->channel[0].mode & MODE_SELECT) == MODE_CASCADE);
}

bool i8237_ready(const struct i8237_pair *p, unsigned channel)
{
    return reaches_bus(p, channel) && !(p->chip[channel >> 2 & 1].mask & BIT(channel & 3));
}

/* The memory address of the channel's next transfer. Word channels shift the address left and take
 * seven bits from the page. The page never changes: addresses wrap at 64 KiB or 128 KiB. */
static uint32_t memory_address(const struct i8237 *c, const struct i8237_channel *ch)
{
    uint32_t page = c->shift ? ch->page & 0xfeu : ch->page;
    return page << 16 | (uint32_t)ch->address << c->shift;
}

/* Transfers left before TC, and before the address wraps. */
static unsigned run_length(const struct i8237_channel *ch)
{
    unsigned to_tc = ch->count + 1u;
    unsigned to_wrap = ch->mode & MODE_DECREMENT ? 1 : 0x10000u - ch->address;
    return to_tc < to_wrap ? to_tc : to_wrap;
}

/* [8237A] "Autoinitialize", "Status Register": what the end of the block does. */
static void terminal_count(struct i8237 *c, unsigned n)
{
    struct i8237_channel *ch = &c->channel[n];
    c->tc |= (uint8_t)BIT(n);
    c->request &= (uint8_t)~BIT(n);
    if (ch->mode & MODE_AUTOINIT) {
        ch->address = ch->base_address;
        ch->count = ch->base_count;
    } else {
        c->mask |= (uint8_t)BIT(n);
    }
}

/* Moves @units transfers on; true at TC. */
static bool advance(struct i8237 *c, unsigned n, unsigned units)
{
    struct i8237_channel *ch = &c->channel[n];
    bool tc = units == ch->count + 1u;
    ch->address = (uint16_t)(ch->mode & MODE_DECREMENT ? ch->address - units : ch->address + units);
    ch->count = (uint16_t)(ch->count - units);
    if (tc) {
        terminal_count(c, n);
    }
    return tc;
}

/* Up to @len bytes of @to_device or @from_device, whichever is not NULL; see the header. */
static unsigned transfer(struct i8237_pair *p, unsigned channel, uint8_t *to_device,
                         const uint8_t *from_device, unsigned len, bool *tc)
{
    struct i8237 *c = chip_of(p, channel);
    struct i8237_channel *ch = &c->channel[channel & 3];
    unsigned kind = ch->mode & MODE_TRANSFER;
    unsigned done = 0;
    *tc = false;
    if (kind != MODE_VERIFY && kind != (to_device != NULL ? MODE_READ : MODE_WRITE)) {
        log_guest("i8237: channel %u is not programmed for this direction (mode %02x)", channel,
                  ch->mode);
        return 0;
    }
    uint32_t address = memory_address(c, ch);
    while (!*tc && len - done >= 1u << c->shift) {
        unsigned units = (len - done) >> c->shift;
        unsigned run = run_length(ch);
        units = units < run ? units : run;
        unsigned bytes = units << c->shift;
        if (kind == MODE_READ) {
            space_read_bytes(&p->m->mem, memory_address(c, ch), to_device + done, bytes);
        } else if (kind == MODE_WRITE) {
            space_write_bytes(&p->m->mem, memory_address(c, ch), from_device + done, bytes);
        }
        done += bytes;
        *tc = advance(c, channel & 3, units);
    }
    trace_i8237_transfer(channel, address, done, *tc);
    return done;
}

unsigned i8237_read_memory(struct i8237_pair *p, unsigned channel, void *buf, unsigned len,
                           bool *tc)
{
    *tc = false;
    return i8237_ready(p, channel) ? transfer(p, channel, buf, NULL, len, tc) : 0;
}

unsigned i8237_write_memory(struct i8237_pair *p, unsigned channel, const void *buf, unsigned len,
                            bool *tc)
{
    *tc = false;
    return i8237_ready(p, channel) ? transfer(p, channel, NULL, buf, len, tc) : 0;
}

void i8237_dreq(struct i8237_pair *p, unsigned channel, bool level)
{
    struct i8237 *c = chip_of(p, channel);
    uint8_t bit = (uint8_t)BIT(channel & 3);
    c->dreq = (uint8_t)(level ? c->dreq | bit : c->dreq & ~bit);
}

/* [8237A] "Request Register": a software request is not maskable and runs a channel in block mode
 * to its TC. No device drives the bus then: what goes to memory is ones. At most 65536 transfers.
 */
static void run_requests(struct i8237_pair *p)
{
    static const uint8_t floating_bus[512] = {[0 ... 511] = 0xff};
    uint8_t sink[sizeof(floating_bus)];
    for (unsigned channel = 0; channel < 8; channel++) {
        struct i8237 *c = chip_of(p, channel);
        uint8_t mode = c->channel[channel & 3].mode;
        bool tc = false;
        unsigned moved = 1;
        if (!(c->request & BIT(channel & 3)) || (mode & MODE_SELECT) != MODE_BLOCK ||
            !reaches_bus(p, channel)) {
            continue;
        }
        while (!tc && moved != 0) {
            if ((mode & MODE_TRANSFER) == MODE_WRITE) {
                moved = transfer(p, channel, NULL, floating_bus, sizeof(floating_bus), &tc);
            } else {
                moved = transfer(p, channel, sink, NULL, sizeof(sink), &tc);
            }
        }
    }
}

/* ---- ports ---- */

/* Address and count registers: low byte, then high byte, by the flip-flop. */
static uint8_t read_byte_of(struct i8237 *c, uint16_t val)
{
    bool high = c->high_byte;
    c->high_byte = !high;
    return (uint8_t)(high ? val >> 8 : val);
}

/* A write goes to base and current register. */
static void write_byte_of(struct i8237 *c, uint16_t *base, uint16_t *current, uint8_t val)
{
    unsigned shift = c->high_byte ? 8 : 0;
    uint16_t others = (uint16_t)(0xff00u >> shift);
    *base = (uint16_t)((*base & others) | val << shift);
    *current = (uint16_t)((*current & others) | val << shift);
    c->high_byte = !c->high_byte;
}

/* Reads that change something: 0..7 toggle the flip-flop, 8 clears the TC bits. */
static uint8_t read_register(struct i8237 *c, unsigned reg)
{
    if (reg < 8) {
        const struct i8237_channel *ch = &c->channel[reg >> 1];
        return read_byte_of(c, reg & 1 ? ch->count : ch->address);
    }
    switch (reg) {
    case REG_COMMAND: {
        uint8_t status = (uint8_t)((c->dreq | c->request) << 4 | c->tc);
        c->tc = 0;
        return status;
    }
    case REG_MASTER_CLEAR:
        return 0;
    case REG_ALL_MASK:
        return 0xf0 | c->mask;
    default:
        return 0xff;
    }
}

/* [8237A] "Master Clear": as a reset, apart from the channels' registers. */
static void master_clear(struct i8237 *c)
{
    c->command = 0;
    c->request = 0;
    c->tc = 0;
    c->mask = 0xf;
    c->high_byte = false;
}

static void write_register(struct i8237 *c, unsigned reg, uint8_t val)
{
    uint8_t bit = (uint8_t)BIT(val & 3);
    switch (reg) {
    case REG_COMMAND:
        c->command = val;
        if (val & COMMAND_MEM_TO_MEM) {
            log_unimp("%s: memory-to-memory transfers", c->name);
        }
        break;
    case REG_REQUEST:
        c->request = (uint8_t)(val & 4 ? c->request | bit : c->request & ~bit);
        break;
    case REG_SINGLE_MASK:
        c->mask = (uint8_t)(val & 4 ? c->mask | bit : c->mask & ~bit);
        break;
    case REG_MODE:
        c->channel[val & 3].mode = val & 0xfc;
        break;
    case REG_CLEAR_FLIP_FLOP:
        c->high_byte = false;
        break;
    case REG_MASTER_CLEAR:
        master_clear(c);
        break;
    case REG_CLEAR_MASK:
        c->mask = 0;
        break;
    case REG_ALL_MASK:
        c->mask = val & 0xf;
        break;
    default: {
        struct i8237_channel *ch = &c->channel[reg >> 1 & 3];
        if (reg & 1) {
            write_byte_of(c, &ch->base_count, &ch->count, val);
        } else {
            write_byte_of(c, &ch->base_address, &ch->address, val);
        }
        return;
    }
    }
    run_requests(c->pair);
}

static uint64_t i8237_read(void *dev, uint64_t off, unsigned size)
{
    struct i8237 *c = dev;
    unsigned reg = (unsigned)off >> c->shift & 15; /* the second chip ignores A0 */
    uint8_t val = read_register(c, reg);
    trace_i8237_read(c->name, reg, val);
    return val;
}

static void i8237_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct i8237 *c = dev;
    unsigned reg = (unsigned)off >> c->shift & 15;
    trace_i8237_write(c->name, reg, (uint8_t)val);
    write_register(c, reg, (uint8_t)val);
}

static const struct region_ops i8237_ops = {.read = i8237_read, .write = i8237_write, .width = 1};

/* The register at port 80h + @off, or NULL. [AT] "Page Register Addresses" */
static uint8_t *page_register(struct i8237_pair *p, unsigned off)
{
    switch (off) {
    case 0x1:
        return &p->chip[0].channel[2].page;
    case 0x2:
        return &p->chip[0].channel[3].page;
    case 0x3:
        return &p->chip[0].channel[1].page;
    case 0x7:
        return &p->chip[0].channel[0].page;
    case 0x9:
        return &p->chip[1].channel[2].page;
    case 0xa:
        return &p->chip[1].channel[3].page;
    case 0xb:
        return &p->chip[1].channel[1].page;
    case 0xf:
        return &p->refresh_page;
    default:
        return NULL;
    }
}

static uint64_t page_read(void *dev, uint64_t off, unsigned size)
{
    struct i8237_pages *run = dev;
    const uint8_t *page = page_register(run->pair, run->first + (unsigned)off);
    return page != NULL ? *page : 0xff;
}

static void page_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct i8237_pages *run = dev;
    uint8_t *page = page_register(run->pair, run->first + (unsigned)off);
    if (page != NULL) {
        trace_i8237_page(0x80 + run->first + (unsigned)off, (uint8_t)val);
        *page = (uint8_t)val;
    }
}

static const struct region_ops page_ops = {.read = page_read, .write = page_write, .width = 1};

/* ---- reset, state, init ---- */

/* [8237A] "Master Clear". Addresses, counts and modes are undefined after power-up: zeros. The
 * DREQ lines are inputs and stay as they are driven. */
static void i8237_reset(void *dev)
{
    struct i8237_pair *p = dev;
    for (unsigned i = 0; i < 2; i++) {
        master_clear(&p->chip[i]);
        for (unsigned n = 0; n < 4; n++) {
            p->chip[i].channel[n] = (struct i8237_channel){0};
        }
    }
    p->refresh_page = 0;
}

static const struct state_field channel_state[] = {
    STATE(struct i8237_channel, base_address),
    STATE(struct i8237_channel, base_count),
    STATE(struct i8237_channel, address),
    STATE(struct i8237_channel, count),
    STATE(struct i8237_channel, mode),
    STATE(struct i8237_channel, page),
    STATE_END(),
};

static const struct state_field chip_state[] = {
    STATE_SUBS(struct i8237, channel, channel_state),
    STATE(struct i8237, command),
    STATE(struct i8237, mask),
    STATE(struct i8237, request),
    STATE(struct i8237, tc),
    STATE(struct i8237, dreq),
    STATE(struct i8237, high_byte),
    STATE_END(),
};

static const struct state_field i8237_state[] = {
    STATE_SUBS(struct i8237_pair, chip, chip_state),
    STATE(struct i8237_pair, refresh_page),
    STATE_END(),
};

static void i8237_loaded(void *dev)
{
    struct i8237_pair *p = dev;
    for (unsigned i = 0; i < 2; i++) {
        p->chip[i].mask &= 0xf;
        p->chip[i].request &= 0xf;
        p->chip[i].tc &= 0xf;
        p->chip[i].dreq &= 0xf;
    }
}

static const struct device_type i8237_type = {
    .name = "i8237",
    .version = 1,
    .reset = i8237_reset,
    .state = i8237_state,
    .loaded = i8237_loaded,
};

static void chip_init(struct i8237_pair *p, unsigned i, const char *name, uint16_t base)
{
    struct i8237 *c = &p->chip[i];
    c->name = name;
    c->pair = p;
    c->shift = i;
    region_io(&c->ports, name, &i8237_ops, c, 16u << i);
    region_map(&p->m->ports.root, &c->ports, base, 0);
}

void i8237_pair_init(struct i8237_pair *p, struct machine *m)
{
    /* port 80h and the other gaps belong to the board */
    static const struct {
        unsigned first, ports;
    } runs[] = {{0x1, 3}, {0x7, 1}, {0x9, 3}, {0xf, 1}};
    *p = (struct i8237_pair){.m = m};
    chip_init(p, 0, "i8237 bytes", 0x00);
    chip_init(p, 1, "i8237 words", 0xc0);
    for (unsigned i = 0; i < ARRAY_SIZE(runs); i++) {
        struct i8237_pages *run = &p->pages[i];
        run->pair = p;
        run->first = runs[i].first;
        region_io(&run->ports, "dma page", &page_ops, run, runs[i].ports);
        region_map(&m->ports.root, &run->ports, 0x80 + run->first, 0);
    }
    machine_add(m, &i8237_type, "i8237", p);
}
