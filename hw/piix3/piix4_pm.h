/*
 * Intel 82371AB PIIX4, function 3: power management and SMBus, as 01.3 beside the PIIX3 functions.
 */
#ifndef HW_PIIX3_PIIX4_PM_H
#define HW_PIIX3_PIIX4_PM_H

#include "hw/pci/pci.h"

#define PIIX4_PM_TIMER_HZ 3579545

/* SLP_TYP values, as the ACPI tables and etc/system-states announce them. */
enum { PIIX4_SLP_S5 = 0, PIIX4_SLP_S3 = 1, PIIX4_SLP_S4 = 2 };

struct piix4_pm_pins {
    struct irq *sci;         /* ISA interrupt 9 on this board; NULL: not connected */
    struct irq *smi;         /* SMI# of vCPU 0; NULL: there is no SMM, and firmware is told so */
    bool parallel;           /* what of the X-bus is there, for the resource registers */
    bool com1, com2;
};

struct piix4_pm {
    struct pci_device pci;
    struct machine *machine;
    struct piix4_pm_pins pins;
    struct region pm_io;     /* 64 ports at PMBASE: a container of the next three */
    struct region pm1_event, pm1_control, pm_timer;
    struct region apm, gpe0;
    struct region smbus;     /* 64 ports at SMBBASE */
    struct timer overflow;   /* derived: armed while TMROF_EN waits for its status */

    uint16_t pm1_sts;        /* without TMROF_STS, which is derived from overflow_ns */
    uint16_t pm1_en;
    uint16_t pm1_cnt;
    uint16_t gpe_sts, gpe_en;
    int64_t zero_ns;         /* the timer was 0 then */
    int64_t overflow_ns;     /* TMROF_STS is set from then on */
    uint8_t apmc, apms;
    uint8_t smb_sts, smb_cnt, smb_cmd, smb_addr, smb_data[2], smb_block_pos;
    uint8_t smb_block[32];
};

/* The function at @devfn of @bus. */
void piix4_pm_init(struct piix4_pm *s, struct pci_bus *bus, unsigned devfn,
                   const struct piix4_pm_pins *pins);

/* The power button goes down. [locked] */
void piix4_pm_power_button(struct piix4_pm *s);

/* Where the PM ports are: 0 while they are not decoded. */
uint16_t piix4_pm_base(const struct piix4_pm *s);

#endif
