; Option ROM that starts what -kernel names: a Linux kernel by its 16-bit entry, or a multiboot 1
; kernel in flat protected mode.
;
; Source: [PNPBIOS] "Option ROM Support" (header, boot entry vector), [FWCFG] (DMA), [BOOT] "Running
; the kernel", [MULTIBOOT] "Machine state", [ACPI] "INT 15H, E820H".
;
; Everything comes by fw_cfg DMA, which writes to any address, so nothing has to be moved. The host
; (hw/pc/kernel.c) chose the addresses and made the structures; what only firmware knows, the memory
; map of a multiboot kernel, is filled in here. The checksum is the host's, too.

        bits 16
        cpu 486
        org 0

FW_DMA_HIGH     equ 0x514
FW_DMA_LOW      equ 0x518
DMA_ERROR       equ 1
DMA_READ        equ 2
DMA_SELECT      equ 8

; fw_cfg items; each piece has an address, a size and its data
KERNEL_ADDR     equ 0x07
KERNEL_SIZE     equ 0x08
INITRD_ADDR     equ 0x0a
INITRD_SIZE     equ 0x0b
KERNEL_ENTRY    equ 0x10
KERNEL_DATA     equ 0x11
INITRD_DATA     equ 0x12
CMDLINE_ADDR    equ 0x13
CMDLINE_SIZE    equ 0x14
CMDLINE_DATA    equ 0x15
SETUP_ADDR      equ 0x16
SETUP_SIZE      equ 0x17
SETUP_DATA      equ 0x18

; scratch memory at 0:7E00, where boot sectors keep theirs
DESCRIPTOR      equ 0x7e00              ; of a DMA: control, length, address, big-endian
VALUE           equ 0x7e10              ; a number that was read
GDT_POINTER     equ 0x7e20
ENTRY           equ 0x7e28              ; 32-bit code of a multiboot kernel
STACK           equ 0x7e00

; struct multiboot_info, made by the host at a paragraph below 1 MiB
MBI_MEM_LOWER   equ 4
MBI_MEM_UPPER   equ 8
MBI_MMAP_LENGTH equ 44
MBI_MMAP_ADDR   equ 48
MMAP_ENTRY      equ 24                  ; a size field of 4 and the 20 bytes of E820
MMAP_MOST       equ 64                  ; entries that the host left room for

start:
        db 0x55, 0xaa
        db (rom_end - start) / 512
        retf                            ; initialisation: nothing to do
        times 0x1a - ($ - start) db 0
        dw pnp
        times 0x20 - ($ - start) db 0
pnp:
        db "$PnP", 1, 2                 ; revision, length in paragraphs
        dw 0                            ; no further header
        db 0, 0                         ; reserved, checksum (0 is not looked at)
        dd 0                            ; device identifier
        dw 0, product                   ; no manufacturer
        db 0, 0, 0                      ; device type
        db 0x14                         ; indicators: read cacheable, an IPL device
        dw 0, 0, boot, 0, 0             ; no connection vectors; boot entry vector; reserved

product:
        db "direct kernel boot", 0

boot:
        cli
        cld
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov esp, STACK
        mov si, pieces
.next:
        cs lodsw                        ; address item; size and data follow
        test ax, ax
        jz .loaded
        call read_number
        mov ebx, eax
        cs lodsw
        call read_number
        mov ecx, eax
        cs lodsw
        mov edx, ebx
        jecxz .next
        call read_item
        jmp .next
.loaded:
        mov ax, KERNEL_ENTRY
        call read_number
        test eax, eax
        jnz multiboot

; Linux: all data segments name the setup code, whose second sector is the entry. The heap and the
; stack lie between it and the command line.
linux:
        mov ax, CMDLINE_ADDR
        call read_number
        mov ebp, eax
        mov ax, SETUP_ADDR
        call read_number
        sub ebp, eax
        sub ebp, 16
        shr eax, 4
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        movzx esp, bp
        add ax, 0x20
        push ax
        push word 0
        retf

pieces:
        dw CMDLINE_ADDR, CMDLINE_SIZE, CMDLINE_DATA
        dw SETUP_ADDR, SETUP_SIZE, SETUP_DATA
        dw KERNEL_ADDR, KERNEL_SIZE, KERNEL_DATA
        dw INITRD_ADDR, INITRD_SIZE, INITRD_DATA
        dw 0

; Multiboot: EAX is the entry. ES:0 becomes the information structure.
multiboot:
        mov [ENTRY], eax
        mov ax, SETUP_ADDR
        call read_number
        mov ebp, eax                    ; its linear address
        shr eax, 4
        mov es, ax
        sti
        int 0x12
        cli
        movzx eax, ax
        mov [es:MBI_MEM_LOWER], eax
        call memory_map
        xor eax, eax                    ; the descriptor table is in this ROM
        mov ax, cs
        shl eax, 4
        mov word [GDT_POINTER], gdt_end - gdt - 1
        lea ecx, [eax + gdt]
        mov [GDT_POINTER + 2], ecx
        add eax, protected
        mov ebx, [ENTRY]
        o32 lgdt [GDT_POINTER]
        mov ecx, cr0
        or cl, 1
        mov cr0, ecx
        push dword 8
        push eax
        o32 retf

        bits 32
protected:
        mov eax, 16
        mov ds, ax
        mov es, ax
        mov fs, ax
        mov gs, ax
        mov ss, ax
        mov ecx, ebx
        mov ebx, ebp
        mov eax, 0x2badb002
        jmp ecx
        bits 16

; E820 entries behind each other at the structure's mmap_addr, which lies in the same segment.
memory_map:
        mov edi, [es:MBI_MMAP_ADDR]
        sub edi, ebp
        mov dword [es:MBI_MMAP_LENGTH], 0
        xor ebx, ebx
.next:
        mov dword [es:di], MMAP_ENTRY - 4
        add di, 4
        mov eax, 0xe820
        mov edx, 0x534d4150             ; "SMAP"
        mov ecx, MMAP_ENTRY - 4
        sti
        int 0x15
        cli
        jc .done
        cmp eax, 0x534d4150
        jne .done
        add dword [es:MBI_MMAP_LENGTH], MMAP_ENTRY
        cmp dword [es:di], 0x100000     ; memory from 1 MiB on is "upper memory"
        jne .count
        cmp dword [es:di + 4], 0
        jne .count
        mov eax, [es:di + 8]
        shr eax, 10
        mov [es:MBI_MEM_UPPER], eax
.count:
        add di, MMAP_ENTRY - 4
        test ebx, ebx
        jz .done
        cmp dword [es:MBI_MMAP_LENGTH], MMAP_ENTRY * MMAP_MOST
        jb .next
.done:
        ret

; EAX = the 32-bit number in item AX. Keeps all else. DS is 0 here and in read_item.
read_number:
        push ecx
        push edx
        mov ecx, 4
        mov edx, VALUE
        call read_item
        mov eax, [VALUE]
        pop edx
        pop ecx
        ret

; Reads ECX bytes of item AX to linear address EDX.
read_item:
        pushad
        shl eax, 16
        or eax, DMA_SELECT | DMA_READ
        bswap eax
        mov [DESCRIPTOR], eax
        bswap ecx
        mov [DESCRIPTOR + 4], ecx
        mov dword [DESCRIPTOR + 8], 0
        bswap edx
        mov [DESCRIPTOR + 12], edx
        xor eax, eax
        mov dx, FW_DMA_HIGH
        out dx, eax
        mov eax, DESCRIPTOR
        bswap eax
        mov dx, FW_DMA_LOW
        out dx, eax                     ; this starts it
.wait:
        mov eax, [DESCRIPTOR]
        bswap eax
        test eax, ~DMA_ERROR
        jnz .wait
        popad
        ret

        align 8
gdt:
        dq 0
        dq 0x00cf9b000000ffff           ; code, 4 GiB
        dq 0x00cf93000000ffff           ; data
gdt_end:

        times (511 - ($ - start) % 512) db 0
        db 0                            ; makes the sum 0, when the host adds the ROM
rom_end:
