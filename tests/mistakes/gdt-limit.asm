; The GDT's limit leaves the data segment out.
; dies: triple fault
; cause: #GP \(selector 0010 is beyond the GDT's limit 000F\).*GDTR was loaded by lgdt
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     flat_segments
        jmp     $
align 8
gdt:    dq 0
        dq 00cf9b000000ffffh
        dq 00cf93000000ffffh
gdtr:   dw 15
        dd gdt
        ends
