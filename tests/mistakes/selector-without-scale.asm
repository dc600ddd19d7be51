; Selectors are taken for indexes: 1 and 2 instead of 8 and 10h.
; dies: triple fault
; cause: #GP \(null selector\)|#GP \(.*null
%include "common.inc"
        begin
        lgdt    [gdtr]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     1:go
bits 32
go:     jmp     $
        flat_gdt
        ends
