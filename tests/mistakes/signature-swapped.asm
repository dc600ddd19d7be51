; AA 55 instead of 55 AA.
; dies: nothing to boot
; cause: ends with AA 55, not with the signature 55 AA
%include "common.inc"
        begin
        jmp     $
        times 510 - ($ - $$) db 0
        dw 055aah
