; The code descriptor is a 16-bit one, the code behind the jump is 32-bit.
; dies: triple fault
; cause: CS is a 16-bit segment
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     mov     eax, 10h
        mov     ds, ax
        mov     ss, ax
        mov     eax, 12345678h
        mov     dword [0b8000h], eax
        mov     ecx, 0ffffffffh
        lea     esi, [ecx + eax * 4 + 12345h]
        ud2
align 8
gdt:    dq 0
        dq 008f9b000000ffffh
        dq 00cf93000000ffffh
gdtr:   dw 23
        dd gdt
        ends
