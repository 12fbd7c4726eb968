# The entry of every guest, the 256 trap stubs, and the way to ring 3 and back.
#
# Multiboot 1 hands over: flat 32-bit protected mode, paging off, interrupts off, EAX = magic, EBX = information.
# A trap stub pushes a `struct frame` (guest.h) and calls trap_dispatch() on whatever stack the processor chose.

        .section .multiboot, "a"
        .balign 4
        .long 0x1BADB002
        .long 0x00000003                # modules on page boundaries, memory information
        .long -(0x1BADB002 + 0x00000003)

        .text
        .globl _start
_start:
        cli
        cld
        movl    $boot_stack_top, %esp
        pushl   $0
        popfl
        pushl   %ebx
        pushl   %eax
        xorl    %ebp, %ebp
        call    guest_start
1:      cli
        hlt
        jmp     1b

# --- traps -------------------------------------------------------------------------------------------------

        .macro STUB vector
        .balign 16
        .if (\vector == 8) || (\vector >= 10 && \vector <= 14) || (\vector == 17)
        .else
        pushl   $0
        .endif
        pushl   $\vector
        jmp     trap_common
        .endm

        .balign 16
        .globl trap_stubs
trap_stubs:
        .altmacro
        .set    vector, 0
        .rept   256
        STUB    %vector
        .set    vector, vector + 1
        .endr
        .noaltmacro

        .balign 16
trap_common:
        pushl   %ds
        pushl   %es
        pushal
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        cld
        pushl   %esp
        call    trap_dispatch
        addl    $4, %esp
        popal
        popl    %es
        popl    %ds
        addl    $8, %esp
        iretl

# --- ring 3 ------------------------------------------------------------------------------------------------
# void user_enter(u32 eip, u32 esp, u32 eflags, struct user_regs *regs): to ring 3 by IRET. Comes back when
# trap_dispatch() calls user_leave(). TSS.esp0 is set to the stack at the moment of entry.

        .globl user_enter, user_leave
user_enter:
        pushl   %ebp
        pushl   %ebx
        pushl   %esi
        pushl   %edi
        movl    20(%esp), %eax          # eip
        movl    24(%esp), %edx          # esp
        movl    28(%esp), %ecx          # eflags
        movl    32(%esp), %esi          # registers
        movl    %esp, user_saved_esp
        movl    %esp, tss+4
        pushl   $0x23
        pushl   %edx
        pushl   %ecx
        pushl   $0x1b
        pushl   %eax
        movl    0(%esi), %eax
        movl    4(%esi), %ecx
        movl    8(%esi), %edx
        movl    12(%esi), %ebx
        movl    20(%esi), %edi
        movl    16(%esi), %esi
        xorl    %ebp, %ebp
        pushl   %eax
        movl    $0x23, %eax
        movl    %eax, %ds
        movl    %eax, %es
        popl    %eax
        iretl

user_leave:
        movl    user_saved_esp, %esp
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        popl    %edi
        popl    %esi
        popl    %ebx
        popl    %ebp
        ret

# Ring 3 fragments, each ends in INT 0x80 so that it comes back when nothing faulted.
        .section .user, "awx"
        .globl user_read, user_write, user_int80, user_rmw, user_fetch
user_read:                              # EAX = address
        movl    (%eax), %ecx
        int     $0x80
user_write:                             # EAX = address, ECX = value
        movl    %ecx, (%eax)
        int     $0x80
user_rmw:
        orl     %ecx, (%eax)
        int     $0x80
user_fetch:                             # EAX = address to jump to
        jmp     *%eax
user_int80:
        int     $0x80
        .balign 16
        .globl user_stack_top
        .skip   1024
user_stack_top:

        .bss
        .balign 4096
        .skip   16384
        .globl boot_stack_top
boot_stack_top:
        .section .note.GNU-stack, "", @progbits
