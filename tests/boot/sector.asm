; Boot sectors for tests/boot/run: each ends the machine, or does not, in one way. -DKIND chooses.

        cpu 386
        bits 16
        org 0x7c00

start:
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
%ifidn KIND, exit               ; writes VALUE to the port of coldboot-exit or isa-debug-exit
        mov dx, PORT
        mov al, VALUE
        out dx, al
        jmp $
%elifidn KIND, triple           ; an interrupt without a table
        lidt [none]
        int3
none:   dw 0
        dd 0
%elifidn KIND, halt             ; nothing can wake the processor
        cli
        hlt
%elifidn KIND, loop             ; busy for ever
        jmp $
%elifidn KIND, serial           ; a text on a serial port, then the processor rests
%ifndef BASE
%define BASE 0x3f8
%endif
        mov dx, BASE + 3
        mov al, 3               ; LCR: 8 data bits
        out dx, al
        mov si, text
.next:  mov dx, BASE + 5
.busy:  in al, dx
        test al, 0x20           ; LSR.THRE
        jz .busy
        lodsb
        test al, al
        jz .rest
        mov dx, BASE
        out dx, al
        jmp .next
.rest:  sti
        hlt
        jmp .rest
text:   db "hello over the wire", 13, 10, 0
%elifidn KIND, mouse            ; INT 15h pointing device: each report as 4 letters on COM1
        mov dx, 0x3f8 + 3
        mov al, 3               ; LCR: 8 data bits
        out dx, al
        mov ax, 0xc205          ; initialise, packets of 3 bytes
        mov bh, 3
        int 0x15
        jc .stop
        push cs
        pop es
        mov bx, report
        mov ax, 0xc207          ; far call handler
        int 0x15
        jc .stop
        mov ax, 0xc200          ; enable
        mov bh, 1
        int 0x15
        jc .stop
        mov al, '!'
        call send
.stop:  sti
        hlt
        jmp .stop
report: push bp                 ; on the stack: Z, Y, X, status
        mov bp, sp
        pusha
        mov al, 'M'
        call send
        mov al, [bp + 12]
        and al, 7
        call letter
        mov al, [bp + 10]
        call letter
        mov al, [bp + 8]
        call letter
        popa
        pop bp
        retf
letter: and al, 15
        add al, 'A'
send:   mov ah, al
        mov dx, 0x3f8 + 5
.busy:  in al, dx
        test al, 0x20           ; LSR.THRE
        jz .busy
        mov dx, 0x3f8
        mov al, ah
        out dx, al
        ret
%elifidn KIND, reset            ; the keyboard controller pulses the reset line
        mov al, 0xfe
        out 0x64, al
        cli
        hlt
%endif

        times 510 - ($ - $$) db 0
        dw 0xaa55
