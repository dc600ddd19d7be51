; Writes AX to port 10h for ever, one up each time. -d exits shows it; exits=N ends it.
;
;     coldboot -flat file=count.bin,addr=0,exits=5 -d exits

        cpu 8086
        bits 16

again:
        out 0x10, ax
        inc ax
        jmp again
