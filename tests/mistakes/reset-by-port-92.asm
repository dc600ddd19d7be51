; Bit 0 of port 92h was set along with A20.
; dies: reset loop
; cause: reset loop: reset at 0000:7C
%include "common.inc"
        begin
        mov     al, 3
        out     92h, al
        jmp     $
        ends
