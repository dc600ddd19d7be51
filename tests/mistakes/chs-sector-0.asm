; Sectors count from 1.
; dies: dead halt
; cause: the last INT 13h \(AH=02 AL=01 CX=0000 DX=0000 .*\) failed with status 01.*sectors count from 1
%include "common.inc"
        begin
        sti
        mov     ax, 0201h
        mov     cx, 0000h
        mov     dx, 0
        mov     bx, 8000h
        int     13h
        jc      failed
        jmp     8000h
failed: cli
        hlt
        ends
