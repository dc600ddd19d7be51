; An INT3 with an IDT of limit 0.
; dies: triple fault
; cause: #BP -> IDT limit 0 -> #GP -> #DF -> shutdown; IDTR was loaded by lidt at 0000:7C
%include "common.inc"
        begin
        lidt    [idtr]
        int3
idtr:   dw 0
        dd 0
        ends
