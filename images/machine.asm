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

; ---- processor -----------------------------------------------------------------------------------

collect_cpu:
        pushfd                  ; EFLAGS.AC (bit 18) is kept by a 486, EFLAGS.ID (21) where CPUID exists
        pop eax
        mov ecx, eax
        xor eax, (1 << 18) | (1 << 21)
        push eax
        popfd
        pushfd
        pop eax
        push ecx
        popfd
        xor eax, ecx
        mov byte [cpu_family], 3
        test eax, 1 << 18
        jz .done
        mov byte [cpu_family], 4
        test eax, 1 << 21
        jz .done
        mov byte [has_cpuid], 1
        xor eax, eax
        cpuid
        mov [cpu_leaves], eax
        mov [cpu_vendor], ebx
        mov [cpu_vendor + 4], edx
        mov [cpu_vendor + 8], ecx
        test eax, eax
        jz .done
        mov eax, 1
        cpuid
        mov [cpu_signature], eax
        mov [cpu_features], edx
        mov [cpu_features + 4], ecx
        shr ax, 8
        and al, 15
        mov [cpu_family], al
        mov eax, 0x80000000
        cpuid
        cmp eax, 0x80000001
        jb .done
        cmp eax, 0x8000ffff     ; a processor without extended leaves answers anything
        ja .done
        mov [cpu_ext_leaves], eax
        mov eax, 0x80000001
        cpuid
        mov [cpu_features + 8], edx
        mov [cpu_features + 12], ecx
        cmp dword [cpu_ext_leaves], 0x80000004
        jb .done
        mov di, cpu_brand
        mov esi, 0x80000002
.brand:
        mov eax, esi
        cpuid
        mov [di], eax
        mov [di + 4], ebx
        mov [di + 8], ecx
        mov [di + 12], edx
        add di, 16
        inc esi
        cmp esi, 0x80000004
        jbe .brand
.done:
        ret

; Prints the processor's name: the brand, the vendor, or what can be said without CPUID.
put_cpu_name:
        mov si, cpu_brand
        cmp byte [cpu_brand], 0
        jne .skip_blanks
        mov si, cpu_vendor
        cmp byte [has_cpuid], 0
        jne .print
        mov si, text_386
        cmp byte [cpu_family], 3
        je .print
        mov si, text_486
.print: jmp puts
.skip_blanks:
        cmp byte [si], ' '
        jne .print
        inc si
        jmp .skip_blanks

; "family 5 model 4 stepping 3", with the extended fields where the family says so.
put_cpu_signature:
        mov eax, [cpu_signature]
        mov ebx, eax
        shr eax, 8
        and eax, 15
        mov edx, ebx
        shr edx, 4
        and edx, 15             ; model
        cmp al, 6
        je .ext_model
        cmp al, 15
        jne .known
        mov ecx, ebx            ; extended family
        shr ecx, 20
        and ecx, 0xff
        add eax, ecx
.ext_model:
        mov ecx, ebx
        shr ecx, 12
        and ecx, 0xf0
        or edx, ecx
.known:
        push edx
        push eax
        LABEL_AT "family "
        pop eax
        call put_decimal
        LABEL_AT "  model "
        pop eax
        call put_decimal
        LABEL_AT "  stepping "
        mov eax, [cpu_signature]
        and eax, 15
        call put_decimal
        ret

; Prints the names of the features that are there, between column [wrap_left] and [wrap_right], down
; to row [wrap_bottom]; BX is the first row.
put_features:
        mov [row], bx
        mov al, [wrap_left]
        mov [column], al
        mov si, feature_table
.next:
        movzx bx, byte [si]     ; word
        cmp bl, 0xff
        je .done
        movzx cx, byte [si + 1] ; bit
        add si, 2
        shl bx, 2
        mov eax, [cpu_features + bx]
        bt eax, ecx
        jc .there
.skip:  lodsb
        test al, al
        jnz .skip
        jmp .next
.there:
        mov di, si              ; its length
        xor cx, cx
.count: cmp byte [di], 0
        je .counted
        inc cx
        inc di
        jmp .count
.counted:
        mov al, [column]
        add al, cl
        cmp al, [wrap_right]
        jbe .fits
        mov al, [wrap_left]
        mov [column], al
        inc word [row]
        mov ax, [row]
        cmp al, [wrap_bottom]
        ja .done
.fits:
        mov bx, [row]
        movzx dx, byte [column]
        call goto_bx_dx
        mov ah, COLOR_VALUE
        call puts
        inc si                  ; its end
        add cl, [column]
        inc cl
        mov [column], cl
        jmp .next
.done:
        ret

; ---- memory --------------------------------------------------------------------------------------

collect_memory:
        int 0x12
        mov [base_kb], ax
        mov ah, 0x88            ; INT 15h: KiB above 1 MiB, at most 63 MiB
        int 0x15
        jc .e801
        mov [ext_kb], ax
.e801:
        xor cx, cx
        xor dx, dx
        mov ax, 0xe801          ; INT 15h: KiB from 1 to 16 MiB, and 64 KiB units above
        int 0x15
        jc .e820
        mov [below_16m], ax
        mov [above_16m], bx
        jcxz .e820              ; some BIOSes answer in CX and DX
        mov [below_16m], cx
        mov [above_16m], dx
.e820:
        xor ebx, ebx
        mov di, e820_table
        mov bp, E820_MAX
.next:
        push es
        xor ax, ax
        mov es, ax
        mov eax, 0xe820         ; INT 15h: next range of the memory map
        mov edx, 0x534d4150     ; "SMAP"
        mov ecx, 24
        mov dword [di + 20], 1
        int 0x15
        pop es
        jc .done
        cmp eax, 0x534d4150
        jne .done
        cmp dword [di + 16], 1
        jne .counted
        mov eax, [di + 8]       ; usable memory adds up, in KiB
        mov edx, [di + 12]
        shrd eax, edx, 10
        add [usable_kb], eax
.counted:
        add di, 24
        inc word [e820_count]
        test ebx, ebx
        jz .done
        dec bp
        jnz .next
.done:
        ret

; One line of the memory map: entry number BX at the current place.
put_e820_entry:
        imul si, bx, 24
        add si, e820_table
        mov ah, COLOR_VALUE
        mov edx, [si + 4]
        mov ebx, [si]
        call put_hex40
        mov al, '-'
        mov ah, COLOR_TEXT
        stosw
        mov edx, [si + 4]       ; last byte: base + length - 1
        mov ebx, [si]
        add ebx, [si + 8]
        adc edx, [si + 12]
        sub ebx, 1
        sbb edx, 0
        call put_hex40
        mov al, ' '
        stosw
        push si
        mov ebx, [si + 16]
        mov ah, 0x0a
        cmp ebx, 1
        je .named
        mov ah, 0x06
        cmp ebx, 5
        jbe .named
        xor ebx, ebx
.named:
        imul si, bx, 9
        add si, e820_names
        call puts
        pop si
        mov ebx, [si + 8]
        mov edx, [si + 12]
        shrd ebx, edx, 10
        mov eax, ebx
        call put_size
        ret

; The map in rows BX to CX, from column DX on.
put_e820_rows:
        xor si, si
.next:
        cmp si, [e820_count]
        jae .done
        cmp bx, cx
        ja .more
        pusha
        call goto_bx_dx
        mov bx, si
        call put_e820_entry
        popa
        inc si
        inc bx
        jmp .next
.more:
        dec bx                  ; the last line says that there are more
        call goto_bx_dx
        mov ah, COLOR_TEXT
        mov si, text_more
        call puts
.done:
        ret

; ---- drives --------------------------------------------------------------------------------------

collect_drives:
        int 0x11
        mov [equipment], ax
        xor cx, cx
        test al, 1              ; bit 0: floppy drives are there, 7:6: their number less one
        jz .disks
        shr al, 6
        inc al
        mov cl, al
.disks:
        mov [floppies], cl
        xor dl, dl
.floppy:
        cmp dl, [floppies]
        jae .hard
        call ask_drive
        inc dl
        jmp .floppy
.hard:
        mov dl, 0x80
.disk:
        mov al, [0x475]         ; BIOS data: number of hard disks
        add al, 0x80
        cmp dl, al
        jae .done
        call ask_drive
        inc dl
        jmp .disk
.done:
        ret

; Appends drive DL to drive_table: number, type, heads, sectors, cylinders (word).
ask_drive:
        movzx bx, byte [drive_count]
        cmp bl, DISK_MAX
        jae .done
        push dx
        push es
        xor di, di
        mov es, di
        mov ah, 8               ; INT 13h: drive parameters
        int 0x13
        pop es
        mov al, dh
        pop dx
        jc .done
        movzx si, byte [drive_count]
        imul si, si, 6
        add si, drive_table
        mov [si], dl
        mov [si + 1], bl
        inc al
        mov [si + 2], al
        mov al, cl
        and al, 0x3f
        mov [si + 3], al
        mov al, ch
        mov ah, cl
        shr ah, 6
        inc ax
        mov [si + 4], ax
        inc byte [drive_count]
.done:
        ret

; Line of drive number BX.
put_drive:
        imul si, bx, 6
        add si, drive_table
        mov ah, COLOR_HEAD
        mov al, [si]
        test al, al
        js .disk
        add al, 'A'
        jmp .letter
.disk:
        sub al, 0x80
        add al, 'C'
.letter:
        stosw
        mov al, ':'
        stosw
        mov al, ' '
        stosw
        push si
        mov ah, COLOR_VALUE
        mov al, [si]
        mov bl, [si + 1]
        mov si, text_disk
        test al, al
        js .typed
        cmp bl, 6
        jbe .known
        xor bl, bl
.known:
        movzx si, bl
        imul si, si, 14
        add si, floppy_names
.typed:
        call puts
        pop si
        movzx eax, word [si + 4]
        call put_decimal
        mov al, '/'
        stosw
        movzx eax, byte [si + 2]
        call put_decimal
        mov al, '/'
        stosw
        movzx eax, byte [si + 3]
        call put_decimal
        mov al, [si]
        cmp al, [boot_drive]
        jne .done
        mov si, text_booted
        mov ah, COLOR_HEAD
        call puts
.done:
        ret

; ---- PCI -----------------------------------------------------------------------------------------

collect_pci:
        mov ax, 0xb101          ; INT 1Ah: is there a PCI BIOS?
        xor edi, edi
        int 0x1a
        jc .done
        test ah, ah
        jnz .done
        cmp edx, 0x20494350     ; "PCI "
        jne .done
        mov byte [has_pci], 1
        movzx cx, cl            ; the last bus
        cmp cx, 3
        jbe .buses
        mov cx, 3
.buses:
        inc cx
        shl cx, 8               ; functions to look at: 256 a bus
        mov [pci_end], cx
        xor bx, bx              ; bus in BH, slot and function in BL
.next:
        xor di, di              ; vendor and device
        call pci_read
        cmp cx, 0xffff
        je .absent
        mov eax, ecx
        mov di, 8               ; class
        call pci_read
        mov si, [pci_count]
        cmp si, PCI_MAX
        jae .done
        imul si, si, 10
        add si, pci_table
        mov [si], bx
        mov [si + 2], eax
        shr ecx, 8
        mov [si + 6], ecx
        inc word [pci_count]
        test bl, 7              ; only a multifunction device has functions 1 to 7
        jnz .step
        mov di, 0x0c
        call pci_read
        test ecx, 0x800000
        jnz .step
        or bl, 7
        jmp .step
.absent:
        test bl, 7
        jnz .step
        or bl, 7
.step:
        inc bx
        cmp bx, [pci_end]
        jne .next
.done:
        ret

; Dword DI of the function BX, in ECX.
pci_read:
        push eax
        push bx
        mov ax, 0xb10a          ; INT 1Ah: read a configuration dword
        int 0x1a
        pop bx
        pop eax
        ret

; Line of PCI function number BX: place, ids, name by id or by class.
put_pci:
        imul si, bx, 10
        add si, pci_table
        mov ah, COLOR_TEXT
        movzx ebx, byte [si + 1]
        mov cl, 2
        call put_hex
        mov al, ':'
        stosw
        movzx ebx, byte [si]
        shr bl, 3
        mov cl, 2
        call put_hex
        mov al, '.'
        stosw
        mov al, [si]
        and al, 7
        add al, '0'
        stosw
        mov al, ' '
        stosw
        mov ah, COLOR_VALUE
        movzx ebx, word [si + 2]
        mov cl, 4
        call put_hex
        mov al, ':'
        stosw
        movzx ebx, word [si + 4]
        mov cl, 4
        call put_hex
        mov al, ' '
        stosw
        mov ah, COLOR_LABEL
        mov edx, [si + 2]
        mov ebx, [si + 6]
        shr ebx, 8              ; class and subclass
        mov si, pci_names
.by_id:
        cmp dword [si], 0
        je .no_id
        cmp [si], edx
        lea si, [si + 4]
        je .print
.skip:  inc si
        cmp byte [si - 1], 0
        jne .skip
        jmp .by_id
.no_id:
        mov si, class_names
.by_class:
        cmp word [si], 0xffff
        je .no_class
        cmp [si], bx
        lea si, [si + 2]
        je .print
.skip2: inc si
        cmp byte [si - 1], 0
        jne .skip2
        jmp .by_class
.no_class:
        mov si, text_class
        call puts
        mov cl, 4
        jmp put_hex
.print:
        jmp puts

; ---- BIOS ----------------------------------------------------------------------------------------

; Which tables the BIOS left between F0000h and FFFFFh, each on a 16-byte border.
collect_bios:
        push es
        mov ax, 0xf000
        mov es, ax
        xor di, di
.next:
        mov eax, [es:di]
        mov si, bios_tables
        mov cx, 1
.compare:
        cmp dword [si], 0
        je .step
        cmp [si], eax
        jne .other
        or [bios_found], cx
.other:
        shl cx, 1
        add si, 12
        jmp .compare
.step:
        add di, 16
        jnz .next
        pop es
        ret

; Names of the tables that were found.
put_bios_tables:
        mov bx, [bios_found]
        mov si, bios_tables + 4
.next:
        cmp dword [si - 4], 0
        je .done
        shr bx, 1
        jnc .skip
        mov ah, COLOR_VALUE
        push si
        call puts
        pop si
        mov al, ' '
        stosw
.skip:
        add si, 12
        jmp .next
.done:
        ret

; ---- pages ---------------------------------------------------------------------------------------

; Clears all but the bars.
clear_page:
        AT 1, 0
        mov ax, 0x0720
        mov cx, 23 * 80
        rep stosw
        AT 0, 0
        mov ax, (COLOR_BAR << 8) | ' '
        mov cx, 80
        rep stosw
        AT 0, 1
        mov si, text_title
        mov ah, COLOR_BAR
        call puts
        AT 24, 0
        mov ax, (COLOR_BAR << 8) | ' '
        mov cx, 80
        rep stosw
        AT 24, 1
        mov si, text_ready
        mov ah, COLOR_BAR_HI
        call puts
        AT 24, 32
        mov si, text_keys
        mov ah, COLOR_BAR
        call puts
        mov word [notice], 0
        ret

page_overview:
        call clear_page
        BOX 1, 0, 7, 40, "Processor"
        BOX 1, 40, 7, 40, "Memory"
        BOX 8, 0, 8, 40, "Memory map"
        BOX 8, 40, 8, 40, "Drives and BIOS"
        BOX 16, 0, 7, 80, "PCI devices"
        call overview_cpu
        call overview_memory
        mov bx, 9
        mov cx, 14
        mov dx, 1
        call put_e820_rows
        call overview_drives
        call overview_bios
        jmp overview_pci

overview_cpu:
        AT 2, 1
        mov ah, COLOR_VALUE
        call put_cpu_name
        cmp byte [has_cpuid], 0
        je .done
        AT 3, 1
        call put_cpu_signature
        mov word [wrap_left], 1 | (38 << 8)
        mov byte [wrap_bottom], 6
        mov bx, 4
        call put_features
.done:
        ret

overview_memory:
        AT 2, 41
        LABEL_AT "Usable by the memory map  "
        mov eax, [usable_kb]
        call put_size
        AT 3, 41
        LABEL_AT "Conventional (INT 12h)    "
        movzx eax, word [base_kb]
        call put_size
        AT 4, 41
        LABEL_AT "Above 1 MB (INT 15h 88h)  "
        movzx eax, word [ext_kb]
        call put_size
        AT 5, 41
        LABEL_AT "1 to 16 MB (INT 15h E801h)"
        movzx eax, word [below_16m]
        call put_size
        AT 6, 41
        LABEL_AT "Above 16 MB               "
        movzx eax, word [above_16m]
        shl eax, 6
        jmp put_size

overview_drives:
        xor bx, bx
.next:
        cmp bl, [drive_count]
        jae .done
        cmp bx, 3               ; the page of devices has room for more
        jae .done
        push bx
        mov dx, 41
        add bx, 9
        call goto_bx_dx
        pop bx
        pusha
        call put_drive
        popa
        inc bx
        jmp .next
.done:
        ret

overview_bios:
        AT 12, 41
        LABEL_AT "BIOS date "
        push ds
        mov ax, 0xf000
        mov ds, ax
        mov si, 0xfff5
        mov cx, 8
        mov ah, COLOR_VALUE
.date:  lodsb
        stosw
        loop .date
        mov bl, [0xfffe]
        pop ds
        LABEL_AT "  model "
        movzx ebx, bl
        mov cl, 2
        mov ah, COLOR_VALUE
        call put_hex
        AT 13, 41
        LABEL_AT "Tables "
        call put_bios_tables
        AT 14, 41
        LABEL_AT "Equipment "
        movzx ebx, word [equipment]
        mov cl, 4
        mov ah, COLOR_VALUE
        call put_hex
        LABEL_AT "  date "
        mov ah, 4               ; INT 1Ah: date
        int 0x1a
        jc .done
        mov ah, COLOR_VALUE
        mov bx, cx
        movzx ebx, bx
        mov cl, 4
        push dx
        call put_hex
        pop dx
        mov al, '-'
        stosw
        movzx ebx, dh
        mov cl, 2
        call put_hex
        mov al, '-'
        stosw
        movzx ebx, dl
        mov cl, 2
        call put_hex
.done:
        ret

overview_pci:
        xor bx, bx
        cmp byte [has_pci], 0
        jne .next
        AT 17, 1
        mov si, text_no_pci
        mov ah, COLOR_BAD
        jmp puts
.next:
        cmp bx, [pci_count]
        jae .done
        cmp bx, 10
        jae .done
        push bx
        mov dx, 1
        mov ax, bx
        cmp ax, 5
        jb .left
        mov dx, 41
        sub ax, 5
.left:
        mov bx, ax
        add bx, 17
        call goto_bx_dx
        pop bx
        pusha
        call put_pci
        popa
        inc bx
        jmp .next
.done:
        ret

page_memory:
        call clear_page
        BOX 1, 0, 22, 80, "Memory map (INT 15h E820h)"
        AT 2, 2
        LABEL_AT "first byte  last byte  type        size"
        mov bx, 3
        mov cx, 21
        mov dx, 2
        jmp put_e820_rows

page_cpu:
        call clear_page
        BOX 1, 0, 22, 80, "Processor (CPUID)"
        AT 2, 2
        LABEL_AT "Name       "
        mov ah, COLOR_VALUE
        call put_cpu_name
        cmp byte [has_cpuid], 0
        je .done
        AT 3, 2
        LABEL_AT "Vendor     "
        mov si, cpu_vendor
        mov ah, COLOR_VALUE
        call puts
        AT 4, 2
        LABEL_AT "Signature  "
        mov ebx, [cpu_signature]
        mov cl, 8
        mov ah, COLOR_VALUE
        call put_hex
        mov ax, 0x0720
        stosw
        stosw
        call put_cpu_signature
        AT 5, 2
        LABEL_AT "Leaves     "
        mov ebx, [cpu_leaves]
        mov cl, 8
        mov ah, COLOR_VALUE
        call put_hex
        mov al, ' '
        stosw
        mov ebx, [cpu_ext_leaves]
        mov cl, 8
        call put_hex
        AT 6, 2
        LABEL_AT "1: EDX ECX "
        mov ebx, [cpu_features]
        mov cl, 8
        mov ah, COLOR_VALUE
        call put_hex
        mov al, ' '
        stosw
        mov ebx, [cpu_features + 4]
        mov cl, 8
        call put_hex
        AT 8, 2
        LABEL_AT "Features"
        mov word [wrap_left], 2 | (77 << 8)
        mov byte [wrap_bottom], 21
        mov bx, 9
        call put_features
.done:
        ret

page_devices:
        call clear_page
        BOX 1, 0, 10, 80, "Drives (cylinders/heads/sectors)"
        BOX 11, 0, 12, 80, "PCI devices"
        xor bx, bx
.drive:
        cmp bl, [drive_count]
        jae .pci
        push bx
        mov dx, 2
        add bx, 2
        call goto_bx_dx
        pop bx
        pusha
        call put_drive
        popa
        inc bx
        jmp .drive
.pci:
        xor bx, bx
.function:
        cmp bx, [pci_count]
        jae .done
        cmp bx, 20
        jae .done
        push bx
        mov dx, 1
        cmp bx, 10
        jb .left
        mov dx, 41
        sub bx, 10
.left:
        add bx, 12
        call goto_bx_dx
        pop bx
        pusha
        call put_pci
        popa
        inc bx
        jmp .function
.done:
        ret

page_help:
        call clear_page
        BOX 1, 0, 22, 80, "Keys"
        mov si, help_text
        mov bx, 3
.line:
        cmp byte [si], 0
        je .done
        mov dx, 4
        call goto_bx_dx
        mov ah, COLOR_HEAD
        call puts
        inc si
        mov dx, 16
        call goto_bx_dx
        mov ah, COLOR_VALUE
        call puts
        inc si
        inc bx
        jmp .line
.done:
        ret

; The clock, at the right of the title bar.
draw_time:
        mov ah, 2               ; INT 1Ah: time
        int 0x1a
        jc .done
        AT 0, 70
        mov ah, COLOR_BAR_HI
        movzx ebx, ch
        push cx
        mov cl, 2
        call put_hex
        pop cx
        mov al, ':'
        stosw
        movzx ebx, cl
        mov cl, 2
        call put_hex
        mov al, ':'
        stosw
        movzx ebx, dh
        mov cl, 2
        call put_hex
.done:
        ret

; The last key, on row 23.
draw_key:
        AT 23, 0
        mov ax, 0x0720
        mov cx, 80
        rep stosw
        AT 23, 1
        LABEL_AT "Key "
        mov ah, COLOR_VALUE
        movzx ebx, word [key]
        mov cl, 4
        call put_hex
        LABEL_AT "  scan code "
        mov ah, COLOR_VALUE
        movzx ebx, byte [key + 1]
        mov cl, 2
        call put_hex
        LABEL_AT "  character "
        mov ah, COLOR_VALUE
        movzx ebx, byte [key]
        mov cl, 2
        call put_hex
        mov al, ' '
        stosw
        mov al, [key]
        cmp al, ' '
        jb .notice
        stosw
.notice:
        mov si, [notice]
        test si, si
        jz .done
        mov ax, 0x0720
        stosw
        stosw
        mov ah, COLOR_BAD
        call puts
.done:
        ret

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
