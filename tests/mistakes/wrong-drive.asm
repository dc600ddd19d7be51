; DL was overwritten: the second floppy drive, which has no disk.
; dies: dead halt
; cause: the last INT 13h \(AH=02 .*DX=0001.*\) failed with status
%include "common.inc"
        begin
        sti
        mov     ax, 0201h
        mov     cx, 0001h
        mov     dx, 0001h
        mov     bx, 8000h
        int     13h
        cli
        hlt
        ends
