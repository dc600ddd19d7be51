; A boot sector that puts what a guest finds into memory, for the host to save: the E820 map at 10000h (24 bytes an
; entry, up to an entry of zeros), the 128 bytes of CMOS memory at 11000h, and 256 bytes of configuration space of each
; PCI function of slots 0 to 3 at 12000h. "done" on the screen says that all of it is there.

        cpu 386
        bits 16
        org 0x7c00

        jmp 0:start
start:  xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        cld

        mov ax, 0x1000
        mov es, ax
        xor di, di
        xor ebx, ebx
.map:   mov eax, 0xe820
        mov edx, 0x534d4150     ; SMAP
        mov ecx, 20
        int 0x15
        jc .mapped
        add di, 24
        test ebx, ebx
        jnz .map
.mapped:

        mov ax, 0x1100
        mov es, ax
        xor di, di
        xor cl, cl
.cmos:  mov al, cl
        out 0x70, al
        in al, 0x71
        stosb
        inc cl
        cmp cl, 128
        jb .cmos

        mov ax, 0x1200
        mov es, ax
        xor di, di
        mov ebx, 0x80000000
.pci:   mov dx, 0xcf8
        mov eax, ebx
        out dx, eax
        mov dx, 0xcfc
        in eax, dx
        stosd
        add ebx, 4
        cmp ebx, 0x80002000
        jb .pci

        mov si, done
.text:  lodsb
        test al, al
        jz .rest
        mov ah, 0x0e
        xor bx, bx
        int 0x10
        jmp .text
.rest:  hlt
        jmp .rest
done:   db "tables: done", 0

        times 510 - ($ - $$) db 0
        dw 0xaa55
