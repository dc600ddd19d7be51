; A DOS program that makes 10 directories of COUNT files each in the root of the current drive, reads all of them back,
; and removes every third one. File n is n % 1500 bytes long, each (n + n / 256) % 256. It ends with a line that says
; how many were made, read and removed.

        cpu 386
        bits 16
        org 0x100

%ifndef COUNT
%define COUNT 200
%endif

        cld
        mov word [number], 0
.dir:   mov dx, folder
        mov ah, 0x39            ; make the directory
        int 0x21
        jc failed
        mov cx, COUNT
.file:  push cx
        call set_name
        call make
        inc word [number]
        pop cx
        loop .file
        inc byte [folder + 2]
        cmp byte [folder + 2], '9'
        jbe .dir

        mov word [number], 0    ; read all of them
        mov byte [folder + 2], '0'
.rdir:  mov cx, COUNT
.rfile: push cx
        call set_name
        call check
        inc word [number]
        pop cx
        loop .rfile
        inc byte [folder + 2]
        cmp byte [folder + 2], '9'
        jbe .rdir

        mov word [number], 0    ; remove every third
        mov byte [folder + 2], '0'
.ddir:  mov cx, COUNT
.dfile: push cx
        mov ax, [number]
        xor dx, dx
        mov bx, 3
        div bx
        test dx, dx
        jnz .keep
        call set_name
        mov dx, path
        mov ah, 0x41
        int 0x21
        jc failed
        inc word [removed]
.keep:  inc word [number]
        pop cx
        loop .dfile
        inc byte [folder + 2]
        cmp byte [folder + 2], '9'
        jbe .ddir

        mov ax, [made]
        mov di, report.made
        call decimal
        mov ax, [found]
        mov di, report.found
        call decimal
        mov ax, [removed]
        mov di, report.removed
        call decimal
        mov dx, report
        mov ah, 9
        int 0x21
        mov ax, 0x4c00
        int 0x21

failed: mov di, trouble.error   ; AX is DOS' error code
        call decimal
        mov ax, [number]
        mov di, trouble.number
        call decimal
        mov dx, trouble
        mov ah, 9
        int 0x21
        mov ax, 0x4c01
        int 0x21

; path = folder \ F number .TXT
set_name:
        mov ax, [folder + 1]
        mov [path + 1], ax
        mov ax, [number]
        mov di, path + 5
        jmp decimal

; AX in 5 digits at DI
decimal:
        mov bx, 10
        mov cx, 5
        add di, 4
.digit: xor dx, dx
        div bx
        add dl, '0'
        mov [di], dl
        dec di
        loop .digit
        ret

; CX = length, the buffer filled as file [number] has it
contents:
        mov ax, [number]
        xor dx, dx
        mov bx, 1500
        div bx
        mov cx, dx
        mov ax, [number]
        add al, ah
        push cx
        mov di, buffer
        rep stosb
        pop cx
        ret

make:   call contents
        push cx
        mov dx, path
        mov ah, 0x3c
        xor cx, cx
        int 0x21
        pop cx
        jc failed
        mov bx, ax
        mov dx, buffer
        mov ah, 0x40
        int 0x21
        jc failed
        cmp ax, cx
        jne failed              ; the disk is full
        mov ah, 0x3e
        int 0x21
        jc failed
        inc word [made]
        ret

check:  call contents
        push cx
        mov dx, path
        mov ax, 0x3d00
        int 0x21
        pop cx
        jc failed
        mov bx, ax
        push cx
        mov dx, second
        mov cx, 2000
        mov ah, 0x3f
        int 0x21
        pop cx
        jc failed
        cmp ax, cx
        jne failed
        mov si, buffer
        mov di, second
        repe cmpsb
        jne failed
        mov ah, 0x3e
        int 0x21
        jc failed
        inc word [found]
        ret

folder: db "\M0", 0
path:   db "\M0\F00000.TXT", 0
report: db "made "
.made:  db "00000 read "
.found: db "00000 removed "
.removed: db "00000", 13, 10, "$"
trouble: db "error "
.error: db "00000 at file "
.number: db "00000", 13, 10, "$"
number: dw 0
made:   dw 0
found:  dw 0
removed: dw 0

buffer  equ 0x2000
second  equ 0x3000
