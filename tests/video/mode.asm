; A boot sector that sets one video mode, fills the screen, says 'R' on COM1 and stops.
; nasm -DMODE=0x13 (INT 10h function 00h), or -DVBE=0x101 (function 4F02h); -DTEXT for text modes;
; -DFONT8 loads the 8x8 font, -DTWO_FONTS makes attribute bit 3 choose a second one, -DUNCHAIN turns
; mode 13h into planes without chain-4.
        org 0x7c00
        bits 16
start:
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
%ifdef VBE
        mov ax, 0x4f02
        mov bx, VBE
%else
        mov ax, MODE
%endif
        int 0x10
%ifdef FONT8
        mov ax, 0x1112
        mov bl, 0
        int 0x10
%endif
%ifdef TWO_FONTS
        mov ax, 0x1112                  ; 8x8 glyphs into block 1
        mov bl, 1
        int 0x10
        mov ax, 0x1114                  ; 8x16 into block 0, which also sets 16 lines a row again
        mov bl, 0
        int 0x10
        mov ax, 0x1103                  ; bit 3 clear: block 0, set: block 1
        mov bl, 0x04
        int 0x10
%endif
%ifdef UNCHAIN
        mov dx, 0x3c4
        mov ax, 0x0604
        out dx, ax
        mov ax, 0x0602                  ; planes 1 and 2
        out dx, ax
        mov dx, 0x3d4
        mov ax, 0x0014
        out dx, ax
        mov ax, 0xe317
        out dx, ax
%endif
        cld
%ifdef TEXT
        mov ah, 1                       ; no cursor: it blinks
        mov cx, 0x2000
        int 0x10
        mov ax, 0xb800
%if MODE == 7
        mov ax, 0xb000
%endif
        mov es, ax
        xor di, di
        mov ax, 0x0100                  ; every character, and with each turn the next attribute
        mov cx, 0x1000
fill:
        stosw
        inc al
        jnz same
        inc ah
same:
        add ah, 0x10
        loop fill
%else
        mov ax, 0xa000
%ifdef MODE
%if MODE < 7
        mov ax, 0xb800
%endif
%endif
        mov es, ax
        xor di, di
        xor ax, ax
        mov cx, 0x1000
fill:
        stosw
        add ax, 0x1357
        loop fill
        xor dx, dx                      ; and single pixels by the BIOS
pixel_row:
        xor cx, cx
pixel:
        mov ax, cx
        shr ax, 2
        add al, dl
        mov ah, 0x0c
        mov bh, 0
        push cx
        push dx
        add cx, 60
        add dx, 40
        int 0x10
        pop dx
        pop cx
        inc cx
        cmp cx, 80
        jb pixel
        inc dx
        cmp dx, 40
        jb pixel_row
%endif
        mov dx, 0x3fb                   ; LCR: 8 data bits
        mov al, 3
        out dx, al
        mov dx, 0x3f8
        mov al, 'R'
        out dx, al
stop:
        hlt
        jmp stop
        times 510 - ($ - $$) db 0
        dw 0xaa55
