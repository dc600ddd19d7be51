/*
 * The firmware configuration device: what the host tells SeaBIOS and guests about the machine.
 *
 * Source: [FWCFG] "QEMU Firmware Configuration (fw_cfg) Device", all sections.
 * Pins:   ports 510h (selector, 16 bits), 511h (data), 514h-51Bh (DMA address, big-endian).
 * Left out: writing of items, by port (ignored) and by DMA (ends with the error bit).
 * Chosen: a read of more than 64 MiB past an item's end is refused. A descriptor or buffer
 *         that is not all backed by memory ends the transfer with an error; what was moved before
 *         stays moved.
 */
#include "hw/pc/fw_cfg.h"

#include "core/base/bits.h"
#include "core/base/bytes.h"
#include "core/base/log.h"
#include "trace/hw_pc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SELECT_PORT      0x510
#define DMA_PORT         0x514
#define SELECT_IGNORED   0x4000u /* write channel of old versions */
#define MAX_FILE_BYTES   (64 * MiB)
#define MAX_ZEROS        (64 * MiB) /* a DMA may ask for this much past an item's end */

enum {
    ID_PORTS = 1,
    ID_DMA = 2,
};

enum {
    DMA_ERROR = 0x01,
    DMA_READ = 0x02,
    DMA_SKIP = 0x04,
    DMA_SELECT = 0x08,
    DMA_WRITE = 0x10,
};

static const uint8_t dma_signature[8] = "QEMU CFG";

/* ---- items ---- */

const struct fw_cfg_item *fw_cfg_find(const struct fw_cfg *f, uint16_t key)
{
    for (unsigned i = 0; i < f->n_items; i++) {
        const struct fw_cfg_item *item = &f->items[i];
        bool numbered = item->name[0] == '\0' || f->sealed;
        if (numbered && item->key == key) {
            return item;
        }
    }
    return NULL;
}

const struct fw_cfg_item *fw_cfg_find_file(const struct fw_cfg *f, const char *name)
{
    for (unsigned i = 0; i < f->n_items; i++) {
        if (f->items[i].name[0] != '\0' && strcmp(f->items[i].name, name) == 0) {
            return &f->items[i];
        }
    }
    return NULL;
}

static const uint8_t *copy_of(struct fw_cfg *f, const void *data, size_t bytes)
{
    uint8_t *copy = machine_alloc(f->machine, bytes + 1);
    if (bytes != 0) {
        memcpy(copy, data, bytes);
    }
    return copy;
}

void fw_cfg_add(struct fw_cfg *f, uint16_t key, const void *data, size_t bytes)
{
    assert(f->n_items < FW_CFG_MAX_ITEMS && fw_cfg_find(f, key) == NULL && bytes <= UINT32_MAX);
    f->items[f->n_items++] = (struct fw_cfg_item){
        .key = key, .data = copy_of(f, data, bytes), .bytes = (uint32_t)bytes,
    };
}

void fw_cfg_add_number(struct fw_cfg *f, uint16_t key, uint64_t val, unsigned bytes)
{
    uint8_t le[8];
    st64le(le, val);
    fw_cfg_add(f, key, le, bytes);
}

bool fw_cfg_add_live_file(struct fw_cfg *f, const char *name, const void *data, size_t bytes,
                          void (*selected)(void *opaque), void *opaque, struct error **err)
{
    struct fw_cfg_item *item = &f->items[f->n_items];
    size_t len = strlen(name);

    assert(!f->sealed);
    if (len == 0 || len >= FW_CFG_NAME_BYTES) {
        return error_set(err, "fw_cfg file name \"%s\": not 1 to %d characters", name,
                         FW_CFG_NAME_BYTES - 1);
    }
    if (fw_cfg_find_file(f, name) != NULL) {
        return error_set(err, "fw_cfg file \"%s\" is there already", name);
    }
    if (f->n_items >= FW_CFG_MAX_ITEMS - 1) { /* the directory needs one */
        return error_set(err, "fw_cfg file \"%s\": there are %u items already", name, f->n_items);
    }
    if (bytes > MAX_FILE_BYTES) {
        return error_set(err, "fw_cfg file \"%s\": %zu bytes are too many", name, bytes);
    }
    *item = (struct fw_cfg_item){
        .data = data, .bytes = (uint32_t)bytes, .selected = selected, .opaque = opaque,
    };
    memcpy(item->name, name, len);
    f->n_items++;
    return true;
}

bool fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, size_t bytes,
                     struct error **err)
{
    return fw_cfg_add_live_file(f, name, copy_of(f, data, bytes), bytes, NULL, NULL, err);
}

static int by_name(const void *a, const void *b)
{
    const struct fw_cfg_item *x = a, *y = b;
    return strcmp(x->name, y->name);
}

void fw_cfg_seal(struct fw_cfg *f)
{
    uint8_t dir[4 + FW_CFG_MAX_ITEMS * 64] = {0};
    unsigned n_files = 0;

    /* Items with fixed numbers have empty names and come first. */
    qsort(f->items, f->n_items, sizeof(f->items[0]), by_name);
    for (unsigned i = 0; i < f->n_items; i++) {
        struct fw_cfg_item *item = &f->items[i];
        uint8_t *entry = dir + 4 + 64 * n_files;
        if (item->name[0] == '\0') {
            continue;
        }
        item->key = (uint16_t)(FW_CFG_FILE_FIRST + n_files++);
        st32be(entry, item->bytes);
        st16be(entry + 4, item->key);
        memcpy(entry + 8, item->name, sizeof(item->name));
    }
    st32be(dir, n_files);
    fw_cfg_add(f, FW_CFG_FILE_DIR, dir, 4 + 64 * n_files);
    f->sealed = true;
}

/* ---- reading ---- */

static void select_item(struct fw_cfg *f, uint16_t key)
{
    const struct fw_cfg_item *item;

    f->key = (uint16_t)(key & ~SELECT_IGNORED);
    f->offset = 0;
    item = fw_cfg_find(f, f->key);
    trace_fw_cfg_select(f->key, item != NULL ? item->name : "(none)");
    if (item != NULL && item->selected != NULL) {
        item->selected(item->opaque);
    }
}

static uint32_t left(const struct fw_cfg *f)
{
    const struct fw_cfg_item *item = fw_cfg_find(f, f->key);
    return item != NULL ? item->bytes - f->offset : 0;
}

/* Takes the next @len bytes of the selected item; past its end there are zeros. */
static void take(struct fw_cfg *f, void *buf, uint32_t len)
{
    const struct fw_cfg_item *item = fw_cfg_find(f, f->key);
    uint32_t n = (uint32_t)min_u64(len, left(f));

    if (n != 0) {
        memcpy(buf, item->data + f->offset, n);
        f->offset += n;
    }
    memset((uint8_t *)buf + n, 0, len - n);
}

static void skip(struct fw_cfg *f, uint32_t len)
{
    f->offset += (uint32_t)min_u64(len, left(f));
}

/* ---- ports 510h and 511h ---- */

static uint64_t port_read(void *dev, uint64_t off, unsigned size)
{
    struct fw_cfg *f = dev;
    uint8_t byte;

    if (off + size <= 1) {
        return 0xff; /* the selector is write only */
    }
    take(f, &byte, 1);
    return size == 1 ? byte : 0xffu | (unsigned)byte << 8;
}

static void port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    if (off == 0 && size == 2) {
        select_item(dev, (uint16_t)val);
    }
}

/* ---- DMA ---- */

static bool dma_read(struct fw_cfg *f, uint64_t addr, uint32_t len)
{
    uint8_t chunk[4096];

    if (len > left(f) + MAX_ZEROS) {
        return false;
    }
    while (len != 0) {
        uint32_t n = (uint32_t)min_u64(len, sizeof(chunk));
        take(f, chunk, n);
        if (space_write_bytes(&f->machine->mem, addr, chunk, n) != n) {
            return false;
        }
        addr += n;
        len -= n;
    }
    return true;
}

/* [FWCFG] "Guest-side DMA Interface": read before skip, select before both. */
static void dma_run(struct fw_cfg *f, uint64_t descriptor)
{
    struct space *mem = &f->machine->mem;
    uint8_t raw[16];
    bool good = true;

    if (space_read_bytes(mem, descriptor, raw, sizeof(raw)) != sizeof(raw)) {
        trace_fw_cfg_dma_bad(descriptor);
        log_guest("fw_cfg: no memory at DMA descriptor %llx", (unsigned long long)descriptor);
        return;
    }
    uint32_t control = ld32be(raw), len = ld32be(raw + 4);
    uint64_t addr = ld64be(raw + 8);
    trace_fw_cfg_dma(control, len, addr);

    if (control & DMA_SELECT) {
        select_item(f, (uint16_t)(control >> 16));
    }
    if (control & DMA_READ) {
        good = dma_read(f, addr, len);
    } else if (control & DMA_WRITE) {
        good = false;
    } else if (control & DMA_SKIP) {
        skip(f, len);
    }
    st32be(raw, good ? 0 : DMA_ERROR);
    space_write_bytes(mem, descriptor, raw, 4);
}

static uint64_t dma_port_read(void *dev, uint64_t off, unsigned size)
{
    return ld_le(dma_signature + off, size);
}

static void dma_port_write(void *dev, uint64_t off, uint64_t val, unsigned size)
{
    struct fw_cfg *f = dev;
    uint32_t half = __builtin_bswap32((uint32_t)val);

    if (size != 4 || (off & 3) != 0) {
        return;
    }
    if (off == 0) {
        f->dma_high = half;
    } else {
        uint64_t descriptor = (uint64_t)f->dma_high << 32 | half;
        f->dma_high = 0;
        dma_run(f, descriptor);
    }
}

static const struct region_ops port_ops = {.read = port_read, .write = port_write, .width = 2};
static const struct region_ops dma_ops = {
    .read = dma_port_read, .write = dma_port_write, .width = 4,
};

/* ---- device ---- */

static void fw_cfg_reset(void *dev)
{
    struct fw_cfg *f = dev;
    f->key = FW_CFG_SIGNATURE;
    f->offset = 0;
    f->dma_high = 0;
}

/* Content is not saved: it is the host's, or made anew from what the other devices hold. */
static void fw_cfg_loaded(void *dev)
{
    struct fw_cfg *f = dev;
    const struct fw_cfg_item *item = fw_cfg_find(f, f->key);

    if (item != NULL && item->selected != NULL) {
        item->selected(item->opaque);
    }
    f->offset = (uint32_t)min_u64(f->offset, item != NULL ? item->bytes : 0);
}

static const struct state_field fw_cfg_state[] = {
    STATE(struct fw_cfg, key),
    STATE(struct fw_cfg, offset),
    STATE(struct fw_cfg, dma_high),
    STATE_END(),
};

static const struct device_type fw_cfg_type = {
    .name = "fw_cfg", .version = 1, .reset = fw_cfg_reset, .state = fw_cfg_state,
    .loaded = fw_cfg_loaded,
};

void fw_cfg_init(struct fw_cfg *f, struct machine *m)
{
    *f = (struct fw_cfg){.machine = m};
    region_io(&f->select_port, "fw_cfg", &port_ops, f, 2);
    region_io(&f->dma_ports, "fw_cfg-dma", &dma_ops, f, 8);
    region_map(&m->ports.root, &f->select_port, SELECT_PORT, 0);
    region_map(&m->ports.root, &f->dma_ports, DMA_PORT, 0);
    fw_cfg_add(f, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_number(f, FW_CFG_ID, ID_PORTS | ID_DMA, 4);
    machine_add(m, &fw_cfg_type, "fw_cfg", f);
}
