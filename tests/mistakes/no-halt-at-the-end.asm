; The program has no end: behind it lie zeros.
; dies: endless faults
; cause: what runs there are the interrupt vectors: the program ran past its end
%include "common.inc"
        begin
        mov     ax, 0e41h
        int     10h
        sti
        xor     ax, ax
        ends
