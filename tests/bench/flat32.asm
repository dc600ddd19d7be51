; 32-bit flat protected mode without paging: integer work, memory, calls.
%include "bench.inc"

start:
        cli
        in al, 92h
        or al, 2
        out 92h, al
        lgdt [gdt_pointer]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp 8:wide

gdt:    dq 0, 00cf9a000000ffffh, 00cf92000000ffffh
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dd gdt

        bits 32
print_name:
        lodsb
        test al, al
        jz .end
        out 0e9h, al
        jmp print_name
.end:   ret

print_sum:
        mov ecx, 8
.digit: rol eax, 4
        push eax
        and al, 15
        add al, '0'
        cmp al, '9'
        jbe .out
        add al, 'a' - '0' - 10
.out:   out 0e9h, al
        pop eax
        loop .digit
        mov al, 10
        out 0e9h, al
        ret

%macro KERNEL32 2
        mov esi, %%name
        call print_name
        call %2
        call print_sum
        jmp %%on
%%name: db %1, " ", 0
%%on:
%endmacro

%define BUFFER 200000h

wide:   mov ax, 16
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        mov esp, 90000h
        KERNEL32 "alu32", alu
        KERNEL32 "crc32", crc
        KERNEL32 "sieve32", sieve
        KERNEL32 "sort32", sort
        KERNEL32 "hash32", hash
        KERNEL32 "copy32", copy
        KERNEL32 "chase32", chase
        KERNEL32 "stride32", stride
        KERNEL32 "recursion32", recursion
        KERNEL32 "indirect32", indirect
        KERNEL32 "table32", table
        mov ecx, 30000000                   ; so that the last time can be read
.wait:  dec ecx
        jnz .wait
        mov dx, 501h
        xor al, al
        out dx, al
        hlt

alu:    mov ebp, 60000000
        mov eax, 1
        mov ebx, 3
        xor ecx, ecx
.next:  add eax, ebx
        xor ebx, ecx
        lea ecx, [ecx + eax * 2 + 5]
        ror eax, 1
        sub ebx, eax
        shr ecx, 3
        dec ebp
        jnz .next
        add eax, ebx
        add eax, ecx
        ret

crc:    mov edi, BUFFER
        mov ecx, 65536
        xor eax, eax
.fill:  imul eax, eax, 1103515245
        add eax, 12345
        mov [edi], eax
        add edi, 4
        dec ecx
        jnz .fill
        mov eax, -1
        mov ebp, 8
.again: mov esi, BUFFER
        mov ecx, 262144
.byte:  movzx edx, byte [esi]
        inc esi
        xor eax, edx
        mov ebx, 8
.bit:   shr eax, 1
        jnc .even
        xor eax, 0edb88320h
.even:  dec ebx
        jnz .bit
        dec ecx
        jnz .byte
        dec ebp
        jnz .again
        ret

sieve:  mov ebp, 20
.again: mov edi, BUFFER
        mov ecx, 250000
        mov eax, 01010101h
        rep stosd
        mov ebx, 2
.prime: cmp byte [BUFFER + ebx], 0
        je .no
        mov ecx, ebx
        imul ecx, ebx
        cmp ecx, 1000000
        jae .no
.cross: mov byte [BUFFER + ecx], 0
        add ecx, ebx
        cmp ecx, 1000000
        jb .cross
.no:    inc ebx
        cmp ebx, 1000
        jb .prime
        dec ebp
        jnz .again
        xor eax, eax
        mov ecx, 2
.count: movzx edx, byte [BUFFER + ecx]
        add eax, edx
        inc ecx
        cmp ecx, 1000000
        jb .count
        ret

; Shell sort of 200000 words
sort:   mov edi, BUFFER
        mov ecx, 200000
        mov eax, 1
.fill:  imul eax, eax, 1664525
        add eax, 1013904223
        mov [edi], eax
        add edi, 4
        dec ecx
        jnz .fill
        mov ebx, 100000
.gap:   mov ecx, ebx
.outer: mov eax, [BUFFER + ecx * 4]
        mov edx, ecx
.inner: mov esi, edx
        sub esi, ebx
        jb .put
        mov edi, [BUFFER + esi * 4]
        cmp edi, eax
        jbe .put
        mov [BUFFER + edx * 4], edi
        mov edx, esi
        jmp .inner
.put:   mov [BUFFER + edx * 4], eax
        inc ecx
        cmp ecx, 200000
        jb .outer
        shr ebx, 1
        jnz .gap
        mov eax, [BUFFER + 400000]
        ret

hash:   mov ebp, 4
        mov eax, 811c9dc5h
.again: mov esi, BUFFER
        mov ecx, 800000
.byte:  movzx edx, byte [esi]
        xor eax, edx
        imul eax, eax, 1000193h
        mov edx, eax
        shr edx, 15
        add [BUFFER + 1000000h + edx], ecx
        inc esi
        dec ecx
        jnz .byte
        dec ebp
        jnz .again
        ret

copy:   mov ebp, 200
        xor eax, eax
.again: mov esi, BUFFER
        mov edi, BUFFER + 100000h
        mov ecx, 65536
.word:  mov edx, [esi]
        mov [edi], edx
        add eax, edx
        add esi, 4
        add edi, 4
        dec ecx
        jnz .word
        dec ebp
        jnz .again
        ret

chase:  mov ecx, 65536                      ; a ring through 4 MiB
        xor eax, eax
.make:  mov edx, eax
        add eax, 40503
        and eax, 65535
        mov esi, eax
        shl esi, 6
        add esi, BUFFER
        shl edx, 6
        mov [BUFFER + edx], esi
        dec ecx
        jnz .make
        mov esi, BUFFER
        mov ecx, 20000000
.next:  mov esi, [esi]
        dec ecx
        jnz .next
        mov eax, esi
        ret

stride: mov ebp, 30
        xor eax, eax
.again: xor ecx, ecx
.next:  add eax, [BUFFER + ecx]
        add dword [BUFFER + ecx], ebp
        add ecx, 4160
        cmp ecx, 1000000h
        jb .next
        mov ecx, 0
.fine:  add eax, [BUFFER + ecx]
        add ecx, 64
        cmp ecx, 1000000h
        jb .fine
        dec ebp
        jnz .again
        ret

recursion:
        mov eax, 31
.fib:   cmp eax, 2
        jb .one
        push eax
        dec eax
        call .fib
        pop edx
        push eax
        lea eax, [edx - 2]
        call .fib
        pop edx
        add eax, edx
        ret
.one:   mov eax, 1
        ret

indirect:
        mov ebp, 10000000
        xor eax, eax
        mov ebx, .f0
.next:  mov ecx, ebp
        and ecx, 3
        call [.functions + ecx * 4]
        call ebx
        dec ebp
        jnz .next
        ret
.f0:    add eax, 1
        ret
.f1:    xor eax, ebp
        ret
.f2:    add eax, ebp
        ret
.f3:    sub eax, 7
        ret
        align 4
.functions: dd .f0, .f1, .f2, .f3

table:  mov ebp, 15000000
        xor eax, eax
        mov ecx, 1
.next:  imul ecx, ecx, 1664525
        add ecx, 1013904223
        mov edx, ecx
        shr edx, 29
        jmp [.cases + edx * 4]
.c0:    add eax, ecx
        jmp .join
.c1:    xor eax, ecx
        jmp .join
.c2:    sub eax, ecx
        jmp .join
.c3:    inc eax
        jmp .join
.c4:    rol eax, 1
        jmp .join
.c5:    add eax, 5
        jmp .join
.c6:    not eax
        jmp .join
.c7:    dec eax
.join:  dec ebp
        jnz .next
        ret
        align 4
.cases: dd .c0, .c1, .c2, .c3, .c4, .c5, .c6, .c7

        times 512 * (SECTORS + 1) - ($ - $$) db 0
