; The tables map the page read-only, CR0.WP is on.
; dies: triple fault
; cause: #PF \(page of 5000 cannot be written\)
%include "common.inc"
        begin
        enter_protected go
bits 32
go:     flat_segments
        mov     edi, 10000h
        mov     ecx, 2048
        xor     eax, eax
        rep stosd
        mov     dword [10000h], 11003h
        mov     edi, 11000h
        mov     eax, 1
        mov     ecx, 1024
.fill:  stosd
        add     eax, 1000h
        loop    .fill
        mov     eax, 10000h
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 80010000h
        mov     cr0, eax
        mov     byte [5000h], 1
        jmp     $
        flat_gdt
        ends
