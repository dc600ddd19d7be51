; CLI, JMP $.
; dies: endless loop with interrupts off
; cause: endless loop with interrupts off at 0000:7C
%include "common.inc"
        begin
        jmp     $
        ends
