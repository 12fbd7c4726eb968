/*
 * An option ROM that starts a Linux kernel by its real-mode entry (Linux, Documentation/arch/x86/boot.rst). Firmware sees a
 * bootable expansion card (Plug and Play BIOS Specification 1.0A, 3.2 "Option ROM Format"), whose boot entry copies
 * setup code, kernel, initrd and command line by fw_cfg's DMA interface to where the items say, and jumps.
 * Needs a 386. It never comes back.
 *
 * Built by tools/roms/build.mjs into src/generated/linux-boot-rom.ts.
 */
        .code16
        .text

        .set SELECTOR, 0x510
        .set DATA, 0x511
        .set DMA_LOW, 0x518
        .set READ_SELECTED, 0x0a        /* read, after selecting the item in the upper half */
        .set STACK_TOP, 0xfff0

        .macro copy address, size, data
        mov     $\address, %bx
        mov     $\size, %cx
        mov     $\data, %dx
        call    copy_item
        .endm

rom:    .word   0xaa55
        .byte   ROM_BLOCKS
        jmp     init
        .org    0x18
        .word   0                       /* no PCI data */
        .word   pnp
        .align  16
pnp:    .ascii  "$PnP"
        .byte   1                       /* revision */
        .byte   2                       /* length, in 16 bytes */
        .word   0
        .byte   0
pnp_checksum:
        .byte   0                       /* filled in by the builder */
        .long   0                       /* device */
        .word   0                       /* manufacturer */
        .word   product
        .byte   0x80, 0x00, 0x00        /* mass storage, other */
        .byte   0x84                    /* device driver initialization model; may be shadowed; IPL device */
        .word   0                       /* BCV */
        .word   0                       /* DV */
        .word   boot                    /* BEV */
        .word   0
        .word   0
product:
        .asciz  "Linux kernel"

init:   mov     $0x20, %ax              /* an IPL device is attached */
        lret

boot:   cli
        cld
        copy    0x16, 0x17, 0x18        /* setup */
        mov     %edi, %ebp
        copy    0x07, 0x08, 0x11        /* kernel */
        copy    0x0a, 0x0b, 0x12        /* initrd */
        copy    0x13, 0x14, 0x15        /* command line */
        shr     $4, %ebp
        mov     %bp, %ds
        mov     %bp, %es
        mov     %bp, %fs
        mov     %bp, %gs
        mov     %bp, %ss
        mov     $STACK_TOP, %sp
        add     $0x20, %bp              /* the entry is 512 bytes in */
        push    %bp
        pushw   $0
        xor     %eax, %eax
        xor     %ebx, %ebx
        xor     %ecx, %ecx
        xor     %edx, %edx
        xor     %esi, %esi
        xor     %edi, %edi
        xor     %ebp, %ebp
        lret

/* Copies item DX, of as many bytes as item CX says, to the address that item BX says; EDI: that address. */
copy_item:
        push    %ebp
        mov     %dx, %si
        mov     %bx, %ax
        call    read_number
        mov     %edi, %ebx
        mov     %cx, %ax
        call    read_number
        test    %edi, %edi
        jz      1f
        /* the description of the transfer, big-endian, on the stack */
        mov     %ebx, %eax
        call    swap
        push    %eax                    /* address, low half */
        pushl   $0                      /* address, high half */
        mov     %edi, %eax
        call    swap
        push    %eax                    /* length */
        movzwl  %si, %eax
        shl     $16, %eax
        or      $READ_SELECTED, %eax
        call    swap
        push    %eax                    /* control */
        mov     %sp, %bp
        xor     %eax, %eax
        mov     %ss, %ax
        shl     $4, %eax
        movzwl  %bp, %ecx
        add     %ecx, %eax
        call    swap
        mov     $DMA_LOW, %dx
        outl    %eax, %dx
0:      cmpl    $0, (%bp)               /* the control word: zero when done */
        jne     0b
        add     $16, %sp
1:      mov     %ebx, %edi
        pop     %ebp
        ret

/* EDI: the four bytes of item AX. Changes EAX, DX. */
read_number:
        push    %cx
        mov     $SELECTOR, %dx
        outw    %ax, %dx
        mov     $DATA, %dx
        mov     $4, %cx
0:      inb     %dx, %al
        mov     %al, %ah
        shr     $8, %edi
        shl     $16, %eax
        and     $0xff000000, %eax
        or      %eax, %edi
        loop    0b
        pop     %cx
        ret

/* EAX: the same bytes the other way round. BSWAP came with the 486. */
swap:   xchg    %al, %ah
        rol     $16, %eax
        xchg    %al, %ah
        ret

        .org    ROM_BLOCKS * 512 - 1
        .byte   0                       /* checksum, filled in by the builder */
