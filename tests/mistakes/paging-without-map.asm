; Paging is switched on with an empty page directory.
; dies: triple fault
; cause: #PF \(page of [0-9A-F]+ is not present: the code itself is not mapped\).*CR0.PG was set at
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     flat_segments
        mov     edi, 10000h
        mov     ecx, 1024
        xor     eax, eax
        rep stosd
        mov     eax, 10000h
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 80000000h
        mov     cr0, eax
        jmp     $
        flat_gdt
        ends
