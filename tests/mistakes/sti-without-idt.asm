; Interrupts are switched on in protected mode without an IDT.
; dies: triple fault
; cause: interrupt 08h \(IRQ 0, at the BIOS's vector\) -> .*IDTR is still the BIOS's
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     flat_segments
        sti
        jmp     $
        flat_gdt
        ends
