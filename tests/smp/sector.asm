; A boot sector's program that starts all processors and lets them interrupt each other. It writes one
; line for each step to COM1 and ends through isa-debug-exit at F4h with the number of failed steps.
;
; Loaded at 7C00h by the BIOS, loads the rest of itself behind that; the start-up code for application
; processors lies at 9000h and, for a second start, at A000h. All of it is 16-bit code with 4 GiB data
; segments, which protected mode leaves behind ("unreal mode").
SECTORS equ 5

        bits 16
        org 7c00h

APIC    equ 0fee00000h
ID      equ APIC + 20h
EOI     equ APIC + 0b0h
LDR     equ APIC + 0d0h
DFR     equ APIC + 0e0h
SVR     equ APIC + 0f0h
ICR     equ APIC + 300h
ICR_HI  equ APIC + 310h
TIMER   equ APIC + 320h
INITIAL equ APIC + 380h
DIVIDE  equ APIC + 3e0h

PING    equ 60h                 ; vectors
PONG    equ 61h
TICK    equ 62h

COUNT   equ 8800h               ; words: processors that came up
AGAIN   equ 8802h               ; the same after the second start
PINGS   equ 8810h               ; a word each: PINGs and NMIs seen by processor n
NMIS    equ 8910h
PONGS   equ 8a10h               ; seen by the bootstrap processor
TICKS   equ 8a12h
STACKS  equ 0b000h              ; 256 bytes each, downward, processor n at STACKS + (n + 1) * 256

start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 7c00h
        cld
        mov ax, 0200h + SECTORS - 1
        mov bx, 7e00h
        mov cx, 2
        mov dh, 0
        int 13h
        jmp 0:main

; A write to an APIC register; the BIOS' interrupt handlers may have left DS with 64 KiB.
%macro apic 2
        pushf
        pushad
        cli
        call unreal
        mov dword [dword %1], %2
        popad
        popf
%endmacro

; ---- both kinds of processor ----

gdt:    dq 0
        dq 0x00cf92000000ffff   ; data, 4 GiB
gdtr:   dw gdtr - gdt - 1
        dd gdt

; 4 GiB limits for DS; interrupts are off.
unreal: lgdt [cs:gdtr]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        mov bx, 8
        mov ds, bx
        and al, 0feh
        mov cr0, eax
        xor bx, bx
        mov ds, bx
        ret

enable: apic SVR, 1ffh
        ret

; EBX = this processor's number * 2
self:   push eax
        call unreal
        mov ebx, [dword ID]
        shr ebx, 23
        pop eax
        ret

        times 510 - ($ - $$) db 0
        dw 0aa55h

; ---- interrupt handlers ----

ping:   push eax
        push ebx
        call self
        inc word [PINGS + bx]
        apic EOI, 0
        apic ICR_HI, 0
        apic ICR, 4000h + PONG
        pop ebx
        pop eax
        iret

pong:   inc word [PONGS]
        apic EOI, 0
        iret

tick:   inc word [TICKS]
        apic EOI, 0
        iret

nmi:    push ebx
        call self
        inc word [NMIS + bx]
        pop ebx
        iret

; ---- application processors, copied to 9000h (CS = 900h) and A000h ----

trampoline:
        cli
        mov ax, cs
        xor bx, bx
        mov ds, bx
        mov ss, bx
        cmp ax, 0a00h
        je .again
        mov di, COUNT
        jmp 0:application
.again: mov di, AGAIN
        jmp 0:application
trampoline_end:

application:
        mov eax, 1
        cpuid
        shr ebx, 24
        inc bx
        shl bx, 8
        lea sp, [bx + STACKS]
        call unreal
        call enable
        lock inc word [di]              ; from here on it hears a PING
.rest:  sti
        hlt
        jmp .rest

; ---- the bootstrap processor ----

putc:   push dx
        push ax
        mov dx, 3fdh
.busy:  in al, dx
        test al, 20h
        jz .busy
        pop ax
        mov dx, 3f8h
        out dx, al
        pop dx
        ret

puts:   push ax
.next:  lodsb
        test al, al
        jz .done
        call putc
        jmp .next
.done:  pop ax
        ret

number: xor cx, cx              ; AX in decimal
        mov bx, 10
.digit: xor dx, dx
        div bx
        push dx
        inc cx
        test ax, ax
        jnz .digit
.put:   pop ax
        add al, '0'
        call putc
        loop .put
        ret

; Waits until the word at DI is AX, at most some seconds of BIOS ticks; then writes the line of text at
; SI with the value. BP counts failures.
wait_for:
        call puts
        mov bx, [46ch]
        sti
.loop:  pause
        cmp [di], ax
        je .good
        mov dx, [46ch]
        sub dx, bx
        cmp dx, 40
        jb .loop
        inc bp
.good:  mov ax, [di]
        call number
        mov si, newline
        jmp puts

; The sum of the words at SI, one a processor, to [sum]
add_up: xor ax, ax
        mov cx, 64
.next:  add ax, [si]
        add si, 2
        loop .next
        mov [sum], ax
        ret

; The same for the sum of the words from DX on.
wait_sum:
        call puts
        call await
        mov ax, [sum]
        call number
        mov si, newline
        jmp puts

; Waits until the words from DX on add up to AX.
await:  mov di, dx
        mov bx, [46ch]
        mov dx, ax
.loop:  pause
        mov si, di
        push dx
        call add_up
        pop dx
        cmp ax, dx
        je .good
        mov ax, [46ch]
        sub ax, bx
        cmp ax, 40
        jb .loop
        inc bp
.good:  ret

; Some 10 ms between INIT and SIPI.
delay:  mov ecx, 10000
.loop:  in al, 80h
        dec ecx
        jnz .loop
        ret

%macro line 1
        mov si, %%text
        jmp %%over
%%text: db %1, 0
%%over:
%endmacro

main:   xor bp, bp
        cli
        sti
        mov di, COUNT
        mov cx, 180h
        xor ax, ax
        rep stosw
        mov word [PING * 4], ping
        mov word [PING * 4 + 2], 0
        mov word [PONG * 4], pong
        mov word [PONG * 4 + 2], 0
        mov word [TICK * 4], tick
        mov word [TICK * 4 + 2], 0
        mov word [2 * 4], nmi
        mov word [2 * 4 + 2], 0
        mov si, trampoline
        mov di, 9000h
        mov cx, trampoline_end - trampoline
        rep movsb
        mov si, trampoline
        mov di, 0a000h
        mov cx, trampoline_end - trampoline
        rep movsb
        mov dx, 3fbh
        mov al, 3                               ; 8 bits
        out dx, al
        ; how many there are: the BIOS left it in CMOS
        mov al, 5fh
        out 70h, al
        in al, 71h
        mov ah, 0
        mov [others], ax
        call enable

        apic ICR, 0c4500h          ; INIT to all others
        call delay
        apic ICR, 0c4609h          ; SIPI
        line "started: "
        mov di, COUNT
        mov ax, [others]
        call wait_for
        apic ICR, 0c4609h          ; they do not wait for one any more
        call delay

        mov ax, [others]                        ; PING all others twice
        mov dx, PINGS
        apic ICR, 0c4000h + PING
        call await
        apic ICR, 0c4000h + PING
        mov ax, [others]
        shl ax, 1
        mov dx, PINGS
        line "pings: "
        call wait_sum
        line "pong: "                           ; several that wait are one
        cmp word [others], 0
        je .alone
        mov di, PONGS
        cmp word [di], 0
        jne .alone
        inc bp
.alone: call puts
        mov si, seen
        call puts

        apic ICR, 0c4400h          ; NMI
        line "nmis: "
        mov ax, [others]
        mov dx, NMIS
        call wait_sum

        ; a second start, at another address
        apic ICR, 0c4500h
        call delay
        apic ICR, 0c460ah
        line "started again: "
        mov di, AGAIN
        mov ax, [others]
        call wait_for
        call delay
        apic ICR, 0c4000h + PING
        line "pings: "
        mov ax, [others]
        imul ax, 3
        mov dx, PINGS
        call wait_sum

        apic ICR, 44000h + PING    ; to self, and from the handler to processor 0
        call delay
        line "self: "
        mov di, PINGS
        mov ax, 1
        call wait_for

        apic DIVIDE, 0bh
        apic TIMER, TICK
        apic INITIAL, 1000000
        line "ticks: "
        mov di, TICKS
        mov ax, 1
        call wait_for

        line "failed: "
        call puts
        mov ax, bp
        call number
        mov si, newline
        call puts
        mov dx, 3fdh
.flush: in al, dx
        test al, 40h                            ; all is on the line
        jz .flush
        mov ax, bp
        out 0f4h, al
.stop:  hlt
        jmp .stop

seen:   db "seen", 10, 0
newline: db 10, 0
others: dw 0
sum:    dw 0

        times 512 * SECTORS - ($ - $$) db 0
