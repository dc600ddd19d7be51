; A boot sector that never stops writing new code: functions of 24 operations, each run 30 times, through
; 448 KiB of memory again and again.
        bits 16
        org 7c00h
        cli
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 7000h
        mov ebx, 1                          ; random number
start:  mov si, 2000h                       ; segment of the function
        xor bp, bp                          ; its offset
next:   mov es, si
        mov di, bp
        mov cx, 24
.op:    imul ebx, ebx, 1664525
        add ebx, 1013904223
        mov ax, 8702h                       ; add al, [bx + disp]
        test ebx, 400000h
        jz .put
        mov al, 32h                         ; xor
.put:   stosw
        mov eax, ebx
        shr eax, 12
        stosw
        loop .op
        mov al, 0cbh                        ; retf
        stosb
        mov [target], bp
        mov [target + 2], si
        mov cx, 30
.again: call far [target]
        loop .again
        add bp, 128
        jnz next
        add si, 1000h
        cmp si, 9000h
        jb next
        jmp start
target: dw 0, 0
        times 510 - ($ - $$) db 0
        dw 0aa55h
