; CLI, HLT.
; dies: dead halt
; cause: dead halt at 0000:7C[0-9A-F]+: HLT with interrupts off$
%include "common.inc"
        begin
        hlt
        jmp     $
        ends
