; The stack lies in the boot sector: what is pushed overwrites the program.
; dies: (triple fault|endless faults|endless loop|dead halt)
; cause: the stack, at 0000:7C[0-9A-F]+, lies among the code
%include "common.inc"
        begin
        mov     sp, 7c40h
        mov     cx, 10
.push:  push    word 0f4fah             ; CLI, HLT
        loop    .push
        times 64 nop
        jmp     $
        ends
