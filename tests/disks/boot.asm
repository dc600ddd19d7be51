; A boot sector that says on COM1 what it was booted from and what the BIOS shows of that drive:
;
;     NAME dl=XX chs=CC/HH/SS SECOND     (CC, HH, SS: last cylinder, head and sector, in hexadecimal)
;
; SECOND is the text in the sector behind this one, or CD001 where that is a CD without emulation. -DNAME says what NAME
; is. With -DRESET the machine is reset afterwards, else the processor rests.

        cpu 386
        bits 16
        org 0x7c00

        jmp 0:start
start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        mov [drive], dl
        mov dx, 0x3f8 + 3
        mov al, 3               ; LCR: 8 data bits
        out dx, al
        mov si, name
        call text
        mov si, dl_is
        call text
        mov al, [drive]
        call byte2
        cmp byte [drive], 0xe0  ; a CD without emulation has no geometry
        jae cdrom

        mov ah, 8
        mov dl, [drive]
        int 0x13
        jc failed
        mov [geometry], cx
        mov [geometry + 2], dx
        mov si, chs_is
        call text
        mov al, [geometry + 1]  ; cylinders, the low 8 bits
        call byte2
        mov al, '/'
        call char
        mov al, [geometry + 3]  ; heads
        call byte2
        mov al, '/'
        call char
        mov al, [geometry]      ; sectors
        and al, 0x3f
        call byte2
        push ds                 ; AH=08h of a floppy changes it
        pop es
        mov ax, 0x0201          ; sector 2 of the first track
        mov bx, 0x8000
        mov cx, 2
        xor dh, dh
        mov dl, [drive]
        int 0x13
        jc failed
        jmp second

cdrom:  mov ah, 0x42            ; the primary volume descriptor
        mov si, packet
        mov dl, [drive]
        int 0x13
        jc failed
        mov byte [0x8006], 0
second: mov al, ' '
        call char
        mov si, 0x8000
        cmp byte [si], 1        ; a volume descriptor: its type stands in front
        jne .text
        inc si
.text:  call text
        jmp over
failed: mov si, error
        call text
over:   mov al, 10
        call char
%ifdef RESET
        mov dx, 0x3f8 + 5
.sends: in al, dx
        test al, 0x40           ; LSR.TEMT
        jz .sends
        mov al, 0xfe
        out 0x64, al
%endif
rest:   sti
        hlt
        jmp rest

text:   lodsb
        test al, al
        jz .end
        call char
        jmp text
.end:   ret

byte2:  push ax
        shr al, 4
        call digit
        pop ax
        and al, 15
digit:  and al, 15
        cmp al, 10
        sbb al, 0x69
        das                     ; the hexadecimal digit of 0..15
char:   push dx
        mov ah, al
        mov dx, 0x3f8 + 5
.busy:  in al, dx
        test al, 0x20           ; LSR.THRE
        jz .busy
        mov dx, 0x3f8
        mov al, ah
        out dx, al
        pop dx
        ret

name:   db NAME, 0
dl_is:  db " dl=", 0
chs_is: db " chs=", 0
error:  db " failed", 0
packet: db 16, 0
        dw 1, 0x8000, 0
        dq 16
drive:  db 0
geometry: dd 0

        times 446 - ($ - $$) db 0
        times 510 - ($ - $$) db 0
        dw 0xaa55
