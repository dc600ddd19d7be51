; No far jump behind CR0.PE: 32-bit code runs in the real-mode CS.
; dies: triple fault
; cause: CS is still that of real mode: no far jump followed CR0.PE
%include "common.inc"
        begin
        lgdt    [gdtr]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
bits 32
        mov     eax, 10h
        mov     ds, ax
        mov     ebx, 0b8000h
        mov     dword [ebx + 12345h], 0f0f0f0fh
        ud2
bits 16
        ud2
        flat_gdt
        ends
