/*
 * pc-testdev: scratch ports, scratch memory and interrupt lines for programs that test processors
 * and emulators (kvm-unit-tests).
 */
#ifndef HW_PC_PC_TESTDEV_H
#define HW_PC_PC_TESTDEV_H

#include "core/device/irq.h"
#include "core/device/machine.h"

#define PC_TESTDEV_IRQS      24
#define PC_TESTDEV_MEM       0xff000000u
#define PC_TESTDEV_MEM_BYTES 0x10000

struct pc_testdev {
    struct irq *irqs;        /* borrowed: n_irqs of them */
    unsigned n_irqs;
    struct region ports, flush, byte_ports, lines, mem;
    uint8_t scratch[4];      /* ports E0h-E3h, the same bytes as E8h-EBh */
    uint8_t memory[PC_TESTDEV_MEM_BYTES];
};

/* Writing to port 2000h + n drives @irqs[n]; lines from @n_irqs on lead nowhere. */
void pc_testdev_init(struct pc_testdev *t, struct machine *m, struct irq *irqs, unsigned n_irqs);

#endif
