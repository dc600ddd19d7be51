; Starts the C kernels (guest/): 32-bit flat, 32-bit paged or 64-bit, as MODE says, with KERNELS, a flat
; binary that is linked to run at CODE.
%define CODE 8400h
%define FLAT 1
%define PAGED 2
%define LONG 4
%define DIRECTORY 100000h                   ; guest/machine.h
%define MAPPED 64                           ; MiB
%define TABLES DIRECTORY + 10000h

%include "bench.inc"

start:  cli
        in al, 92h
        or al, 2
        out 92h, al
        mov al, 0ffh                        ; no interrupts but those that a kernel asks for
        out 21h, al
        out 0a1h, al
        lgdt [gdt_pointer]
        mov eax, cr0
        and al, ~4                          ; EM
        or al, 3                            ; PE, MP
        mov cr0, eax
        jmp 8:wide

        align 8
gdt:    dq 0, 00cf9a000000ffffh, 00cf92000000ffffh, 00af9a000000ffffh
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dd gdt

        bits 32
wide:   mov ax, 16
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov fs, ax
        mov gs, ax
        mov esp, 90000h
        mov eax, cr4
        or eax, 600h                        ; OSFXSR, OSXMMEXCPT
        mov cr4, eax
        fninit
        mov edi, DIRECTORY
        mov ecx, 80000h / 4
        xor eax, eax
        rep stosd

%if MODE == PAGED
        mov edi, TABLES
        mov eax, 7                          ; present, writable, for users
        mov ecx, MAPPED * 256
.page:  stosd
        add eax, 4096
        loop .page
        mov eax, TABLES + 7
        mov edi, DIRECTORY
        mov ecx, MAPPED / 4
.table: stosd
        add eax, 4096
        loop .table
        mov eax, DIRECTORY
        mov cr3, eax
        mov eax, cr0
        or eax, 80010000h                   ; PG, WP
        mov cr0, eax
%elif MODE == LONG
        mov dword [DIRECTORY], DIRECTORY + 1000h + 7
        mov dword [DIRECTORY + 1000h], DIRECTORY + 2000h + 7
        mov edi, TABLES
        mov eax, 7
        mov ecx, MAPPED * 256
.page:  mov [edi], eax
        add edi, 8
        add eax, 4096
        loop .page
        mov eax, TABLES + 7
        mov edi, DIRECTORY + 2000h
        mov ecx, MAPPED / 2
.table: mov [edi], eax
        add edi, 8
        add eax, 4096
        loop .table
        mov eax, DIRECTORY
        mov cr3, eax
        mov eax, cr4
        or al, 20h                          ; PAE
        mov cr4, eax
        mov ecx, 0c0000080h                 ; EFER
        rdmsr
        or eax, 101h                        ; LME, SCE
        wrmsr
        mov eax, cr0
        or eax, 80010000h
        mov cr0, eax
        jmp 18h:CODE
%endif
%if MODE != LONG
        jmp CODE
%endif

        times CODE - LOAD - ($ - $$) db 0
        incbin KERNELS
