; A gate's access byte is that of a code segment.
; dies: triple fault
; cause: INT 30h -> IDT entry 30 is no gate \(access byte 9A\)
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
        mov     word [8000h + 30h * 8 + 4], 9a00h
        lidt    [idtr]
        int     30h
        jmp     $
handler: iretd
idtr:   dw 7ffh
        dd 8000h
        flat_gdt
        ends
