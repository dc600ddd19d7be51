; Shows in text mode what machine this is: processor, memory, drives, PCI devices, clock, BIOS; and
; answers to keys. Runs in real mode at 0000:8000 with the boot drive in DL; needs a 386 or later.
;
; First everything is asked for once and kept in tables (collect_*), then pages are drawn from the
; tables (page_*) straight into the text buffer at B800h.

        cpu 586
        bits 16
        org 0x8000

%include "screen.inc"

COLOR_TEXT   equ 0x07
COLOR_LABEL  equ 0x03
COLOR_VALUE  equ 0x0f
COLOR_FRAME  equ 0x08
COLOR_HEAD   equ 0x0e
COLOR_BAR    equ 0x1f
COLOR_BAR_HI equ 0x1e
COLOR_BAD    equ 0x0c

E820_MAX     equ 32
PCI_MAX      equ 40
DISK_MAX     equ 8

start:
        xor ax, ax
        mov ds, ax
        mov [boot_drive], dl
        mov ax, 3               ; INT 10h: 80x25 text, cleared
        int 0x10
        mov ax, 0x1003          ; INT 10h: bright backgrounds in place of blinking
        xor bx, bx
        int 0x10
        mov ah, 1               ; INT 10h: no cursor
        mov cx, 0x2000
        int 0x10
        mov ax, 0xb800
        mov es, ax
        cld
        call collect_cpu
        call collect_memory
        call collect_drives
        call collect_pci
        call collect_bios
        call page_overview

; ---- the loop ------------------------------------------------------------------------------------

main_loop:
        call put_ready
        call draw_time
.wait:
        mov ah, 1               ; INT 16h: is a key there?
        int 0x16
        jnz .key
        hlt                     ; until the next interrupt: the timer's comes 18 times a second
        mov eax, [0x46c]        ; BIOS tick count
        cmp eax, [last_tick]
        je .wait
        mov [last_tick], eax
        jmp main_loop
.key:
        xor ah, ah              ; INT 16h: take the key
        int 0x16
        mov [key], ax
        call act_on_key
        jmp main_loop

act_on_key:
        cmp al, 'A'
        jb .find
        cmp al, 'Z'
        ja .find
        or al, 0x20
.find:
        mov si, key_table
.next:
        cmp byte [si], 0
        je .other
        cmp al, [si]
        je .found
        add si, 3
        jmp .next
.found:
        call [si + 1]
        jmp draw_key
.other:
        jmp draw_key

key_table:
        db 'm'
        dw page_memory
        db 'c'
        dw page_cpu
        db 'd'
        dw page_devices
        db 'h'
        dw page_help
        db '?'
        dw page_help
        db 'o'
        dw page_overview
        db 27
        dw page_overview
        db 'r'
        dw reboot
        db 'p'
        dw power_off
        db 0

reboot:
        mov al, 0xfe            ; 8042: pulse the processor's reset line
        out 0x64, al
        mov cx, 0xffff
.wait:  loop .wait
        jmp 0xffff:0            ; the reset vector

; APM 1.2: connect in real mode, say which version we know, set the state of all devices to off.
power_off:
        mov ax, 0x5301
        xor bx, bx
        int 0x15
        mov ax, 0x530e
        xor bx, bx
        mov cx, 0x0102
        int 0x15
        mov ax, 0x5307
        mov bx, 1
        mov cx, 3
        int 0x15
        mov word [notice], text_no_power
        ret

%include "collect.inc"
%include "pages.inc"

; ---- texts and tables ----------------------------------------------------------------------------

text_title    db "coldboot - what machine this is", 0
text_ready    db "coldboot ready - press a key", 0
text_keys     db "h:help m:memory c:CPU d:devices r:reboot p:off", 0
text_386      db "80386 (no CPUID)", 0
text_486      db "80486 (no CPUID)", 0
text_disk     db "hard disk    ", 0
text_booted   db "  booted", 0
text_class    db "class ", 0
text_more     db "... more: key m                       ", 0
text_no_pci   db "There is no PCI BIOS.", 0
text_no_power db "The BIOS cannot power off.", 0

floppy_names:                   ; by INT 13h AH=08h's drive type, 14 bytes each
        db "floppy       ", 0
        db "360 KB       ", 0
        db "1.2 MB       ", 0
        db "720 KB       ", 0
        db "1.44 MB      ", 0
        db "2.88 MB      ", 0
        db "2.88 MB      ", 0

e820_names:                     ; by type, 9 bytes each
        db "other   ", 0
        db "usable  ", 0
        db "reserved", 0
        db "ACPI    ", 0
        db "ACPI NVS", 0
        db "bad     ", 0

help_text:
        db "h  ?", 0, "this page", 0
        db "o  Esc", 0, "the overview", 0
        db "m", 0, "the whole memory map", 0
        db "c", 0, "the processor: all that CPUID says", 0
        db "d", 0, "all drives and PCI devices", 0
        db "r", 0, "reboot", 0
        db "p", 0, "power off (APM)", 0
        db "others", 0, "show their code in the line below", 0
        db 0

bios_tables:                    ; 4 bytes of signature, a name of at most 7 bytes
        db "_32_", "BIOS32", 0, 0
        db "_SM_", "SMBIOS", 0, 0
        db "RSD ", "ACPI", 0, 0, 0, 0
        db "$PIR", "PIR", 0, 0, 0, 0, 0
        db "_MP_", "MP", 0, 0, 0, 0, 0, 0
        db "$PnP", "PnP", 0, 0, 0, 0, 0
        dd 0

pci_names:                      ; vendor and device, name
        dw 0x8086, 0x1237
        db "440FX host bridge", 0
        dw 0x8086, 0x7000
        db "PIIX3 ISA bridge", 0
        dw 0x8086, 0x7010
        db "PIIX3 IDE", 0
        dw 0x8086, 0x7020
        db "PIIX3 USB", 0
        dw 0x8086, 0x7113
        db "PIIX4 power mgmt", 0
        dw 0x1234, 0x1111
        db "standard VGA", 0
        dw 0x8086, 0x100e
        db "82540EM Ethernet", 0
        dd 0

class_names:                    ; subclass and class, name
        dw 0x0600
        db "host bridge", 0
        dw 0x0601
        db "ISA bridge", 0
        dw 0x0604
        db "PCI bridge", 0
        dw 0x0680
        db "bridge", 0
        dw 0x0100
        db "SCSI", 0
        dw 0x0101
        db "IDE", 0
        dw 0x0106
        db "SATA", 0
        dw 0x0200
        db "Ethernet", 0
        dw 0x0300
        db "VGA", 0
        dw 0x0401
        db "audio", 0
        dw 0x0c03
        db "USB", 0
        dw 0xffff

%macro FEATURE 3                ; word of cpu_features, bit, name
        db %1, %2, %3, 0
%endmacro
feature_table:
        FEATURE 0, 0, "fpu"
        FEATURE 0, 1, "vme"
        FEATURE 0, 2, "de"
        FEATURE 0, 3, "pse"
        FEATURE 0, 4, "tsc"
        FEATURE 0, 5, "msr"
        FEATURE 0, 6, "pae"
        FEATURE 0, 7, "mce"
        FEATURE 0, 8, "cx8"
        FEATURE 0, 9, "apic"
        FEATURE 0, 11, "sep"
        FEATURE 0, 12, "mtrr"
        FEATURE 0, 13, "pge"
        FEATURE 0, 14, "mca"
        FEATURE 0, 15, "cmov"
        FEATURE 0, 16, "pat"
        FEATURE 0, 17, "pse36"
        FEATURE 0, 19, "clfsh"
        FEATURE 0, 23, "mmx"
        FEATURE 0, 24, "fxsr"
        FEATURE 0, 25, "sse"
        FEATURE 0, 26, "sse2"
        FEATURE 1, 0, "sse3"
        FEATURE 1, 1, "pclmul"
        FEATURE 1, 9, "ssse3"
        FEATURE 1, 12, "fma"
        FEATURE 1, 13, "cx16"
        FEATURE 1, 19, "sse4.1"
        FEATURE 1, 20, "sse4.2"
        FEATURE 1, 21, "x2apic"
        FEATURE 1, 22, "movbe"
        FEATURE 1, 23, "popcnt"
        FEATURE 1, 25, "aes"
        FEATURE 1, 26, "xsave"
        FEATURE 1, 28, "avx"
        FEATURE 1, 30, "rdrand"
        FEATURE 1, 31, "hypervisor"
        FEATURE 2, 11, "syscall"
        FEATURE 2, 20, "nx"
        FEATURE 2, 27, "rdtscp"
        FEATURE 2, 29, "lm"
        FEATURE 3, 0, "lahf64"
        FEATURE 3, 5, "abm"
        db 0xff

; ---- what was found ------------------------------------------------------------------------------

        align 4
last_tick      dd 0
cpu_leaves     dd 0
cpu_ext_leaves dd 0
cpu_signature  dd 0
cpu_features   dd 0, 0, 0, 0    ; leaf 1 EDX, ECX; leaf 80000001h EDX, ECX
usable_kb      dd 0
key            dw 0
notice         dw 0
base_kb        dw 0
ext_kb         dw 0
below_16m      dw 0
above_16m      dw 0
e820_count     dw 0
pci_count      dw 0
pci_end        dw 0
equipment      dw 0
bios_found     dw 0
row            dw 0
boot_drive     db 0
cpu_family     db 0
has_cpuid      db 0
has_pci        db 0
floppies       db 0
drive_count    db 0
column         db 0
wrap_left      db 0             ; wrap_left and wrap_right are written as one word
wrap_right     db 0
wrap_bottom    db 0
cpu_vendor     times 13 db 0
cpu_brand      times 49 db 0

        absolute 0x7000 - E820_MAX * 24 - PCI_MAX * 10 - DISK_MAX * 6
e820_table     resb E820_MAX * 24
pci_table      resb PCI_MAX * 10
drive_table    resb DISK_MAX * 6
