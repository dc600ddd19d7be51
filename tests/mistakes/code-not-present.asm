; The code descriptor lacks its present bit.
; dies: triple fault
; cause: #NP \(descriptor 0008 is not present \(access byte 1B\)
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     jmp     $
align 8
gdt:    dq 0
        dq 00cf1b000000ffffh
        dq 00cf93000000ffffh
gdtr:   dw 23
        dd gdt
        ends
