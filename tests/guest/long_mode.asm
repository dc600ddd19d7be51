; A multiboot kernel: goes to long mode, takes an interrupt on a stack of the IST, visits CPL 3 by
; SYSRET and comes back by SYSCALL. Port E9h then has
;
;       mbMIUSOK        multiboot magic, a memory map, interrupt on its stack, user mode, system call
;
; and the run ends with status 0 (coldboot-exit), or with a letter less and a status above 0.

BASE            equ 0x200000
STACK           equ BASE + 0x8000
IST_STACK       equ BASE + 0x9000
USER_STACK      equ BASE + 0xa000
PML4            equ BASE + 0x10000
PDPT            equ BASE + 0x11000
PD              equ BASE + 0x12000
EFER            equ 0xc0000080
STAR            equ 0xc0000081
LSTAR           equ 0xc0000082
SFMASK          equ 0xc0000084

        org BASE
        bits 32
header:
        dd 0x1badb002, 0x10003, -(0x1badb002 + 0x10003)
        dd header, BASE, 0, 0, start

%macro say 1
        mov al, %1
        out 0xe9, al
%endmacro

start:
        mov esp, STACK
        cmp eax, 0x2badb002
        jne fail32
        say 'm'
        mov eax, [ebx]                  ; flags: memory map
        test al, 0x40
        jz fail32
        cmp dword [ebx + 44], 24 * 2
        jb fail32
        mov esi, [ebx + 48]
        cmp dword [esi + 20], 1         ; the first entry is memory from 0
        jne fail32
        say 'b'
        mov eax, [ebx + 24]             ; the second module's line
        mov eax, [eax + 16 + 8]
        cmp byte [eax], 0
        je fail32
        say 'M'

        mov edi, PML4                   ; the first 1 GiB in pages of 2 MiB, for everybody
        xor eax, eax
        mov ecx, 0x3000 / 4
        rep stosd
        mov dword [PML4], PDPT | 7
        mov dword [PDPT], PD | 7
        mov edi, PD
        mov eax, 0x87
        mov ecx, 512
.page:
        mov [edi], eax
        add eax, 0x200000
        add edi, 8
        loop .page
        mov eax, PML4
        mov cr3, eax
        mov eax, cr4
        or al, 0x20                     ; PAE
        mov cr4, eax
        mov ecx, EFER
        rdmsr
        or eax, 0x101                   ; LME, SCE
        wrmsr
        mov eax, cr0
        or eax, 0x80000000
        mov cr0, eax
        lgdt [gdt_pointer]
        jmp 0x08:long_mode
fail32:
        mov dx, 0x500
        mov al, 1
        out dx, al
        hlt

        bits 64
long_mode:
        mov rax, tss
        mov [gdt.tss + 2], ax
        shr rax, 16
        mov [gdt.tss + 4], al
        mov [gdt.tss + 7], ah
        mov ax, 0x30
        ltr ax
        mov rax, handler
        mov [idt + 0x40 * 16], ax
        mov word [idt + 0x40 * 16 + 2], 0x08
        mov word [idt + 0x40 * 16 + 4], 0x8e01 ; interrupt gate, IST 1
        shr rax, 16
        mov [idt + 0x40 * 16 + 6], ax
        lidt [idt_pointer]
        int 0x40
        cmp rsp, STACK
        jne fail

        mov ecx, STAR
        xor eax, eax
        mov edx, 0x00180008
        wrmsr
        mov ecx, LSTAR
        mov eax, kernel_entry
        xor edx, edx
        wrmsr
        mov ecx, SFMASK
        mov eax, 0x200
        xor edx, edx
        wrmsr
        mov rcx, user
        mov r11, 0x3202                 ; IF, and IOPL 3 for the port
        o64 sysret

user:
        mov ax, cs
        cmp ax, 0x2b
        jne fail
        mov rsp, USER_STACK
        say 'U'
        syscall
after:
        jmp fail

kernel_entry:
        cmp rcx, after
        jne fail
        test r11d, 0x200
        jz fail
        pushfq
        pop rax
        test eax, 0x200
        jnz fail
        mov ax, ss
        cmp ax, 0x10
        jne fail
        say 'S'
        say 'O'
        say 'K'
        xor eax, eax
        jmp end

handler:
        cmp rsp, IST_STACK - 40
        jne fail
        cmp qword [rsp + 24], STACK
        jne fail
        say 'I'
        iretq

fail:
        mov al, 2
end:
        mov dx, 0x500
        out dx, al
        hlt

        align 16
gdt:
        dq 0
        dq 0x00af9b000000ffff           ; 08: code, 64 bits
        dq 0x00cf93000000ffff           ; 10: data
        dq 0x00cffb000000ffff           ; 18: code of CPL 3, 32 bits
        dq 0x00cff3000000ffff           ; 20: data of CPL 3
        dq 0x00affb000000ffff           ; 28: code of CPL 3, 64 bits
.tss:
        dq 0x0000890000000067, 0        ; 30
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dq gdt

        align 16
tss:
        dd 0
        dq STACK, 0, 0, 0, IST_STACK
        times 104 - ($ - tss) db 0
idt_pointer:
        dw 0x41 * 16 - 1
        dq idt
        align 16
idt:
        times 0x41 * 16 db 0
