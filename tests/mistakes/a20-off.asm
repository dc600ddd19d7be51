; A20 is off (as older BIOSes leave it): the program at 1 MiB is the one at 0.
; dies: (triple fault|endless faults|endless loop|dead halt)
; cause: A20 is off
%include "common.inc"
        begin
        mov     al, 0ddh                ; the keyboard controller's A20
        out     64h, al
        in      al, 92h
        and     al, 0fch
        out     92h, al
        enter_protected go
bits 32
go:     flat_segments
        mov     dword [600h], 0f4h      ; HLT
        mov     dword [100600h], 0fffff8f0h
        jmp     600h
        flat_gdt
        ends
