; No 55 AA at the end.
; dies: nothing to boot
; cause: ends with 00 00, not with the signature 55 AA
%include "common.inc"
        begin
        jmp     $
        times 512 - ($ - $$) db 0
