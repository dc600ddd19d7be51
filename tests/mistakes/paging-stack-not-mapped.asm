; Only the first MiB is mapped, the stack lies above.
; dies: triple fault
; cause: #PF \(page of [0-9A-F]+ is not present\)
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
        mov     eax, 3
.fill:  stosd
        add     eax, 1000h
        cmp     eax, 100003h
        jb      .fill
        mov     eax, 10000h
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 80000000h
        mov     cr0, eax
        mov     esp, 200000h
        push    eax
        jmp     $
        flat_gdt
        ends
