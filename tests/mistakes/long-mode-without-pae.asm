; EFER.LME and CR0.PG without CR4.PAE.
; options: -cpu qemu64
; dies: triple fault
; cause: #GP \(CR0.PG with EFER.LME needs CR4.PAE\)
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     flat_segments
        mov     ecx, 0c0000080h
        rdmsr
        or      ah, 1
        wrmsr
        mov     eax, 10000h
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 80000000h
        mov     cr0, eax
        jmp     $
        flat_gdt
        ends
