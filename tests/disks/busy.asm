; A boot sector that writes to the first hard disk without end: 64 sectors a call, each filled with its own number, which
; is counted up by 64 and begins again at SECTORS.

        cpu 386
        bits 16
        org 0x7c00

        jmp 0:start
start:  xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        cld
next:   mov ax, 0x2000
        mov es, ax
        xor di, di
        mov eax, [lba]
.sector:
        mov cx, 128
        inc eax                 ; never 0, which is what an empty disk says
        rep stosd
        cmp di, 64 * 512
        jb .sector
        mov si, packet
        mov ah, 0x43
        mov dl, 0x80
        int 0x13
        jc failed
        add dword [lba], 64
        cmp dword [lba], SECTORS
        jb next
        mov dword [lba], 0
        jmp next
failed: mov dx, 0x500
        mov al, 99
        out dx, al
        jmp $

packet: db 16, 0
        dw 64, 0, 0x2000
lba:    dq 0

        times 510 - ($ - $$) db 0
        dw 0xaa55
