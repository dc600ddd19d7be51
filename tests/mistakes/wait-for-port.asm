; Waits for a status bit that never comes.
; dies: endless loop with interrupts off
; cause: endless loop with interrupts off at 0000:7C
%include "common.inc"
        begin
.wait:  in      al, 64h
        test    al, 80h
        jz      .wait
        jmp     $
        ends
