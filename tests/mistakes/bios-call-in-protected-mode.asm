; INT 10h of the BIOS from protected mode.
; dies: triple fault
; cause: INT 10h -> .*IDTR is still the BIOS's
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     flat_segments
        mov     ax, 0e41h
        int     10h
        jmp     $
        flat_gdt
        ends
