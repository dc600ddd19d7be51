; Puts the kernel starter into the executable (hw/pc/kernel.c).

        section .rodata
        global kernelboot_start, kernelboot_end
kernelboot_start:
        incbin "kernelboot.bin"
kernelboot_end:

        section .note.GNU-stack noalloc noexec nowrite progbits
