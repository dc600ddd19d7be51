; A gate without its present bit.
; dies: triple fault
; cause: INT 30h -> gate 30 is not present \(access byte 0E\) -> #NP
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
        mov     word [8000h + 30h * 8 + 2], 8
        mov     word [8000h + 30h * 8 + 4], 0e00h
        lidt    [idtr]
        int     30h
        jmp     $
handler: iretd
idtr:   dw 7ffh
        dd 8000h
        flat_gdt
        ends
