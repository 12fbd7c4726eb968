/**
 * The monitor's private memory: 4 MiB (1024 frames) right behind the guest's RAM, seen by the hardware alone.
 * All of it is mapped, read-only, into one 4 MiB slot of the guest's linear space: the window. The ring-0 stack page is
 * mapped once more, writable, at the very top of linear space, where segment limits keep the guest out (see world.ts).
 */

export const POOL_FRAMES = 1024;
export const MONITOR_BYTES = POOL_FRAMES * 4096;

// Frame numbers within the pool
export const FRAME_GDT = 0; // 16 frames: 8192 descriptors
export const FRAME_LDT = 16; // 16 frames
export const FRAME_IDT = 32;
export const FRAME_TSS = 33;
export const FRAME_NUB = 34;
export const FRAME_STACK = 35;
/** The monitor's own page directory (pdbr-reload) and the table that maps the window writable in it. */
export const FRAME_MONITOR_DIRECTORY = 36;
export const FRAME_MONITOR_TABLE = 37;
/** The table that maps the window read-only; shared by every shadow directory. */
export const FRAME_WINDOW_TABLE = 38;
/** Maps nothing but the stack page; stands in slot 1023 of a directory while the guest has no table there. */
export const FRAME_TOP_TABLE = 39;
/** The GDT for ring 3: as the other, but for data segments that wrap round the end of linear space (ADR 0023). */
export const FRAME_USER_GDT = 40; // 16 frames
export const FRAME_SHADOWS = 56;

// The monitor's selectors stand at the end of the largest possible GDT.
export const MONITOR_CS = 0xffe0;
export const MONITOR_SS = 0xffe8;
export const MONITOR_TR = 0xfff0;
export const MONITOR_LDT = 0xfff8;
export const FIRST_MONITOR_INDEX = MONITOR_CS >>> 3;

export const STACK_PAGE = 0xfffff000;
/** TSS.ESP0: traps from the guest push downwards from here. */
export const STACK_TOP = 0xffffff00;
/** Where the resume frame stands: GS FS ES DS | EIP CS EFLAGS ESP SS. */
export const RESUME_FRAME = STACK_TOP - 36;
export const RESUME_IRET = STACK_TOP - 20;

/** The last byte of linear space a guest segment may reach directly: just below the stack page. */
export const GUEST_LINEAR_LIMIT = 0xffffefff;

export const TOP_SLOT = 1023;
/** Where the window goes when nothing is in the way. */
export const FIRST_WINDOW_SLOT = 1022;

/** Vector of the hardware's INTR while a guest runs: "look at the virtual interrupt controller". */
export const HOST_INTERRUPT_VECTOR = 0xf0;
