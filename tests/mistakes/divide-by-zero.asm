; DIV by 0 in real mode: the BIOS's handler goes back to the DIV.
; dies: endless faults
; cause: #DE \("div.*division by zero.*handler at F000:[0-9A-F]+ returns to the same instruction
%include "common.inc"
        begin
        sti
        xor     bx, bx
        mov     ax, 1
        xor     dx, dx
        div     bx
        jmp     $
        ends
