# The code that selfstep.c steps through, and beside each piece the list of addresses at which its #DB handler must
# see it stop.
#
# PIECE name ... END: TF is set before and cleared behind. `S insn`: a trap behind it. `N insn`: none (what follows is
# shielded, or the trap is for what follows). `GO insn, label`: a trap at the label.

        .altmacro
        .macro PIECE name
        .section .rodata
        .balign 4
        .globl  expected_&name
expected_&name&:
        .text
        .globl  &name
&name&:
        pushal
        pushfl
        orl     $0x100, (%esp)
        popfl
        .endm
        .noaltmacro

        .macro STOP label
        .pushsection .rodata
        .long   \label
        .popsection
        .endm
        .macro S instruction:vararg
        \instruction
        STOP    990f
990:
        .endm
        .macro N instruction:vararg
        \instruction
        .endm
        .macro END
        S pushfl
        S andl $~0x100, (%esp)
        S popfl
        popal
        STOP 0
        ret
        .endm

PIECE step_plain
        S nop
        S movl $5, %eax
        S incl %eax
        S movl %eax, step_word
        S pushl %eax
        S popl %ecx
        S leal 4(%ecx,%eax,2), %edx
        S xchgl %edx, step_word
        S lock xaddl %edx, step_word
        S pushal
        S popal
        S enter $8, $1
        S leave
        S cmpxchg8b step_word
        S cpuid
        S rdtsc
        END

PIECE step_jumps
        S xorl %eax, %eax
        jmp 1f
        STOP 1f
        ud2
1:      je 2f
        STOP 2f
        ud2
2:      S jne 2b
        movl $2, %ecx
        STOP 3f
3:      loop 3b
        STOP 3b
        STOP 4f
4:      call 5f
        STOP 5f
        STOP 51f
        STOP 6f
51:     jmp 6f
5:      ret
6:      movl $7f, %eax
        STOP 61f
61:     jmp *%eax
        STOP 7f
        ud2
7:      ljmp $0x08, $8f
        STOP 8f
8:      lcall $0x08, $9f
        STOP 9f
        STOP 91f
        STOP 10f
91:     jmp 10f
9:      lret
10:     S nop
        END

# REP stops after each iteration, at itself while there is more to do.
PIECE step_strings
        S cld
        S movl $step_text, %esi
        S movl $step_copy, %edi
        movl $3, %ecx
        STOP 1f
1:      rep movsb
        STOP 1b
        STOP 1b
        STOP 2f
2:      S rep movsb
        S movl $4, %ecx
        S movl $step_text, %esi
        movl $step_copy, %edi
        STOP 3f
3:      repe cmpsb
        STOP 3b
        STOP 3b
        STOP 3b
        STOP 4f
4:      S movsl
        S stosl
        S lodsl
        S scasb
        S movl $2, %ecx
        movl $step_copy+8, %edi
        STOP 5f
5:      rep stosl
        STOP 5b
        STOP 6f
6:      S std
        S lodsb
        S cld
        END

# MOV SS and POP SS let one instruction through unseen.
PIECE step_ss
        S movl $0x10, %ecx
        N movl %ecx, %ss
        S nop
        S nop
        S pushl %ecx
        N popl %ss
        S incl %eax
        S nop
        END

PIECE step_flags
        S pushfl
        S popfl
        S pushfl
        S popl %eax
        S testl $0x100, %eax
        S setne step_saw_tf
        S cli
        S pushfl
        S orl $0x200, (%esp)
        S andl $~0x200, (%esp)
        S popfl
        # IRET that keeps TF
        S pushfl
        S pushl %cs
        S pushl $1f
        iretl
        STOP 1f
        ud2
1:      S nop
        S stc
        S sahf
        S lahf
        END

# IRET that sets TF: the trap comes after the instruction it goes to. IRET that clears it: a trap all the same.
        .globl  step_iret
step_iret:
        pushal
        pushl   $0x102
        pushl   %cs
        pushl   $1f
        iretl
1:      nop
2:      pushl   $0x002
3:      pushl   %cs
4:      pushl   $6f
5:      iretl
6:      nop
        popal
        ret
        .section .rodata
        .globl  expected_step_iret
expected_step_iret:
        .long   2b, 3b, 4b, 5b, 6b, 0
        .text

# INT n and faults: the handler runs with TF off, and the next trap is behind the next instruction.
PIECE step_traps
        S nop
        N int $0x42
        S nop
        N int3
        S nop
        N ud2
        S nop
        S movl $0x11800000, %eax
        S movl %eax, (%eax)
        S movl (%eax), %ecx
        N int $0x42
        N int $0x42
        S nop
        END

PIECE step_system
        S cli
        S movl %cr0, %eax
        S movl %eax, %cr0
        S movl %cr3, %eax
        S movl %eax, %cr3
        S movl %cr2, %eax
        S movl %cr4, %eax
        S movl %eax, %cr4
        S clts
        S invlpg 0x11800000
        S smsw %eax
        S lmsw %ax
        S sgdtl step_table
        S lgdtl step_table
        S sidtl step_table
        S lidtl step_table
        S str %eax
        S sldt %eax
        S lldt %ax
        S movl $0x10, %eax
        S movl %eax, %ds
        S pushl %es
        S popl %es
        S larl %eax, %ecx
        S lsll %eax, %ecx
        S verr %ax
        S verw %ax
        S wbinvd
        S movl %dr7, %eax
        S movl %dr0, %eax
        S inb $0x21, %al
        S outb %al, $0x80
        S pushl %cs
        S popl %eax
        S movl %ss, %eax
        END

# Structures: EBX = a table entry of an active table, EBP = another table, EDX = a GDT entry, ESI = an IDT entry.
PIECE step_structures
        S movl (%ebx), %eax
        S xorl $0x3000, %eax
        S movl %eax, (%ebx)
        S xchgl %eax, (%ebx)
        S xorl $0x1000, (%ebx)
        S btcl $12, (%ebx)
        S lock btsl $9, (%ebx)
        S pushl (%ebx)
        S popl (%ebp)
        S pushl %ecx
        S movl %esp, %ecx
        S leal 4(%ebp), %esp
        S pushl (%ebx)
        S movl %ecx, %esp
        S popl %ecx
        S movl (%edx), %eax
        S movl $0x0000ffff, (%edx)
        S orl $0x00cf9200, 4(%edx)
        S btsl $8, 4(%edx)
        S xchgl %eax, (%edx)
        S movl $0x0000ffff, (%edx)
        S movl $0x38, %eax
        S movl %eax, %fs
        S movl %fs:step_word, %eax
        S movl (%esi), %eax
        S movl %eax, (%esi)
        S incb 5(%esi)
        S decb 5(%esi)
        S movl %esi, %edi
        S movl $2, %ecx
        movl %ebx, %esi
        STOP 1f
1:      rep movsl
        STOP 1b
        STOP 2f
2:      S xorl %eax, %eax
        S movl %eax, %fs
        END

        .section .user, "awx"
        .globl  step_user, step_user_end, step_user_watch
        .balign 16
step_user:
        nop
1:      movl    $3, %ecx
2:      decl    %ecx
3:      jne     2b
4:      pushfl
5:      popl    %eax
6:      int     $0x80
step_user_end:
step_user_watch:
        nop
7:      movl    %eax, (%ecx)
8:      int     $0x80
        .section .rodata
        .globl  expected_step_user, user_watch_bp, user_watch_after
expected_step_user:
        .long   1b, 2b, 3b, 2b, 3b, 2b, 3b, 4b, 5b, 6b, 0
user_watch_bp:
        .long   7b
user_watch_after:
        .long   8b

# --- breakpoints ---------------------------------------------------------------------------------------------

        .text
        .globl  bp_function, bp_at, bp_loop, bp_loop_at, bp_fault, bp_fault_at
bp_function:
        movl    $1, %eax
bp_at:  addl    $41, %eax
        ret
bp_loop:
        movl    $5, %ecx
        xorl    %eax, %eax
bp_loop_at:
        addl    %ecx, %eax
        loop    bp_loop_at
        ret
bp_fault:
        movl    $0x11800000, %ecx
bp_fault_at:
        movl    (%ecx), %eax
        ret

        .bss
        .balign 8
        .globl  step_word, step_text, step_copy, step_saw_tf, step_table
step_word:
        .skip   16
step_text:
        .skip   32
step_copy:
        .skip   32
step_saw_tf:
        .skip   4
step_table:
        .skip   8
        .section .note.GNU-stack, "", @progbits
