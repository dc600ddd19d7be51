; Sector 19 of a track of 18.
; dies: dead halt
; cause: the last INT 13h \(AH=02 .*CX=0013.*\) failed with status
%include "common.inc"
        begin
        sti
        mov     ax, 0201h
        mov     cx, 0013h
        mov     dx, 0
        mov     bx, 8000h
        int     13h
        cli
        hlt
        ends
