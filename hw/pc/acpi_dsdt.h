/* The DSDT's body: the board's devices in AML. */
#ifndef HW_PC_ACPI_DSDT_H
#define HW_PC_ACPI_DSDT_H

#include "hw/pc/acpi.h"
#include "hw/pc/aml.h"

void acpi_dsdt(struct blob *b, const struct acpi *a);

#endif
