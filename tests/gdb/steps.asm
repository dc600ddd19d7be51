; A boot sector whose instructions a debugger steps through: see tests/gdb/run, which knows the labels'
; order from the listing.
bits 16
org 7c00h

start:
        cli
        xor     ax, ax
        mov     ds, ax
        mov     es, ax
        cld
        mov     si, source
        mov     di, 7e00h
        mov     cx, 3
rep_copy:
        rep movsb
after_rep:
        mov     sp, 7c00h
load_ss:
        mov     ss, ax
after_ss:
        sti
after_sti:
        nop
after_nop:
        mov     word [7e10h], 1234h
after_store:
        mov     ax, [7e10h]
after_load:
        int     12h
after_int:
        mov     ax, 0201h
        mov     bx, 8000h
        mov     cx, 1
        xor     dx, dx
before_read:
        int     13h                     ; by DMA
after_read:
        mov     eax, cr0
        lgdt    [gdtr]
        or      al, 1
        cli
        mov     cr0, eax
        jmp     8:protected

bits 32
protected:
        mov     eax, 12345678h
        mov     ecx, eax
after_mov:
        jmp     18h:back16

bits 16
back16:
        mov     eax, cr0
        and     al, 0feh
        mov     cr0, eax
        jmp     0:real
real:
        mov     bx, 5678h
.halt:
        hlt
        jmp     .halt

source: db "abc"
align 8
gdt:    dq 0
        dq 00cf9b000000ffffh            ; 8: code, 32 bits
        dq 00cf93000000ffffh            ; 10: data
        dq 00009b000000ffffh            ; 18: code, 16 bits
gdtr:   dw gdtr - gdt - 1
        dd gdt

        times 510 - ($ - $$) db 0
        dw 0aa55h
        times 1440 * 1024 - ($ - $$) db 0
