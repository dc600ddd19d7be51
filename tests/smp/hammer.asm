; Processors that work on the same memory at the same time: locked operations, a spin lock, the order of
; stores and loads, code that one writes and others run, page-table entries that one writes and others
; mark, a page that one moves while others use it. A boot sector's program; it writes one line to COM1 and ends through isa-debug-exit at F4h with
; the phases that failed, a bit each.
;
; Loaded at 7C00h by the BIOS, loads the rest of itself behind that; application processors start at
; 9000h. All processors go to 32-bit protected mode, flat.
SECTORS equ 7

        bits 16
        org 7c00h

ICR     equ 0fee00300h

ROUNDS  equ 100000
SPLITS  equ 20                  ; a lock across the border of two lines stops everybody
PATCHES equ 5000
TAKES   equ 500
MOVES   equ 40

; dwords, each in a line of its own
DATA    equ 20000h
IDS     equ DATA                ; processors that came up, then ids
ARRIVED equ DATA + 40h          ; at barriers
COUNT   equ DATA + 80h          ; LOCK INC
SUM     equ DATA + 0c0h         ; LOCK XADD
SWAPS   equ DATA + 100h         ; CMPXCHG
HELD    equ DATA + 140h         ; XCHG spin lock
GUARDED equ DATA + 180h         ; plain INC under it
PAIR    equ DATA + 1c0h         ; CMPXCHG8B
CARRY   equ DATA + 200h         ; LOCK ADC
SPLIT   equ DATA + 27eh         ; across two lines
VERSION equ DATA + 2c0h
FAILED  equ DATA + 300h
DONE    equ DATA + 340h
GO      equ DATA + 380h
WON     equ DATA + 3c0h
FLUSHED equ DATA + 480h         ; processors that have flushed
TURN_A  equ DATA + 400h         ; litmus: rounds begun
TURN_B  equ DATA + 440h
X       equ 22000h              ; a dword a round
Y       equ 26000h
SEEN_A  equ 2a000h
SEEN_B  equ 2e000h
LITMUS  equ 2000
PAGES   equ 34000h              ; page directory, page table
PTE     equ PAGES + 1000h + (TARGET >> 12) * 4
TARGET  equ 300000h
MOVING  equ 301000h             ; here is one of two pages:
FRAME_A equ 302000h
FRAME_B equ 303000h
PLACE   equ PAGES + 1000h + (MOVING >> 12) * 4
SHOOT   equ 41h                 ; vector
IDT     equ 36000h
STACKS  equ 40000h

start:  xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 7c00h
        cld
        mov ax, 0200h + SECTORS - 1
        mov bx, 7e00h
        mov cx, 2
        mov dh, 0
        int 13h
        mov al, 5fh             ; CMOS: how many others there are
        out 70h, al
        in al, 71h
        inc al
        mov [number], al
        mov si, protect
        mov di, 9000h
        mov cx, protect_end - protect
        rep movsb
        jmp 0:protect

protect:
        cli
        xor ax, ax
        mov ds, ax
        lgdt [gdtr]
        mov eax, cr0
        or al, 1
        mov cr0, eax
        jmp dword 8:flat
protect_end:

gdt:    dq 0
        dq 0x00cf9a000000ffff   ; 8: code
        dq 0x00cf92000000ffff   ; 10h: data
        dq 0x00cf92000000ffff   ; 18h: data that nobody needs
        dq 0x0000890000000067   ; 20h: TSS
gdtr:   dw gdtr - gdt - 1
        dd gdt

idtr:   dw (SHOOT + 1) * 8 - 1
        dd IDT

number: dd 0                    ; of processors

        bits 32
flat:   mov ax, 10h
        mov ds, ax
        mov es, ax
        mov ss, ax
        cmp dword [GO], 600df1a6h
        je enter
        mov edi, DATA           ; the first: clears what all use and starts the others
        mov ecx, (PAGES - DATA) / 4
        xor eax, eax
        rep stosd
        mov dword [GO], 600df1a6h
        mov dword [0fee000f0h], 1ffh
        mov dword [ICR], 0c4500h
        mov ecx, 10000
.wait:  in al, 80h
        loop .wait
        mov dword [ICR], 0c4609h
        jmp enter

        times 510 - ($ - $$) db 0
        dw 0aa55h

%macro barrier 0
        call meet
%endmacro
%macro fails 1                  ; phase %1 failed
        lock or dword [FAILED], 1 << %1
%endmacro

; Waits until all have come here as often.
meet:   mov eax, 1
        lock xadd [ARRIVED], eax
        xor edx, edx
        div dword [number]
        inc eax
        mul dword [number]      ; the count at which this barrier opens
.spin:  pause
        cmp [ARRIVED], eax
        jb .spin
        ret

enter:  mov ebp, 1              ; EBP = id
        lock xadd [IDS], ebp
        mov esp, ebp
        inc esp
        shl esp, 12
        add esp, STACKS
        barrier

; ---- 0: locked operations ----
        mov ecx, ROUNDS
.round: lock inc dword [COUNT]
        mov eax, 3
        lock xadd [SUM], eax
        mov eax, [SWAPS]
.swap:  lea ebx, [eax + 5]
        lock cmpxchg [SWAPS], ebx
        jne .swap
        stc
        lock adc dword [CARRY], 1
.lock:  mov eax, 1
        xchg [HELD], eax
        test eax, eax
        jz .held
        pause
        jmp .lock
.held:  inc dword [GUARDED]
        mov dword [HELD], 0
        push ecx
        mov eax, [PAIR]
        mov edx, [PAIR + 4]
.pair:  mov ebx, eax
        mov ecx, edx
        add ebx, 80000001h
        adc ecx, 0
        lock cmpxchg8b [PAIR]
        jne .pair
        pop ecx
        loop .round
        mov ecx, SPLITS
.split: lock add dword [SPLIT], 7
        loop .split
        barrier
        imul eax, [number], ROUNDS
        cmp [COUNT], eax
        jne .bad
        cmp [GUARDED], eax
        jne .bad
        lea ebx, [eax + eax * 2]
        cmp [SUM], ebx
        jne .bad
        lea ebx, [eax + eax * 4]
        cmp [SWAPS], ebx
        jne .bad
        lea ebx, [eax * 2]
        cmp [CARRY], ebx
        jne .bad
        mov ecx, eax            ; 80000001h * count
        mov ebx, 80000001h
        mul ebx
        cmp [PAIR], eax
        jne .bad
        cmp [PAIR + 4], edx
        jne .bad
        imul eax, [number], SPLITS * 7
        cmp [SPLIT], eax
        je .good
.bad:   fails 0
.good:  barrier

; ---- 1: with a fence between, a store is seen before a later load is made, by one of two ----
        cmp dword [number], 1
        je near .ordered
        cmp ebp, 1
        ja .ordered
        mov esi, 0
.litmus:
        lea eax, [esi + 1]
        cmp ebp, 0
        jne .second
        mov [TURN_A], eax
.spin_a: cmp [TURN_B], eax
        jae .go_a
        pause
        jmp .spin_a
.go_a:  mov dword [X + esi * 4], 1
        mfence
        mov eax, [Y + esi * 4]
        mov [SEEN_A + esi * 4], eax
        jmp .next
.second: mov [TURN_B], eax
.spin_b: cmp [TURN_A], eax
        jae .go_b
        pause
        jmp .spin_b
.go_b:  mov dword [Y + esi * 4], 1
        mov eax, 1
        xchg [esp - 4], eax     ; a fence as good
        mov eax, [X + esi * 4]
        mov [SEEN_B + esi * 4], eax
.next:  inc esi
        cmp esi, LITMUS
        jb .litmus
.ordered:
        barrier
        xor esi, esi
        cmp dword [number], 1
        je .patch
.check: mov eax, [SEEN_A + esi * 4]
        or eax, [SEEN_B + esi * 4]
        jnz .seen
        fails 1
.seen:  inc esi
        cmp esi, LITMUS
        jb .check

; ---- 2: the first writes code, the others serialize and run it ----
.patch: barrier
        cmp ebp, 0
        jne .runner
        mov eax, 0
.write: inc eax
        mov [patched + 4], eax
        mov [VERSION], eax
        cmp eax, PATCHES
        jb .write
        jmp .written
.runner: mov esi, [VERSION]
        xor eax, eax
        cpuid
        call patched
        cmp eax, esi
        jae .new
        fails 2
.new:   cmp esi, PATCHES
        jb .runner
.written:
        barrier

; ---- 3: the first changes an entry that the processors of the others mark ----
        cmp ebp, 0
        jne .mapped
        mov edi, PAGES
        mov dword [edi], PAGES + 1003h
        mov dword [edi + (0fee00000h >> 22) * 4], 0fec0009bh
        add edi, 1000h
        mov eax, 3
.fill:  mov [edi], eax
        add edi, 4
        add eax, 1000h
        cmp eax, 400003h
        jb .fill
.mapped: barrier
        mov eax, PAGES
        mov cr3, eax
        mov eax, 10h            ; PSE
        mov cr4, eax
        mov eax, cr0
        or eax, 80000000h
        mov cr0, eax
        jmp .paged
.paged: cmp ebp, 0
        jne .marker
        mov ecx, ROUNDS
        xor ebx, ebx
.change: lock xor dword [PTE], 18h              ; PWT, PCD
        xor ebx, 18h
        lock and dword [PTE], ~60h              ; A, D
        mov eax, [PTE]
        and eax, 18h
        cmp eax, ebx
        je .kept
        fails 3
.kept:  loop .change
        mov dword [DONE], 1
        jmp .marked
.marker: invlpg [TARGET]
        mov [TARGET], eax
        invlpg [TARGET]
        mov eax, [TARGET + 4]
        cmp dword [DONE], 0
        je .marker
.marked:
        barrier

; ---- 4: the first changes a descriptor that the processors of the others mark ----
        mov dword [DONE], 0
        barrier
        cmp ebp, 0
        jne .loader
        mov ecx, ROUNDS
        xor ebx, ebx
.turn:  lock and byte [gdt + 18h + 5], ~1       ; A: who loads it now sets it
        lock xor byte [gdt + 18h + 5], 60h      ; DPL
        xor ebx, 60h
        mov al, [gdt + 18h + 5]
        and al, 60h
        cmp al, bl
        je .same
        fails 4
.same:  loop .turn
        mov dword [DONE], 1
        jmp .loaded
.loader: mov eax, 18h
        mov es, ax
        cmp dword [DONE], 0
        je .loader
.loaded:
        barrier

; ---- 5: one of all gets the TSS ----
        mov dword [IDT + 13 * 8], 80000h + refused
        mov dword [IDT + 13 * 8 + 4], 8e00h
        lidt [idtr]
        mov esi, TAKES
.take:  barrier
        mov byte [gdt + 20h + 5], 89h
        mov dword [WON], 0
        barrier
        mov eax, 20h
        ltr ax
        lock inc dword [WON]
.taken: barrier
        cmp dword [WON], 1
        je .alone
        fails 5
.alone: dec esi
        jnz .take

; ---- 6: the first moves a page of data and code; the others flush it when it interrupts them ----
        mov dword [IDT + SHOOT * 8], 80000h + flush
        mov dword [IDT + SHOOT * 8 + 4], 8e00h
        mov dword [0fee000f0h], 1ffh
        mov dword [VERSION], 0
        mov dword [DONE], 0
        mov eax, FRAME_A + 3
        mov [PLACE], eax
        invlpg [MOVING]
        mov dword [FRAME_A], 0
        mov dword [FRAME_A + 800h], 0b8909090h  ; nop, nop, nop, mov eax, 0; ret
        mov dword [FRAME_A + 804h], 0
        mov byte [FRAME_A + 808h], 0c3h
        mov dword [FRAME_B + 800h], 0b8909090h
        mov byte [FRAME_B + 808h], 0c3h
        barrier
        cmp ebp, 0
        jne .user
        mov edi, FRAME_B
        mov esi, FRAME_A
        xor ecx, ecx
.move:  inc ecx
        mov [edi], ecx
        mov [edi + 804h], ecx
        lea eax, [edi + 3]
        mov [PLACE], eax
        invlpg [MOVING]
        mov dword [FLUSHED], 1
        cmp dword [number], 1
        je .flushed
        mov dword [ICR], 0c4000h + SHOOT        ; all others
.await: pause
        mov eax, [FLUSHED]
        cmp eax, [number]
        jb .await
.flushed:
        mov [VERSION], ecx
        mov dword [esi], -1     ; nobody may see that page any more
        mov dword [esi + 804h], -1
        xchg esi, edi
        mov eax, 20000          ; time for the others to see it all the same
.look:  dec eax
        jnz .look
        cmp ecx, MOVES
        jb .move
        mov dword [DONE], 1
        jmp .moved
.user:  sti
.use:   mov esi, [VERSION]
        mov edi, [MOVING]
        mov eax, MOVING + 800h
        call eax
        cmp edi, MOVES + 1      ; -1 is more
        jae .stale
        cmp eax, MOVES + 1
        jae .stale
        cmp edi, esi
        jb .stale
        cmp eax, edi
        jae .right
.stale: fails 6
.right: cmp dword [DONE], 0
        je .use
        cli
.moved: barrier
        cmp ebp, 0
        jne .rest

; ---- the end ----
        mov edx, 3fbh
        mov al, 3               ; 8 bits
        out dx, al
        mov esi, text
.puts:  lodsb
        test al, al
        jz .failed
        call putc
        jmp .puts
.failed: mov al, [FAILED]
        add al, '0'
        call putc
        mov al, 10
        call putc
        mov edx, 3fdh
.flush: in al, dx
        test al, 40h            ; all is on the line
        jz .flush
        mov al, [FAILED]
        out 0f4h, al
.rest:  cli
        hlt
        jmp .rest

; #GP: the TSS is busy.
refused: add esp, 4
        mov dword [esp], enter.taken
        iretd

flush:  invlpg [MOVING]
        lock inc dword [FLUSHED]
        mov dword [0fee000b0h], 0
        iretd

putc:   mov ah, al
        mov edx, 3fdh
.busy:  in al, dx
        test al, 20h
        jz .busy
        mov al, ah
        mov edx, 3f8h
        out dx, al
        ret

text:   db 'failed: ', 0

        align 64
patched:
        nop                     ; so that the number is aligned: one store changes it whole
        nop
        nop
        mov eax, 0
        ret

        times 512 * SECTORS - ($ - $$) db 0
