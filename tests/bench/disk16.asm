; Reads a disk of 64 MiB through INT 13h, 64 sectors at a time.
%include "bench.inc"

%define DISK_SECTORS 131072
%define AT_ONCE 64

start:
        KERNEL "disk16", disk, 1
        jmp finish

disk:   xor ebp, ebp
        mov dword [packet.lba], 0
.next:  mov si, packet
        mov dl, 80h
        mov ah, 42h
        int 13h
        jc .failed
        mov ax, 2000h
        mov fs, ax
        add ebp, [fs:0]
        rol ebp, 1
        xor ebp, [fs:AT_ONCE * 512 - 4]
        add dword [packet.lba], AT_ONCE
        cmp dword [packet.lba], DISK_SECTORS
        jb .next
        mov eax, ebp
        ret
.failed:
        movzx eax, ah
        ret

        align 4
packet: db 16, 0
        dw AT_ONCE
        dw 0, 2000h                         ; where to
.lba:   dd 0, 0

        times 512 * (SECTORS + 1) - ($ - $$) db 0
