/*
 * Intel 82371SB PIIX3, function 0: the PCI-to-ISA bridge 01.0 and the PC's system logic in it.
 *
 * The 8259 pair, the 8254 and the DMA controllers inside the real chip are parts of their own; this
 * one steers interrupts into the 8259s and holds ports 61h, 80h, 92h, F0h and CF9h.
 */
#ifndef HW_PIIX3_PIIX3_H
#define HW_PIIX3_PIIX3_H

#include "hw/chips/i8254.h"
#include "hw/chips/i8259.h"
#include "hw/pci/pci.h"

#define PIIX3_IRQS 16

struct piix3 {
    struct pci_device pci;
    struct machine *machine;
    struct i8259_pair *pic;              /* borrowed */
    struct i8254 *pit;                   /* borrowed: gate and output of counter 2 */
    struct irq *a20[MACHINE_MAX_VCPUS];  /* A20M# of each vCPU */
    unsigned n_a20;
    struct region port61, port80, port92, port_f0;

    /* Inputs, for the chips around. isa_irq[2] is the cascade and leads nowhere. */
    struct irq isa_irq[PIIX3_IRQS];
    struct irq pirq[PCI_PIRQS];
    struct irq kbc_a20;                  /* from the 8042's output port */
    struct irq ferr;                     /* FERR# of the FPU */
    struct irq iochk;                    /* IOCHK# of the ISA bus, true: asserted */
    struct irq nmi_mask;                 /* bit 7 of port 70h, from the MC146818 */

    /* Outputs besides the 8259s; borrowed, NULL: not connected. The board sets them. */
    struct irq *ioapic[PIIX3_IRQS];      /* every interrupt, steered ones included */
    struct irq *nmi;

    uint16_t isa_levels;                 /* bit n: ISA line n is high */
    uint8_t pirq_levels;
    bool kbc_a20_level;
    bool ferr_level, irq13;
    uint8_t nmisc;                       /* port 61h bits 3:0 */
    unsigned tone_hz;                    /* of the speaker; derived */
    bool iochk_level, nmi_masked;
    bool iochk_seen;                     /* port 61h bit 6 */
    bool nmi_level;                      /* derived: last level sent */
    uint8_t port92_val;                  /* bits 1:0 as written */
    uint8_t rcr;                         /* CF9h */
    uint8_t post_code;                   /* port 80h, last byte written */
};

/* The bridge at @devfn of @bus. @pic and @pit are only used once the machine runs. */
void piix3_init(struct piix3 *s, struct pci_bus *bus, unsigned devfn, struct i8259_pair *pic,
                struct i8254 *pit);

/* For i8254_on_write: counter 2 makes the speaker's tone. */
void piix3_counter_written(void *piix3, unsigned counter);

/* Adds a wire that follows A20: high unless both port 92h and the 8042 pull it low. */
void piix3_connect_a20(struct piix3 *s, struct irq *a20);

#endif
