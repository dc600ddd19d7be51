/*
 * A PCI bus and its functions: configuration mechanism 1 at CF8h/CFCh, base address registers as
 * regions, the expansion ROM, and INTx pins that arrive as four PIRQ lines.
 *
 * Order of calls: pci_bus_init by the host bridge; pci_device_init by each function, which then
 * sets the rest of power_on[] and wmask[], adds its BARs, and has pci_device_reset,
 * pci_device_loaded and pci_device_state called from its own device type. Everything here is
 * [locked].
 *
 * Source: [PCI21] "Configuration Mechanism #1", chapter 6 "Configuration Space".
 */
#ifndef HW_PCI_PCI_H
#define HW_PCI_PCI_H

#include "core/device/machine.h"

#define PCI_DEVFN(slot, fn)  ((slot) << 3 | (fn))
#define PCI_SLOT(devfn)      ((devfn) >> 3)
#define PCI_FN(devfn)        ((devfn) & 7)

#define PCI_CONFIG_BYTES     256
#define PCI_BARS             6
#define PCI_ROM_SLOT         6      /* index of the expansion ROM in bars[] */
#define PCI_PIRQS            4

/* Registers of a type 0 header. */
enum {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION = 0x08,
    PCI_CLASS_PROG = 0x09,
    PCI_CACHE_LINE = 0x0c,
    PCI_LATENCY = 0x0d,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR0 = 0x10,
    PCI_SUBSYSTEM_VENDOR = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_ROM_BAR = 0x30,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
};

enum {
    PCICMD_IOSE = 0x0001,    /* I/O space enable */
    PCICMD_MSE = 0x0002,     /* memory space enable */
    PCICMD_BME = 0x0004,     /* bus master enable */
    PCICMD_SERRE = 0x0100,
    PCICMD_INTD = 0x0400,    /* INTx disable */
};

enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM, PCI_BAR_PREFETCH, PCI_BAR_ROM };

struct pci_bar {
    enum pci_bar_kind kind;
    struct region *region;   /* borrowed from the function; its size is a power of two */
};

struct pci_bus;

struct pci_device {
    struct pci_bus *bus;
    const char *name;        /* borrowed */
    uint8_t devfn;
    uint8_t config[PCI_CONFIG_BYTES];
    bool intx;               /* level the function gives its interrupt pin */
    /* Fixed after init: */
    uint8_t power_on[PCI_CONFIG_BYTES]; /* what reset puts into config */
    uint8_t wmask[PCI_CONFIG_BYTES];    /* bits that software can write */
    uint8_t w1cmask[PCI_CONFIG_BYTES];  /* bits that writing 1 clears */
    struct pci_bar bars[PCI_BARS + 1];
    struct ram_block rom;               /* expansion ROM image, if there is one */
    struct region rom_region;
    /* Told after software wrote @size bytes at @off (off + size <= 256); may be NULL. */
    void (*written)(struct pci_device *d, unsigned off, unsigned size);
    struct pci_device *next;
};

struct pci_bus {
    struct machine *machine;
    struct region *mem;      /* where memory BARs appear: offset = bus address */
    struct pci_device *slots[256]; /* by devfn */
    struct pci_device *devices;    /* all of them, in order of init */
    uint32_t config_addr;    /* CONFADD: 31 enable, 23:16 bus, 15:8 devfn, 7:2 register */
    struct region addr_region, data_region;
    struct irq *pirq[PCI_PIRQS];   /* set by the interrupt router; NULL: not connected */
    /* Byte and word accesses to CF8h-CFBh are not configuration cycles: they go here, with the
     * offset from CF8h (the ISA bridge has its reset control register at CF9h). May be NULL. */
    const struct region_ops *narrow_ops;
    void *narrow;
};

struct pci_ids {
    uint16_t vendor, device;
    uint8_t revision;
    uint32_t class_code;     /* class << 16 | subclass << 8 | programming interface */
    uint8_t header_type;     /* 80h: more functions in this slot */
    uint8_t pin;             /* 1 INTA .. 4 INTD, 0 none */
};

/* Bus 0 of @m with its two ports. @mem is the container where memory BARs are mapped. */
void pci_bus_init(struct pci_bus *bus, struct machine *m, struct region *mem);

/* Puts @d at @devfn (which must be free) with the header that @ids gives and subsystem 1AF4:1100.
 * The command register's IOSE, MSE, BME, SERRE and INTD bits, the cache line size and the interrupt
 * line can be written; the caller may change power_on, wmask and w1cmask afterwards. */
void pci_device_init(struct pci_device *d, struct pci_bus *bus, const char *name, unsigned devfn,
                     const struct pci_ids *ids);

/* Adds base address register @n (0..5); @r's size is a power of two, at least 4 (I/O) or 16. */
void pci_add_bar(struct pci_device *d, unsigned n, enum pci_bar_kind kind, struct region *r);

/* Adds an expansion ROM that holds a copy of @image, its size rounded up to a power of two. */
bool pci_add_rom(struct pci_device *d, const void *image, size_t bytes, struct error **err);

/* Parts of the function's own reset, loaded and state table (STATE_SUB(.., pci,
 * pci_device_state)). */
void pci_device_reset(struct pci_device *d);
void pci_device_loaded(struct pci_device *d);
extern const struct state_field pci_device_state[];

/* The address that BAR @n is mapped at, or UINT64_MAX while it is not decoded. */
uint64_t pci_bar_address(const struct pci_device *d, unsigned n);

/* Drives the function's interrupt pin. */
void pci_set_intx(struct pci_device *d, bool level);

/* Which PIRQ (0..3) pin @pin (1..4) of @slot is wired to on this board. */
unsigned pci_pirq(unsigned slot, unsigned pin);

/* Configuration space as a bus master sees it, size 1, 2 or 4; absent functions give all ones. */
uint32_t pci_config_read(struct pci_bus *bus, unsigned devfn, unsigned off, unsigned size);
void pci_config_write(struct pci_bus *bus, unsigned devfn, unsigned off, uint32_t val,
                      unsigned size);

/* True if the @n bytes at @reg are touched by a write of @size bytes at @off. */
static inline bool pci_touches(unsigned off, unsigned size, unsigned reg, unsigned n)
{
    return off < reg + n && reg < off + size;
}

#endif
