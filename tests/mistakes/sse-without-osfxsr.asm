; SSE instructions without CR4.OSFXSR.
; dies: triple fault
; cause: #UD \(".*xmm.*": SSE is off, CR4.OSFXSR is 0\)
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     flat_segments
        xorps   xmm0, xmm0
        jmp     $
        flat_gdt
        ends
