; 16-bit real mode: arithmetic, strings, multiplication, segment loads, calls, software interrupts; then
; code, data and stack in one page, as in a .COM program; ports; code that patches itself.
%include "bench.inc"

%define DATA 0a000h

start:
        KERNEL "alu16", alu, 4
        KERNEL "string16", strings, 10
        KERNEL "muldiv16", muldiv, 3
        KERNEL "segment16", segments, 10
        KERNEL "call16", calls, 3
        KERNEL "int16", interrupts, 4
        KERNEL "com16", com, 5
        KERNEL "port16", ports, 1
        KERNEL "smc16", patching, 7
        KERNEL "overlay16", overlays, 4
        jmp finish

alu:    mov ebp, 12000000
        xor ax, ax
        mov bx, 1
.next:  add ax, bx
        xor bx, ax
        rol bx, 1
        adc ax, 17
        mov [DATA], ax
        add [DATA + 2], bx
        sub bx, [DATA]
        dec ebp
        jnz .next
        movzx eax, ax
        ret

strings:
        mov ebp, 60000
        xor edx, edx
.next:  mov si, LOAD
        mov di, 8000h + 4000h
        mov cx, 256
        rep movsw
        mov di, 8000h + 4000h
        mov cx, 64
.sum:   mov si, di
        lodsw
        add dx, ax
        stosw
        loop .sum
        dec ebp
        jnz .next
        movzx eax, dx
        ret

muldiv: mov ebp, 5000000
        mov bx, 7
        mov ax, 1234
.next:  mul bx
        add ax, bp
        and dx, 3
        div bx
        add ax, dx
        imul ax, ax, 13
        dec ebp
        jnz .next
        movzx eax, ax
        ret

segments:
        mov ebp, 4000000
        xor dx, dx
.next:  mov ax, 7c0h
        mov es, ax
        push ds
        mov cx, [es:100h]
        add dx, cx
        pop ds
        mov bx, es
        add dx, bx
        dec ebp
        jnz .next
        xor ax, ax
        mov es, ax
        movzx eax, dx
        ret

calls:  mov ebp, 5000000
        xor dx, dx
.next:  push bp
        push dx
        call .add
        pop dx
        add dx, ax
        dec ebp
        jnz .next
        movzx eax, dx
        ret
.add:   push bp
        mov bp, sp
        mov ax, [bp + 4]
        add ax, [bp + 6]
        pop bp
        ret 2

interrupts:
        mov word [4 * 80h], .handler
        mov word [4 * 80h + 2], 0
        mov ebp, 500000
        xor edx, edx
.next:  int 80h
        dec ebp
        jnz .next
        mov eax, edx
        ret
.handler:
        inc dx
        iret

com:    mov sp, 7b00h
        mov ebp, 3000000
        xor dx, dx
.next:  push dx
        add [7b80h], dx
        call .add
        pop cx
        dec ebp
        jnz .next
        mov sp, 6ffeh
        movzx eax, dx
        ret
.add:   add dx, [7b80h]
        xor dx, bp
        ret

ports:  mov ebp, 2000000
        xor ebx, ebx
.next:  in al, 61h
        and al, 0efh
        movzx cx, al
        and cl, 0ch
        add bx, cx
        mov al, 20h
        out 80h, al
        dec ebp
        jnz .next
        mov eax, ebx
        ret

patching:
        mov ebp, 50000
        xor edx, edx
.next:  inc word [.here + 2]
.here:  add dx, 1234h
        dec ebp
        jnz .next
        mov eax, edx
        ret

; Functions that take turns at one address, as a program's overlays do.
%macro OVERLAY 1
%%start:
        times 12 add dx, %1
        rol dx, 1
        ret
        times 64 - ($ - %%start) db 0
%endmacro

overlays:
        mov ebp, 60000
        xor edx, edx
.next:  mov si, bp
        and si, 3
        shl si, 6
        add si, .kept
        mov di, DATA
        mov cx, 32
        rep movsw
        mov bx, DATA
        call bx
        call bx
        call bx
        dec ebp
        jnz .next
        mov eax, edx
        ret
.kept:  OVERLAY 1234h
        OVERLAY 2345h
        OVERLAY 3456h
        OVERLAY 4567h

        times 512 * (SECTORS + 1) - ($ - $$) db 0
