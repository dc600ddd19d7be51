; A boot sector for tests/bench/trace_cost: what trace points lie along, again and again (ports of the RTC, the PIC and
; the PIT, an interrupt, writes of CR0), with plain code between, and then the end through coldboot-exit. There is a
; device access in about 100 instructions, as in SeaBIOS' POST.
        bits 16
        org 0x7c00
%ifndef ROUNDS
%define ROUNDS 250000
%endif
        cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        mov word [0x60 * 4], handler
        mov [0x60 * 4 + 2], ax
        mov ecx, ROUNDS
.round:
        mov al, 0x0f
        out 0x70, al
        in al, 0x71
        in al, 0x21
        out 0x21, al
        in al, 0x40
        int 0x60
        mov eax, cr0
        mov cr0, eax
        mov bx, 80
.plain:
        push bx
        add eax, ebx
        rol eax, 3
        mov [0x7000], eax
        pop bx
        dec bx
        jnz .plain
        dec ecx
        jnz .round
        mov dx, 0x500
        xor al, al
        out dx, al
        hlt
handler:
        iret
        times 510 - ($ - $$) db 0
        dw 0xaa55
