; The IDT's limit counts entries instead of bytes.
; dies: triple fault
; cause: INT 30h -> IDT limit 3F -> #GP.*IDTR was loaded by lidt
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     flat_segments
        lidt    [idtr]
        int     30h
        jmp     $
idtr:   dw 3fh
        dd 8000h
        flat_gdt
        ends
