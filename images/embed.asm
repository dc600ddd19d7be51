; Puts the built-in boot image into the executable (core/main/builtin_image.c).

        section .rodata
        global builtin_image_start, builtin_image_end
builtin_image_start:
        incbin "builtin.img"
builtin_image_end:

        section .note.GNU-stack noalloc noexec nowrite progbits
