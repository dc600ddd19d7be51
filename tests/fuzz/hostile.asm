; A hostile guest: a boot sector that reads and writes ports and memory at random for ever.
;
; xorshift32 from the seed at the end (the runner changes it) drives everything, so a seed is a
; repeatable run. Ports are mostly those of a PC; memory is reached through a flat FS (unreal mode):
; video memory, ROM and shadow areas, the PCI hole, or anywhere above the first 64 KiB. Interrupts are
; on half of the time; their handlers only return. What resets the machine starts the same run again from another count.

bits 16
org 0x7c00

    cli
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, 0x7000
    rdtsc                       ; another run after each reset, the same in each repetition
    xor [seed], eax
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov fs, bx
    and al, 0xfe
    mov cr0, eax
    xor di, di                  ; every interrupt and exception comes back at once
    mov cx, 256
    cld
.vector:
    mov ax, interrupt
    stosw
    xor ax, ax
    stosw
    loop .vector

next:
    call random
    test eax, 0x10000000
    jz .off
    sti
    jmp .chosen
.off:
    cli
.chosen:
    test eax, 0x20000000
    jnz memory

ports:
    mov dx, ax
    test eax, 0xc0000000        ; one in four: any port at all
    jz .have
    movzx bx, ah
    and bx, 31
    shl bx, 1
    mov dx, [bx + port_table]
    and ax, 7
    add dx, ax
.have:
    and dx, 0xffff
    mov bx, dx
    and bx, 0xffc0
    cmp bx, 0x0600              ; not the power button's register: the run would end
    je next
    call random
    test eax, 0x00100000
    jnz .write
    test eax, 0x00200000
    jnz .in32
    test eax, 0x00400000
    jnz .in16
    in al, dx
    jmp next
.in16:
    in ax, dx
    jmp next
.in32:
    in eax, dx
    jmp next
.write:
    test eax, 0x00200000
    jnz .out32
    test eax, 0x00400000
    jnz .out16
    out dx, al
    jmp next
.out16:
    out dx, ax
    jmp next
.out32:
    out dx, eax
    jmp next

memory:
    movzx ebx, ah
    and bx, 7
    mov ebx, [ebx * 4 + memory_table]
    mov ecx, eax
    call random
    and eax, 0x0001ffff
    add ebx, eax
    cmp ebx, 0x10000
    jb next
    test ecx, 0x40000000
    jnz .read
    test ecx, 0x80000000
    jnz .byte
    mov [fs:ebx], eax
    jmp next
.byte:
    mov [fs:ebx], al
    jmp next
.read:
    mov eax, [fs:ebx]
    jmp next

interrupt:                      ; with an end of interrupt in most cases
    push ax
    mov al, 0x20
    test byte [seed], 7
    jz .none
    out 0xa0, al
    out 0x20, al
.none:
    pop ax
    iret

; EAX and [seed] = the next number.
random:
    push edx
    mov eax, [seed]
    mov edx, eax
    shl edx, 13
    xor eax, edx
    mov edx, eax
    shr edx, 17
    xor eax, edx
    mov edx, eax
    shl edx, 5
    xor eax, edx
    mov [seed], eax
    pop edx
    ret

align 4
memory_table:
    dd 0xa0000, 0xb0000, 0xc0000, 0xe0000, 0xfd000000, 0xfebe0000, 0xfec00000, 0x10000
port_table:
    dw 0x00, 0x08, 0x20, 0xa0, 0x40, 0x60, 0x70, 0x80, 0x88, 0xc0, 0xc8, 0xd0, 0xd8, 0xf0, 0x3f0, 0x3f8
    dw 0x3b0, 0x3c0, 0x3c8, 0x3d0, 0x3d8, 0x1ce, 0x4d0, 0x510, 0x514, 0x1f0, 0x170, 0xcf8, 0xcfc, 0xc000, 0xb0, 0x90

gdt_pointer:
    dw 15
    dd gdt
align 8
gdt:
    dq 0
    dq 0x00cf92000000ffff

    times 506 - ($ - $$) db 0
seed:
    dd 0x12345678
    dw 0xaa55
