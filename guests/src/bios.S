/*
 * A disk or diskette that a BIOS boots, as a boot sector of MS-DOS' days would have it: 16-bit code in real mode that lives on BIOS
 * services (INT 10h, 11h, 12h, 13h, 15h, 16h, 1Ah), hooks vectors, takes faults and single steps, turns A20 off and on,
 * and works in "big real" mode, with a data segment of 4 GiB. It says what it finds on COM1 by ports of its own, and ends by
 * the debug-exit port: 10h passed, 11h failed.
 *
 * Sector 0 loads the rest behind itself, 0000:7E00. The image has the size of a 1.44 MB diskette: 80 cylinders of two heads and 18
 * sectors, or a little more than two cylinders of a disk. Its last sectors are scratch. Needs a BIOS, 4 MB and an 80386.
 */
        .code16
        .text
        .globl  _start

        .set SECTORS, 2880
        .set CODE_SECTORS, 15
        .set SCRATCH_LBA, 1000
        .set BUFFER, 0xb000
        .set BUFFER2, 0xb400
        .set COM1, 0x3f8
        .set DEBUG_EXIT, 0xf4
        .set PASSED, 0x10
        .set FAILED, 0x11

_start: jmp     1f
        nop
        .ascii  "RINGFENC"              /* where DOS looks for a BIOS parameter block */
        .space  51
1:      cli
        xor     %ax, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %ss
        mov     $0x7c00, %sp
        sti
        ljmp    $0, $2f                 /* some BIOSes come by 07C0:0000 */
2:      mov     %dl, drive
        mov     $0x08, %ah              /* what it has: sectors a track, heads */
        xor     %di, %di
        int     $0x13
        jc      fail_load
        xor     %ax, %ax
        mov     %ax, %es
        and     $0x3f, %cx
        mov     %cx, track
        movzbw  %dh, %ax
        inc     %ax
        mov     %ax, heads
        mov     $1, %si                 /* sector by sector: a track may end in between */
        mov     $0x7e00, %bx
3:      mov     $3, %di                 /* tries, as floppies have it */
4:      call    to_chs
        mov     $0x0201, %ax
        int     $0x13
        jnc     5f
        xor     %ah, %ah
        int     $0x13
        dec     %di
        jnz     4b
        jmp     fail_load
5:      add     $512, %bx
        inc     %si
        cmp     $CODE_SECTORS, %si
        jbe     3b
        jmp     main

/* CX, DX: where sector SI lies. */
to_chs: xor     %dx, %dx
        mov     %si, %ax
        divw    track
        mov     %dl, %cl
        inc     %cl
        xor     %dx, %dx
        divw    heads
        mov     %dl, %dh
        mov     %al, %ch
        mov     drive, %dl
        ret

fail_load:
        mov     $failed_load, %si
fail_early:
        lodsb
        test    %al, %al
        jz      4f
        mov     $0x0007, %bx
        mov     $0x0e, %ah
        int     $0x10
        jmp     fail_early
4:      mov     $FAILED, %al
        out     %al, $DEBUG_EXIT
        hlt
failed_load: .asciz "cannot read the disk"
drive:  .byte   0
        .balign 2
track:  .word   0
heads:  .word   0

        .org    0x1fe
        .word   0xaa55

/* ---------------------------------------------------------------------------------------------- behind sector 0 */

        .macro  section name
        mov     $9f, %si
        call    say
        jmp     8f
9:      .asciz  "\name"
8:
        .endm
/* A check, with a number that the failure says. */
        .macro  expect number, condition
        movw    $\number, where
        j\condition 7f
        jmp     failed
7:
        .endm

main:   call    serial_init
        section "bios\n"

/* ---------------------------------------------------------------------------------------------- memory and equipment */
        section "memory\n"
        int     $0x12
        cmp     $600, %ax
        expect  1, ae
        cmp     $640, %ax
        expect  2, be
        int     $0x11
        test    $0x02, %al              /* a coprocessor */
        expect  3, nz
        call    e820
        call    extended

/* ---------------------------------------------------------------------------------------------- the screen */
        section "screen\n"
        mov     $0x0003, %ax
        int     $0x10
        mov     $0x0f, %ah
        int     $0x10
        cmp     $0x5003, %ax            /* 80 columns, mode 3 */
        expect  10, e
        mov     $0x02, %ah
        xor     %bh, %bh
        mov     $0x0305, %dx            /* row 3, column 5 */
        int     $0x10
        mov     $0x0e41, %ax            /* 'A' */
        mov     $7, %bx
        int     $0x10
        mov     $0x03, %ah
        xor     %bh, %bh
        int     $0x10
        cmp     $0x0306, %dx
        expect  11, e
        push    $0xb800
        pop     %es
        cmpb    $0x41, %es:((3 * 80 + 5) * 2)
        expect  12, e
        push    %ds
        pop     %es
        mov     $0x1301, %ax            /* a string, the cursor goes along */
        mov     $0x001e, %bx
        mov     $banner_end - banner, %cx
        mov     $0x0a00, %dx
        mov     $banner, %bp
        int     $0x10
        mov     $0x02, %ah
        xor     %bh, %bh
        mov     $0x0a02, %dx
        int     $0x10
        mov     $0x08, %ah              /* what stands there */
        xor     %bh, %bh
        int     $0x10
        cmp     $0x1e64, %ax            /* 'd', yellow on blue */
        expect  13, e
        mov     $0x0600, %ax            /* the window is cleared */
        mov     $0x07, %bh
        xor     %cx, %cx
        mov     $0x184f, %dx
        int     $0x10
        push    $0xb800
        pop     %es
        cmpw    $0x0720, %es:((10 * 80 + 3) * 2)
        expect  14, e
        push    %ds
        pop     %es

        call    disk
        call    keyboard
        call    clock
        call    pci
        call    vectors
        call    a20
        call    big_real

        section "PASS bios\n"
        mov     $0x0e50, %ax
        mov     $7, %bx
        int     $0x10
        mov     $PASSED, %al
        out     %al, $DEBUG_EXIT
0:      hlt
        jmp     0b

/* ---------------------------------------------------------------------------------------------- memory map */
e820:   xor     %ebx, %ebx
        xor     %ebp, %ebp              /* KiB of RAM */
        xor     %si, %si                /* entries */
0:      mov     $0xe820, %eax
        mov     $0x534d4150, %edx
        mov     $20, %ecx
        mov     $BUFFER, %di
        int     $0x15
        expect  20, nc
        cmp     $0x534d4150, %eax
        expect  21, e
        inc     %si
        cmpl    $1, BUFFER + 16
        jne     1f
        mov     BUFFER + 8, %eax
        shr     $10, %eax
        add     %eax, %ebp
1:      cmp     $50, %si
        expect  22, b
        test    %ebx, %ebx
        jnz     0b
        cmp     $3, %si
        expect  23, ae
        cmp     $3 * 1024, %ebp
        expect  24, ae
        mov     %ebp, ram
        ret

extended:
        mov     $0xe801, %ax
        int     $0x15
        expect  25, nc
        movzwl  %ax, %eax               /* KiB from 1 MB to 16 MB, then 64 KiB blocks */
        movzwl  %bx, %ebx
        shl     $6, %ebx
        add     %ebx, %eax
        mov     ram, %ecx
        sub     %eax, %ecx              /* what is below 1 MB, and what the BIOS took */
        cmp     $1024, %ecx
        expect  26, be
        mov     $0x88, %ah
        int     $0x15
        expect  27, nc
        cmp     $2048, %ax
        expect  28, ae
        /* block move, by a GDT of the caller's: to 2 MB and back */
        mov     $BUFFER, %di
        mov     $256, %cx
        mov     $0x5aa5, %ax
0:      stosw
        add     $0x0123, %ax
        loop    0b
        movl    $0x93000000 + BUFFER, move_gdt + 0x12
        movl    $0x93200000, move_gdt + 0x1a
        call    move
        expect  29, nc
        movl    $0x93200000, move_gdt + 0x12
        movl    $0x93000000 + BUFFER2, move_gdt + 0x1a
        call    move
        expect  30, nc
        mov     $BUFFER, %si
        mov     $BUFFER2, %di
        mov     $256, %cx
        repe cmpsw
        expect  31, e
        ret

move:   mov     $0x87, %ah
        mov     $256, %cx
        mov     $move_gdt, %si
        int     $0x15
        ret

/* ---------------------------------------------------------------------------------------------- disk */
disk:   cmpb    $0x80, drive
        jb      diskette
        section "disk\n"
        mov     $0x08, %ah
        mov     drive, %dl
        xor     %di, %di
        int     $0x13
        expect  40, nc
        push    %ds
        pop     %es
        cmp     $1, %dl                 /* one disk */
        expect  41, ae
        and     $0x3f, %cl
        cmp     $63, %cl
        expect  42, e
        cmp     $15, %dh
        expect  43, e
        mov     $0x41, %ah
        mov     $0x55aa, %bx
        mov     drive, %dl
        int     $0x13
        expect  44, nc
        cmp     $0xaa55, %bx
        expect  45, e
        /* the boot sector by its number, beside the one in memory */
        movl    $0, packet + 8
        movw    $BUFFER, packet + 4
        mov     $0x42, %ah
        call    by_packet
        expect  46, nc
        mov     $BUFFER, %si
        mov     $0x7c00, %di
        mov     $(drive - _start) / 2, %cx
        repe cmpsw
        expect  47, e
        /* written by number, read by cylinder, head and sector: 1000 is head 15, sector 56 */
        mov     $BUFFER, %di
        mov     $256, %cx
        mov     $0x1357, %ax
0:      stosw
        rol     $1, %ax
        add     $7, %ax
        loop    0b
        movl    $SCRATCH_LBA, packet + 8
        mov     $0x4300, %ax
        call    by_packet
        expect  48, nc
        mov     $0x0201, %ax
        mov     $0x0038, %cx
        mov     $0x0f, %dh
        mov     drive, %dl
        mov     $BUFFER2, %bx
        int     $0x13
        expect  49, nc
        mov     $BUFFER, %si
        mov     $BUFFER2, %di
        mov     $256, %cx
        repe cmpsw
        expect  50, e
        /* what is not there */
        movl    $SECTORS, packet + 8
        mov     $0x42, %ah
        call    by_packet
        expect  51, c
        mov     $0x15, %ah
        mov     drive, %dl
        int     $0x13
        expect  52, nc
        cmp     $3, %ah                 /* a fixed disk */
        expect  53, e
        ret

diskette:
        section "diskette\n"
        cmpw    $18, track
        expect  54, e
        cmpw    $2, heads
        expect  55, e
        /* written, forgotten, read */
        mov     $BUFFER, %di
        mov     $256, %cx
        mov     $0x2468, %ax
0:      stosw
        rol     $1, %ax
        add     $5, %ax
        loop    0b
        mov     $BUFFER, %bx
        mov     $(SECTORS - 3), %si
        call    to_chs
        mov     $0x0301, %ax
        int     $0x13
        jnc     1f
        cmp     $0x03, %ah              /* write-protected: then it is to be read as it was */
        expect  56, e
        mov     $BUFFER, %di
        xor     %ax, %ax
        mov     $256, %cx
        rep stosw
1:      mov     $BUFFER2, %bx
        call    to_chs
        mov     $0x0201, %ax
        int     $0x13
        expect  57, nc
        mov     $BUFFER, %si
        mov     $BUFFER2, %di
        mov     $256, %cx
        repe cmpsw
        expect  58, e
        /* a whole track at once, its first sector twice: this program's own */
        xor     %si, %si
        call    to_chs
        mov     $0x0212, %ax
        mov     $BUFFER, %bx
        int     $0x13
        expect  59, nc
        mov     $BUFFER + 512, %si
        mov     $0x7e00, %di
        mov     $0x80, %cx
        repe cmpsw
        expect  60, e
        mov     $0x0f, %dh              /* a head that is not there */
        xor     %ch, %ch
        mov     $1, %cl
        mov     drive, %dl
        mov     $0x0201, %ax
        int     $0x13
        expect  61, c
        xor     %ah, %ah
        int     $0x13
        ret

by_packet:
        mov     $packet, %si
        mov     drive, %dl
        int     $0x13
        ret

/* ---------------------------------------------------------------------------------------------- keyboard */
keyboard:
        section "keyboard\n"
        mov     $0x01, %ah
        int     $0x16
        expect  64, z
        mov     $0x05, %ah              /* as if typed */
        mov     $0x1e61, %cx
        int     $0x16
        test    %al, %al
        expect  65, z
        mov     $0x01, %ah
        int     $0x16
        expect  66, nz
        xor     %ah, %ah
        int     $0x16
        cmp     $0x1e61, %ax
        expect  67, e
        mov     $0x02, %ah
        int     $0x16
        ret

/* ---------------------------------------------------------------------------------------------- clock */
clock:  section "clock\n"
        cli
        mov     0x1c * 4, %eax
        mov     %eax, old_tick
        movw    $on_tick, 0x1c * 4
        movw    %cs, 0x1c * 4 + 2
        movw    $0, ticks
        sti
        xor     %ah, %ah
        int     $0x1a
        mov     %dx, %si
0:      hlt                             /* until two timer interrupts have come and gone */
        xor     %ah, %ah
        int     $0x1a
        sub     %si, %dx
        cmp     $2, %dx
        jb      0b
        cmpw    $2, ticks
        expect  70, ae
        cli
        mov     old_tick, %eax
        mov     %eax, 0x1c * 4
        sti
        mov     $0x02, %ah
        int     $0x1a
        expect  71, nc
        cmp     $0x24, %ch              /* BCD */
        expect  72, b
        mov     $0x04, %ah
        int     $0x1a
        expect  73, nc
        cmp     $0x19, %ch              /* century */
        expect  74, ae
        ret

on_tick:
        incw    %cs:ticks
        iret

/* ---------------------------------------------------------------------------------------------- PCI BIOS */
pci:    section "pci\n"
        mov     $0xb101, %ax
        xor     %edi, %edi
        int     $0x1a
        expect  80, nc
        cmp     $0x20494350, %edx       /* "PCI " */
        expect  81, e
        mov     $0xb102, %ax
        mov     $0x7010, %cx
        mov     $0x8086, %dx
        xor     %si, %si
        int     $0x1a
        expect  82, nc
        mov     $0xb10a, %ax            /* its class and revision */
        mov     $0x08, %di
        int     $0x1a
        expect  83, nc
        shr     $16, %ecx
        cmp     $0x0101, %cx            /* IDE */
        expect  84, e
        ret

/* ---------------------------------------------------------------------------------------------- vectors */
vectors:
        section "vectors\n"
        cli
        mov     $0, %bx
        mov     $old_vectors, %di
        mov     $0x18, %cx
0:      mov     (%bx), %ax
        stosw
        add     $2, %bx
        loop    0b
        movw    $on_divide, 0
        movw    %cs, 2
        movw    $on_step, 4
        movw    %cs, 6
        movw    $on_break, 12
        movw    %cs, 14
        movw    $on_overflow, 16
        movw    %cs, 18
        movw    $on_bound, 20
        movw    %cs, 22
        movw    $on_bad, 24
        movw    %cs, 26
        movw    $on_own, 0x60 * 4
        movw    %cs, 0x60 * 4 + 2
        sti
        movw    $0, faults
        xor     %cx, %cx
        mov     $1, %ax
        div     %cl                     /* 2 bytes; the handler steps over */
        cmpw    $1, faults
        expect  90, e
        int3
        cmpw    $3, faults
        expect  91, e
        mov     $0x7fff, %ax
        add     $1, %ax
        into
        cmpw    $7, faults
        expect  92, e
        mov     $9, %ax
        bound   %ax, bounds             /* 4 bytes */
        cmpw    $15, faults
        expect  93, e
        .byte   0x0f, 0x0b              /* UD2 */
        cmpw    $31, faults
        expect  94, e
        mov     $0x1234, %ax
        int     $0x60
        cmp     $0x4321, %ax
        expect  95, e
        /* single steps: four instructions and POPF's successor */
        movw    $0, steps
        pushf
        pop     %ax
        or      $0x100, %ax
        push    %ax
        and     $0xfeff, %ax
        push    %ax
        pop     %bx
        popf
        nop                             /* the step after this one is the first */
        nop
        push    %bx
        popf                            /* and after this the last */
        nop
        cmpw    $4, steps
        expect  96, e
        /* STI lets one more instruction pass; HLT ends with the timer */
        cli
        sti
        hlt
        pushf
        pop     %ax
        test    $0x200, %ax
        expect  97, nz
        cli
        mov     $0, %di
        mov     $old_vectors, %si
        mov     $0x18, %cx
        rep movsw
        sti
        ret

on_divide:
        push    %bp
        mov     %sp, %bp
        addw    $2, 2(%bp)
        pop     %bp
        orw     $1, %cs:faults
        iret
on_break:
        orw     $2, %cs:faults
        iret
on_overflow:
        orw     $4, %cs:faults
        iret
on_bound:
        push    %bp
        mov     %sp, %bp
        addw    $4, 2(%bp)
        pop     %bp
        orw     $8, %cs:faults
        iret
on_bad: push    %bp
        mov     %sp, %bp
        addw    $2, 2(%bp)
        pop     %bp
        orw     $16, %cs:faults
        iret
on_step:
        incw    %cs:steps
        iret
on_own: xchg    %al, %ah
        rol     $4, %al
        rol     $4, %ah
        iret

/* ---------------------------------------------------------------------------------------------- A20 */
a20:    section "a20\n"
        mov     $0x2403, %ax            /* what it can */
        int     $0x15
        expect  100, nc
        mov     $0x2401, %ax
        int     $0x15
        expect  101, nc
        call    wraps
        expect  102, nz
        mov     $0x2400, %ax
        int     $0x15
        expect  103, nc
        call    wraps
        expect  104, z
        mov     $0x2402, %ax
        int     $0x15
        expect  105, nc
        test    %al, %al
        expect  106, z
        mov     $0x2401, %ax
        int     $0x15
        expect  107, nc
        call    wraps
        expect  108, nz
        ret

/* ZF: FFFF:0510 is 0000:0500. */
wraps:  push    $0xffff
        pop     %fs
        movw    $0x1111, 0x500
        movw    $0x2222, %fs:0x510
        cmpw    $0x2222, 0x500
        ret

/* ---------------------------------------------------------------------------------------------- big real mode */
big_real:
        section "big real\n"
        cli
        push    %ds
        lgdt    big_gdtr
        mov     %cr0, %eax
        or      $1, %al
        mov     %eax, %cr0
        jmp     0f
0:      mov     $8, %bx
        mov     %bx, %ds
        mov     %bx, %es
        and     $0xfe, %al
        mov     %eax, %cr0
        ljmp    $0, $1f
1:      pop     %ds                     /* the base goes, the limit stays */
        push    %ds
        pop     %es
        sti
        /* words all over the fourth megabyte, then their sum; timer interrupts come and go */
        mov     $0x300000, %edi
        mov     $0x10001, %eax
2:      mov     %eax, (%edi)
        add     $0x9e3779b1, %eax
        add     $0x1004, %edi
        cmp     $0x3ff000, %edi
        jb      2b
        mov     $0x40, %cx
3:      hlt
        loop    3b
        mov     $0x300000, %edi
        mov     $0x10001, %eax
4:      cmp     (%edi), %eax
        expect  110, e
        add     $0x9e3779b1, %eax
        add     $0x1004, %edi
        cmp     $0x3ff000, %edi
        jb      4b
        /* strings with 32-bit addresses */
        mov     $0x300000, %esi
        mov     $0x380004, %edi
        mov     $0x4000, %ecx
        cld
        addr32 rep movsl
        cmp     $0x390004, %edi
        expect  111, e
        mov     $0x300000, %esi
        mov     $0x380004, %edi
        mov     $0x4000, %ecx
        addr32 repe cmpsl
        expect  112, e
        /* a BIOS call in between, which may go to protected mode and back, then the limit is as it was or the BIOS's */
        mov     $0x0e2e, %ax
        mov     $7, %bx
        int     $0x10
        ret

/* ---------------------------------------------------------------------------------------------- the serial line */
serial_init:
        mov     $COM1 + 3, %dx
        mov     $0x80, %al
        out     %al, %dx
        mov     $COM1, %dx
        mov     $1, %al
        out     %al, %dx
        inc     %dx
        xor     %al, %al
        out     %al, %dx
        mov     $COM1 + 3, %dx
        mov     $3, %al
        out     %al, %dx
        ret

/* Sends the text at SI; nothing changes but SI and the flags. */
say:    push    %ax
        push    %dx
0:      lodsb
        test    %al, %al
        jz      2f
        mov     %al, %ah
        mov     $COM1 + 5, %dx
1:      in      %dx, %al
        test    $0x20, %al
        jz      1b
        mov     $COM1, %dx
        mov     %ah, %al
        out     %al, %dx
        jmp     0b
2:      pop     %dx
        pop     %ax
        ret

failed: xor     %ax, %ax
        mov     %ax, %ds
        mov     $1f, %si
        call    say
        mov     where, %ax
        mov     $number_end - 2, %di
        mov     $10, %cx
0:      xor     %dx, %dx
        div     %cx
        add     $'0', %dl
        mov     %dl, (%di)
        dec     %di
        test    %ax, %ax
        jnz     0b
        lea     1(%di), %si
        call    say
        mov     $FAILED, %al
        out     %al, $DEBUG_EXIT
0:      hlt
        jmp     0b
1:      .asciz  "FAIL bios, check "
        .ascii  "     "
number: .ascii  "\n"
        .byte   0
        .set    number_end, number + 1

banner: .ascii  "A disk of old"
banner_end:

        .balign 4
ram:    .long   0
old_tick: .long 0
where:  .word   0
ticks:  .word   0
faults: .word   0
steps:  .word   0
bounds: .word   1, 8
packet: .byte   16, 0
        .word   1                       /* sectors */
        .word   0, 0                    /* to offset, segment */
        .quad   0
move_gdt:
        .quad   0, 0
        .word   511, 0, 0x9300, 0
        .word   511, 0, 0x9300, 0
        .quad   0, 0
big_gdt:
        .quad   0
        .quad   0x00cf93000000ffff
big_gdtr:
        .word   15
        .long   big_gdt
old_vectors:
        .space  0x30

        .org    (CODE_SECTORS + 1) * 512
        .org    SECTORS * 512
