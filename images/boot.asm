; Boot sector of the built-in image: loads the program behind it (machine.asm) and starts it.
;
; The BIOS loads this sector to 0000:7C00 and passes the drive in DL. The program's PROGRAM_SECTORS
; sectors follow on the medium and go to 0000:8000. They are read one at a time by CHS with the drive's
; own geometry, so the image works on any floppy size, and as a disk.

        cpu 386
        bits 16
        org 0x7c00

PROGRAM equ 0x8000

        jmp short start
        nop
; BIOS parameter block of a 1.44 MB floppy, so that tools and emulators take it for one.
        db "COLDBOOT"
        dw 512                  ; bytes a sector
        db 1                    ; sectors a cluster
        dw 1 + PROGRAM_SECTORS  ; reserved sectors: this one and the program
        db 2                    ; FATs
        dw 224                  ; root directory entries
        dw 2880                 ; sectors
        db 0xf0                 ; media
        dw 9                    ; sectors a FAT
sectors_per_track:
        dw 18
heads:  dw 2
        dd 0, 0
        db 0, 0, 0x29
        dd 0x20260101           ; serial number
        db "COLDBOOT   "
        db "FAT12   "

start:
        cli
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        sti
        cld
        jmp 0:.here
.here:
        mov [drive], dl
        mov si, loading
        call print
        test dl, dl             ; a floppy has the geometry of the block above
        jns .read_all
        mov ah, 8               ; INT 13h: drive parameters
        push es
        int 0x13
        pop es
        jc failed
        and cx, 0x3f
        mov [sectors_per_track], cx
        movzx dx, dh
        inc dx
        mov [heads], dx
.read_all:
        mov di, 1               ; LBA
        mov bx, PROGRAM
.next:
        call read_sector
        jc failed
        add bx, 512
        inc di
        cmp di, PROGRAM_SECTORS
        jbe .next
        mov dl, [drive]
        jmp 0:PROGRAM

; Reads sector DI to ES:BX; carry if it fails three times.
read_sector:
        mov bp, 3
.again:
        mov ax, di
        xor dx, dx
        div word [sectors_per_track]
        mov cl, dl
        inc cl                  ; sector, from 1
        xor dx, dx
        div word [heads]
        mov dh, dl              ; head
        mov ch, al              ; cylinder
        mov dl, [drive]
        mov ax, 0x0201          ; INT 13h: read one sector
        int 0x13
        jnc .done
        xor ah, ah              ; INT 13h: reset
        int 0x13
        dec bp
        jnz .again
        stc
.done:
        ret

failed:
        mov si, failure
        call print
.stop:  hlt
        jmp .stop

; Prints the string at SI.
print:
        mov ah, 0x0e            ; INT 10h: teletype output
        mov bx, 7
.next:  lodsb
        test al, al
        jz .done
        int 0x10
        jmp .next
.done:  ret

loading db "Loading coldboot's machine program", 13, 10, 0
failure db "The boot medium cannot be read.", 13, 10, 0
drive   db 0

        times 510 - ($ - $$) db 0
        dw 0xaa55
