; Prints "Hello,world" on port F1h, byte by byte, and halts.
;
;     coldboot -flat file=hello.bin,addr=0x1000

        cpu 8086
        bits 16
        org 0x1000              ; where -flat puts it

        mov si, text
        mov cx, text.end - text
        cld
next:
        lodsb                   ; DS is 0 after a reset
        out 0xf1, al
        loop next
        hlt

text:   db "Hello,world", 10
.end:
