; A gate names the data segment.
; dies: triple fault
; cause: INT 30h -> gate 30's code segment: descriptor 0010 is data, not code
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     flat_segments
        mov     edi, 8000h
        mov     ecx, 512
        xor     eax, eax
        rep stosd
        mov     word [8000h + 30h * 8], handler
        mov     word [8000h + 30h * 8 + 2], 10h
        mov     word [8000h + 30h * 8 + 4], 8e00h
        lidt    [idtr]
        int     30h
        jmp     $
handler: iretd
idtr:   dw 7ffh
        dd 8000h
        flat_gdt
        ends
