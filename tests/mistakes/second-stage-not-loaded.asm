; A jump to a second stage that nobody read.
; dies: (endless faults|triple fault)
; cause: the program runs through memory that holds only zeros
%include "common.inc"
        begin
        sti
        jmp     1000h:0
        ends
