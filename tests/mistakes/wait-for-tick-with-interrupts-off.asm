; Waits for the timer tick at 46Ch with interrupts off.
; dies: endless loop with interrupts off
; cause: endless loop with interrupts off at 0000:7C
%include "common.inc"
        begin
        mov     ax, [46ch]
.wait:  cmp     ax, [46ch]
        je      .wait
        jmp     $
        ends
