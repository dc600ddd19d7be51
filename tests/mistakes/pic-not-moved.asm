; Gates from 20h on only, but the PICs still give 08h.
; dies: triple fault
; cause: interrupt 08h \(IRQ 0, at the BIOS's vector\) -> IDT entry 08 is empty.*IDTR was loaded by lidt
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     flat_segments
        mov     edi, 8000h
        mov     ecx, 512
        xor     eax, eax
        rep stosd
        mov     word [8000h + 20h * 8], tick
        mov     word [8000h + 20h * 8 + 2], 8
        mov     word [8000h + 20h * 8 + 4], 8e00h
        lidt    [idtr]
        sti
        jmp     $
tick:   iretd
idtr:   dw 7ffh
        dd 8000h
        flat_gdt
        ends
