; LGDT was forgotten: the BIOS's GDT is still there.
; dies: triple fault
; cause: GDTR is (still the BIOS's|as after the reset)|page|IP is beyond|#UD|#GP
%include "common.inc"
        begin
        mov     word [7e00h], 0
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     28h:go
bits 32
go:     mov     ax, 38h
        mov     ds, ax
        jmp     $
        ends
