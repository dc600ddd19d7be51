; A boot sector that switches its local APIC to x2APIC mode, interrupts itself by the SELF IPI register
; and by a TSC deadline, and counts the #GP faults of registers that do not exist. It prints one letter for
; each step that went well to COM1 and ends through isa-debug-exit at F4h.
        bits 16
        org 7c00h

IPI     equ 60h
TICK    equ 61h

start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 7c00h
        mov dx, 3fbh
        mov al, 3                       ; 8 bits
        out dx, al
        cli
        mov al, 0ffh                    ; #GP is IRQ 5's vector; the 8259s stay silent
        out 21h, al
        mov word [13 * 4], fault
        mov word [13 * 4 + 2], 0
        mov word [IPI * 4], ipi
        mov word [IPI * 4 + 2], 0
        mov word [TICK * 4], tick
        mov word [TICK * 4 + 2], 0

        mov eax, 1
        cpuid
        bt ecx, 21
        jnc end
        bt ecx, 24
        jnc end
        mov al, 'C'                     ; CPUID says that both are there
        call putc

        mov ecx, 802h                   ; no x2APIC MSRs in xAPIC mode
        rdmsr
        cmp word [faults], 1
        jne end
        mov al, 'F'
        call putc

        mov ecx, 1bh
        rdmsr
        or ax, 0c00h
        wrmsr
        mov ecx, 802h                   ; ID
        rdmsr
        test eax, eax
        jnz end
        mov ecx, 803h
        rdmsr
        cmp al, 14h
        jne end
        mov al, 'X'
        call putc

        mov ecx, 80eh                   ; no DFR
        rdmsr
        mov ecx, 80bh                   ; EOI takes 0 only
        xor edx, edx
        mov eax, 1
        wrmsr
        cmp word [faults], 3
        jne end
        mov al, 'G'
        call putc

        mov ecx, 80fh
        mov eax, 1ffh
        xor edx, edx
        wrmsr
        mov ecx, 83fh
        mov eax, IPI
        wrmsr
        sti
        nop
        cmp word [ipis], 1
        jne end
        mov al, 'S'
        call putc

        mov ecx, 832h
        mov eax, 40000h + TICK
        xor edx, edx
        wrmsr
        rdtsc
        add eax, 100000
        adc edx, 0
        mov ecx, 6e0h
        wrmsr
        hlt
        cmp word [ticks], 1
        jne end
        mov ecx, 6e0h
        rdmsr
        or eax, edx
        jnz end
        mov al, 'T'
        call putc

end:    mov al, 10
        call putc
        mov dx, 3fdh
.flush: in al, dx
        test al, 40h
        jz .flush
        mov al, 0
        out 0f4h, al
.stop:  hlt
        jmp .stop

putc:   push ax
        mov dx, 3fdh
.busy:  in al, dx
        test al, 20h
        jz .busy
        pop ax
        mov dx, 3f8h
        out dx, al
        ret

; RDMSR and WRMSR are two bytes long.
fault:  inc word [faults]
        push bp
        mov bp, sp
        add word [bp + 2], 2
        pop bp
        iret

eoi:    pushad
        mov ecx, 80bh
        xor eax, eax
        xor edx, edx
        wrmsr
        popad
        ret

ipi:    inc word [ipis]
        call eoi
        iret

tick:   inc word [ticks]
        call eoi
        iret

faults: dw 0
ipis:   dw 0
ticks:  dw 0

        times 510 - ($ - $$) db 0
        dw 0aa55h
