; An interrupt from ring 3, but there is no TSS that names a stack.
; dies: triple fault
; cause: INT 30h -> .*#TS|no stack in the TSS
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
        mov     word [8000h + 30h * 8 + 4], 0ee00h
        lidt    [idtr]
        push    dword 23h
        push    dword 9000h
        push    dword 2
        push    dword 1bh
        push    dword user
        iretd
user:   int     30h
        jmp     $
handler: iretd
idtr:   dw 7ffh
        dd 8000h
align 8
gdt:    dq 0
        dq 00cf9b000000ffffh
        dq 00cf93000000ffffh
        dq 00cffb000000ffffh
        dq 00cff3000000ffffh
gdtr:   dw gdtr - gdt - 1
        dd gdt
        ends
