; Code and data descriptors are exchanged.
; dies: triple fault
; cause: #GP \(descriptor 0008 is data, not code
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     jmp     $
align 8
gdt:    dq 0
        dq 00cf93000000ffffh
        dq 00cf9b000000ffffh
gdtr:   dw 23
        dd gdt
        ends
