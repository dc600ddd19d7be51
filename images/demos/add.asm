; Prints the sum of AL and BL, one digit and a newline, on port 3F8h, and halts. Runs anywhere in the first
; 64 KiB: it uses no address.
;
;     coldboot -flat file=add.bin,addr=0x1000,ax=2,bx=2        prints 4

        cpu 8086
        bits 16

        mov dx, 0x3f8
        add al, bl
        add al, '0'
        out dx, al
        mov al, 10
        out dx, al
        hlt
