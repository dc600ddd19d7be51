; DS gets the null selector and is used.
; dies: triple fault
; cause: #GP \(".*", DS is null
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     xor     eax, eax
        mov     ds, ax
        mov     byte [0b8000h], 'X'
        jmp     $
        flat_gdt
        ends
