; SS gets the selector of the code segment.
; dies: triple fault
; cause: #GP \(descriptor 0008 is code, not writable data
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     mov     ax, 8
        mov     ss, ax
        jmp     $
        flat_gdt
        ends
