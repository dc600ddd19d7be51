; Where the C kernels begin, and what of ring 3 and interrupts cannot be C. One source for 32 and 64 bits.
%define FLAT 1
%define PAGED 2
%define LONG 4
%define KERNEL_CODE 08h
%define KERNEL_DATA 10h
%define USER_DATA 23h
%define USER_CODE 2bh
%define DIRECTORY 100000h
%define PAGE_TABLES DIRECTORY + 10000h
%define STACK 90000h
%define USER_STACK 98000h
%define MASK 7c00h + 502

extern run_kernels
global run_user, entry_80, entry_81, entry_fault, entry_timer, entry_syscall
global calls_80, calls_syscall, ticks, gdt, fault_table

%if MODE == LONG
        bits 64
        default rel
%define ax_ rax
%define cx_ rcx
%define sp_ rsp
%define PTR resq
%define RETURN iretq
%define SLOT 8
%else
        bits 32
%define ax_ eax
%define cx_ ecx
%define sp_ esp
%define PTR resd
%define RETURN iretd
%define SLOT 4
%endif

        section .text.start
        mov esp, STACK
        lgdt [gdt_pointer]
        mov ax, KERNEL_DATA
        mov ds, ax
        mov es, ax
        mov ss, ax
%if MODE == LONG
        push KERNEL_CODE
        lea rax, [.on]
        push rax
        retfq
.on:    mov edi, MODE
        mov rsi, [abs MASK]
        call run_kernels
%else
        jmp KERNEL_CODE:.on
.on:    sub esp, 4
        push dword [MASK + 4]
        push dword [MASK]
        push MODE
        call run_kernels
%endif
        mov dx, 501h
        xor al, al
        out dx, al
        hlt

        section .text
; void run_user(void (*function)(void))
run_user:
%if MODE == LONG
        push rbx
        push rbp
        push r12
        push r13
        push r14
        push r15
        mov rax, rdi
        mov [kernel_stack], rsp
        push USER_DATA
        push USER_STACK - 8                 ; as behind a call
%else
        push ebx
        push ebp
        push esi
        push edi
        mov eax, [esp + 20]
        mov [kernel_stack], esp
        mov cx, USER_DATA
        mov ds, cx
        mov es, cx
        push USER_DATA
        push USER_STACK - 4
%endif
        push 2                              ; flags
        push USER_CODE
        push ax_
        RETURN

; The end of ring 3
entry_81:
        mov sp_, [kernel_stack]
%if MODE == LONG
        pop r15
        pop r14
        pop r13
        pop r12
        pop rbp
        pop rbx
%else
        pop edi
        pop esi
        pop ebp
        pop ebx
%endif
        ret

entry_80:
        inc dword [calls_80]
        RETURN

; Makes the page present that was touched.
entry_fault:
        push ax_
        mov ax_, cr2
        shr ax_, 12
        or byte [ax_ * SLOT + PAGE_TABLES], 1
        pop ax_
        add sp_, SLOT                       ; the error code
        RETURN

entry_timer:
        push ax_
        inc dword [ticks]
        mov al, 20h
        out 20h, al
        pop ax_
        RETURN

%if MODE == LONG
entry_syscall:
        inc dword [calls_syscall]
        o64 sysret
%else
entry_syscall:
%endif

        section .data
        align 8
gdt:    dq 0
%if MODE == LONG
        dq 00af9a000000ffffh, 00cf92000000ffffh, 0, 00cff2000000ffffh, 00affa000000ffffh
%else
        dq 00cf9a000000ffffh, 00cf92000000ffffh, 0, 00cff2000000ffffh, 00cffa000000ffffh
%endif
        dq 0, 0                             ; TSS
gdt_pointer:
        dw gdt_pointer - gdt - 1
        dd gdt, 0
fault_table:
        dd PAGE_TABLES, 0

        section .bss align=8
kernel_stack: PTR 1
calls_80: resd 1
calls_syscall: resd 1
ticks:  resd 1
