; The GDT's base is the offset in the file: the address of the sector is missing.
; dies: triple fault
; cause: #GP \((descriptor|selector) 0008.*GDTR was loaded by lgdt
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     jmp     $
align 8
gdt:    dq 0
        dq 00cf9b000000ffffh
        dq 00cf93000000ffffh
gdtr:   dw 23
        dd gdt - 7c00h + 400h
        ends
