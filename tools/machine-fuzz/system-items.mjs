/**
 * Random doings of ring-0 code: control and debug registers, descriptor tables and their contents, page tables with the
 * invalidation that the architecture asks for (ADR 0009: without it either value is legal), MSRs, HLT, far transfers,
 * gates, tasks. Other levels may try them as well, and fault.
 */
import { abs32, d16, d32, rel32 } from './assembler.mjs';
import * as L from './layout.mjs';
import { selector } from './operands.mjs';
import { randomDescriptor, randomEntry } from './tables.mjs';

const { SEL } = L;
const SS_PREFIX = 0x36;
/** mov ss:[address], imm32: SS is flat wherever page tables are edited. */
const store = (at, value) => [SS_PREFIX, 0xc7, 0x05, d32(at), d32(value)];

function cr0(c) {
  const { a, random: r } = c;
  a.skippable(0x0f, 0x20, 0xc0);
  const bit = r.weighted([
    [4, 0x10000],
    [3, 0x40000],
    [1, 0x20],
    [4, 8],
    [2, 4],
    [3, 2],
    [1, 0x20000000],
    [1, 0x40000000],
    [1, 0x10],
  ]);
  a.skippable(0x35, d32(bit)); // xor eax
  a.skippable(0x0f, 0x22, 0xc0);
  if (r.chance(20)) a.skippable(0x0f, 0x06); // clts
}

function lmsw(c) {
  const { a, random: r } = c;
  a.skippable(0xb8, d32(1 | (r.below(8) << 1)));
  a.skippable(0x0f, 0x01, 0xf0);
}

/** Any bit of CR4 but PAE, which needs other tables (paeSwitch). */
function cr4(c) {
  const { a, random: r } = c;
  a.skippable(0x0f, 0x20, 0xe0);
  const bit = r.weighted([
    [2, 1],
    [2, 2],
    [2, 4],
    [2, 8],
    [3, 0x10],
    [1, 0x40],
    [3, 0x80],
    [2, 0x100],
    [4, 0x200],
    [3, 0x400],
    [1, 0x800],
  ]);
  a.skippable(0x35, d32(bit));
  a.skippable(0x0f, 0x22, 0xe0);
}

/** With global pages there is one address space only: what another one means by the same address is stale there, legally. */
const roots = (c) => (c.pae ? [L.PDPT_A, L.PDPT_B] : [L.PD_A, L.PD_B]).slice(0, c.globals ? 1 : 2);

function cr3(c) {
  const { a, random: r } = c;
  const root = r.pick(roots(c));
  const bits = r.chance(80) ? 0 : 0x18;
  a.skippable(0xfa);
  a.skippable(0xb8, d32(root | bits));
  a.skippable(SS_PREFIX, 0xa3, d32(L.ROOT));
  a.skippable(0x0f, 0x22, 0xd8);
  if (r.chance(60)) a.skippable(0xfb);
}

function reloadRoot(c) {
  c.a.skippable(0x0f, 0x20, 0xd8);
  c.a.skippable(0x0f, 0x22, 0xd8);
}

/** What the architecture asks for after an edit of what `linear` (or, without it, a directory entry) means. */
function flush(c, linear) {
  const { a, random: r } = c;
  if (linear !== undefined && c.model.invlpg && r.chance(60)) {
    return a.skippable(SS_PREFIX, 0x0f, 0x01, 0x3d, d32(linear));
  }
  if (!c.globals) return reloadRoot(c);
  // Global entries outlive CR3: CR4.PGE there and back.
  for (let i = 0; i < 2; i++) {
    a.skippable(0x0f, 0x20, 0xe0);
    a.skippable(0x34, 0x80);
    a.skippable(0x0f, 0x22, 0xe0);
  }
}

function entryEdit(c) {
  const { a, random: r } = c;
  const page = r.below(L.PLAY_PAGES);
  const size = c.pae ? 8 : 4;
  const table = r.pick(c.pae ? [L.PAE_PT_PLAY_A, L.PAE_PT_PLAY_B] : [L.PT_PLAY_A, L.PT_PLAY_B]);
  const at = table + page * size;
  const alias = r.chance(15) ? L.LARGE : 0;
  a.skippable(0xfa);
  switch (r.below(5)) {
    case 0: // A and D away
      a.skippable(SS_PREFIX, 0x81, 0x25, d32(at), d32(~0x60));
      break;
    case 1: // some bit
      a.skippable(SS_PREFIX, 0x0f, 0xba, 0x3d, d32(at), r.pick([0, 1, 1, 2, 2, 5, 6, 6]));
      break;
    case 2: {
      // XCHG, as kernels do it
      a.skippable(0xb8, d32(randomEntry(r, c.globals)));
      a.skippable(SS_PREFIX, 0x87, 0x05, d32(at));
      break;
    }
    default:
      if (c.pae && r.chance(12)) a.skippable(store(at + 4, r.pick([0, 0, 1, 0x10, 0x80000000])));
      a.skippable(store(at + alias, randomEntry(r, c.globals)));
  }
  flush(c, L.PLAY + (page << 12));
  if (r.chance(50)) a.skippable(0xfb);
}

/** Many entries by one string instruction. */
function entriesEdit(c) {
  const { a, random: r } = c;
  const size = c.pae ? 8 : 4;
  const table = r.pick(c.pae ? [L.PAE_PT_PLAY_A, L.PAE_PT_PLAY_B] : [L.PT_PLAY_A, L.PT_PLAY_B]);
  const count = 1 + r.below(4);
  const from = r.below(L.PLAY_PAGES - count);
  a.skippable(0xfa);
  a.skippable(0xb8, d32(SEL.data0));
  a.skippable(0x8e, 0xc0);
  a.skippable(0x8e, 0xd8);
  a.skippable(0xfc);
  a.skippable(0xbf, d32(table + from * size));
  if (r.chance(50)) {
    a.skippable(0xbe, d32(table + r.below(L.PLAY_PAGES - count) * size));
    a.skippable(0xb9, d32((count * size) / 4));
    a.skippable(0xf3, 0xa5);
  } else {
    a.skippable(0xb8, d32(c.pae ? 0 : randomEntry(r, c.globals)));
    a.skippable(0xb9, d32((count * size) / 4));
    a.skippable(0xf3, 0xab);
  }
  if (c.globals) flush(c);
  else reloadRoot(c);
}

/** A directory entry of the playground or the large page. */
function directoryEdit(c) {
  const { a, random: r } = c;
  const [play, large, top] = c.pae ? [2 * 8, 4 * 8, -1] : [4, 8, 1023 * 4];
  const directory = r.pick(c.pae ? [L.PAE_PD_A, L.PAE_PD_B] : [L.PD_A, L.PD_B]);
  const tables = c.pae ? [L.PAE_PT_PLAY_A, L.PAE_PT_PLAY_B] : [L.PT_PLAY_A, L.PT_PLAY_B];
  const [offset, value] = r.weighted([
    [6, [play, r.pick(tables) | r.pick([7, 7, 7, 5, 3, 1, 6, 0x27])]],
    [4, [large, r.pick([0x87, 0x83, 0x85, 0x81, 0x86, 0xe7, c.globals ? 0x187 : 0x87, 0x2087])]],
    [2, [top < 0 ? large : top, (c.pae ? 0x80 : L.PT_TOP) | r.pick([7, 3, 6])]],
  ]);
  a.skippable(0xfa);
  a.skippable(store(directory + offset, value));
  if (c.globals) flush(c);
  else reloadRoot(c);
  if (r.chance(50)) a.skippable(0xfb);
}

/**
 * A pointer of the upper gigabytes: in force at the next load of CR3 only. One with reserved bits makes that load fault,
 * and every write of CR0 or CR4 that loads the pointers as well, so it does not stay: no flush would work.
 */
function pointerEdit(c) {
  const { a, random: r } = c;
  const at = r.pick([L.PDPT_A, L.PDPT_B]) + r.pick(c.window ? [8, 16] : [8, 16, 24]);
  if (r.chance(25)) {
    a.skippable(0xfa);
    a.skippable(store(at, r.pick([L.PAE_PD_TOP | 3, L.PAE_PD_TOP | 0x21, L.PAE_PD_TOP | 0x101])));
    if (r.chance(50)) reloadRoot(c);
    else cr0(c);
  }
  a.skippable(store(at, r.pick([L.PAE_PD_TOP | 1, L.PAE_PD_TOP | 0x19, 0, L.PAE_PD_A | 1])));
  if (r.chance(70)) reloadRoot(c);
}

/** The playground's other place, where the monitor's window likes to be, in programs that map it for good (tables.mjs). */
function windowSlot(c) {
  const { a, random: r } = c;
  a.skippable(r.pick([0x8b, 0x89, 0x01, 0x87]), 0x0d, d32(L.WINDOW_SLOT + r.below(0x2ffc)));
}

/** Paging off, the other kind of tables, paging on. All of it in identity-mapped code, interrupts off. */
export function paeSwitch(c) {
  const { a } = c;
  const next = c.pae ? L.PD_A : L.PDPT_A;
  a.skippable(0xfa);
  a.emit(0x0f, 0x20, 0xc3); // mov ebx,cr0
  a.emit(0x89, 0xd8, 0x25, d32(0x7fffffff), 0x0f, 0x22, 0xc0);
  a.emit(0x0f, 0x20, 0xe0, 0x34, 0x20, 0x0f, 0x22, 0xe0); // cr4 ^= PAE
  a.emit(0xb8, d32(next), 0x0f, 0x22, 0xd8, SS_PREFIX, 0xa3, d32(L.ROOT));
  for (const tss of [L.TSS_MAIN, L.TSS_DF, L.TSS_A, L.TSS_B]) {
    a.emit(SS_PREFIX, 0xa3, d32(tss + 28), SS_PREFIX, 0xa3, d32(tss - L.TSS_MAIN + L.TSS_COPY + 28));
  }
  a.emit(0x89, 0xd8, 0x0f, 0x22, 0xc0); // mov cr0,ebx
  c.pae = !c.pae;
}

function unpaged(c) {
  const { a, random: r } = c;
  a.skippable(0xfa);
  a.emit(0x0f, 0x20, 0xc3, 0x89, 0xd8, 0x25, d32(0x7fffffff), 0x0f, 0x22, 0xc0);
  a.skippable(0x8b, 0x05, d32(r.pick([L.PLAY_FRAMES, L.PLAY, L.VIDEO, L.ROM])));
  a.skippable(0x89, 0x05, d32(L.PLAY_FRAMES + r.below(0xffc)));
  a.emit(0x89, 0xd8, 0x0d, d32(0x80000000), 0x0f, 0x22, 0xc0);
}

/** A descriptor in the GDT or LDT, and maybe a load of it. */
function descriptorEdit(c) {
  const { a, random: r } = c;
  const local = r.chance(50);
  const index = local ? 5 + r.below(27) : L.FIRST_PLAY_SELECTOR / 8 + r.below(15);
  const at = (local ? L.LDT : L.GDT) + index * 8;
  const [low, high] = randomDescriptor(r);
  if (r.chance(60)) a.skippable(store(at, low));
  a.skippable(store(at + 4, high));
  if (r.chance(20)) a.skippable(SS_PREFIX, 0x80, 0x25, d32(at + 5), 0xfe); // Accessed away
  if (r.chance(70)) {
    a.skippable(0xb8, d32(index * 8 + (local ? 4 : 0) + r.pick([0, 0, 3])));
    a.skippable(0x8e, 0xc0 | (r.pick([0, 3, 4, 5]) << 3));
    a.skippable(r.pick([0x26, 0x64, 0x65, 0x3e]), 0x8b, 0x0d, d32(r.pick([0, 4, 0x7e, 0xffc, L.PLAY_FRAMES])));
  }
}

function tables(c) {
  const { a, random: r } = c;
  switch (r.below(6)) {
    case 0:
      return a.skippable(SS_PREFIX, 0x0f, 0x01, 0x15, d32(r.pick([L.GDTR_IMAGE, L.GDTR_SHORT, L.GDTR_OTHER]))); // lgdt
    case 1:
      return a.skippable(SS_PREFIX, 0x0f, 0x01, 0x1d, d32(r.pick([L.IDTR_IMAGE, L.IDTR_SHORT, L.IDTR_OTHER]))); // lidt
    case 2:
      a.skippable(0xb8, d32(r.pick([SEL.ldt, SEL.ldt, 0, 3, selector(r)])));
      return a.skippable(0x0f, 0x00, 0xd0); // lldt
    case 3:
      a.skippable(0xb8, d32(r.pick([SEL.tss, SEL.tssB, SEL.tss16, 0, selector(r)])));
      return a.skippable(0x0f, 0x00, 0xd8); // ltr
    case 4:
      return a.skippable(SS_PREFIX, 0x81, 0x25, d32(L.GDT + SEL.tss + 4), d32(~0x200)); // not busy
    default:
      return a.skippable(SS_PREFIX, 0x0f, 0x01, r.chance(50) ? 0x05 : 0x0d, d32(L.PLAY + r.below(0x1000))); // sgdt, sidt
  }
}

function debug(c) {
  const { a, random: r } = c;
  const set = (index, value) => {
    a.skippable(0xb8, value);
    a.skippable(0x0f, 0x23, 0xc0 | (index << 3));
  };
  switch (r.below(5)) {
    case 0:
      return a.skippable(0x0f, 0x21, 0xc0 | (r.below(8) << 3) | r.below(4));
    case 1:
      return set(r.pick([4, 5, 6, 7]), d32(r.pick([0, 0x2000, r.next() & 0xffff, r.next()])));
    default: {
      // A breakpoint on code just ahead, on data, or on a port; then whatever hits it.
      const index = r.below(4);
      const kind = r.pick([0, 0, 1, 1, 3, 3, 2]);
      const length = kind === 0 ? 0 : r.pick([0, 1, 3, 2]);
      const at = (L.PLAY + (r.below(3) << 12) + r.pick([0, 4, 0x10, 0xffc, 0xffe])) >>> 0;
      const ahead = a.fresh('bp');
      set(index, kind === 0 ? abs32(ahead) : kind === 2 ? d32(r.pick([0x40, 0x3f8, 0x61])) : d32(at));
      set(
        7,
        d32(
          ((1 << (index * 2 + r.below(2))) |
            (((length << 2) | kind) << (16 + index * 4)) |
            (r.chance(5) ? 0x2000 : 0)) >>>
            0,
        ),
      );
      if (kind === 2) a.skippable(0xe4, r.pick([0x40, 0x61]));
      else if (kind !== 0) a.skippable(r.pick([0x8b, 0x89, 0x01]), 0x05 | (1 << 3), d32(at + r.pick([0, 0, 1, 3, -1])));
      a.label(ahead);
      return a.skippable(r.pick([[0x90], [0x41], [0x9c], [0x0f, 0xa2], [0x8b, 0xc8]]));
    }
  }
}

function msr(c) {
  const { a, random: r } = c;
  const index = r.pick([
    0x10, 0x10, 0x174, 0x1d9, 0x1db, 0xc1, 0xc2, 0x186, 0x17, 0x8b, 0x79, 0x1a0, 0, 1, 0x1b, 0x277, 0x52460001,
  ]);
  a.skippable(0xb9, d32(index));
  if (r.chance(50)) return a.skippable(0x0f, 0x32);
  a.skippable(0xba, d32(r.pick([0, 0, 1])));
  a.skippable(0xb8, d32(index === 0x174 ? r.pick([8, 8, 0, 0x10]) : r.value()));
  a.skippable(0x0f, 0x30);
}

function wait(c) {
  const { a, random: r } = c;
  if (c.ring === 0) {
    // The timer's interrupt must be able to come.
    a.skippable(0xb0, 0x00);
    a.skippable(0xe6, 0x21);
  }
  a.skippable(0xfb);
  if (r.chance(70)) a.skippable(0xf4);
}

function interruptFlag(c) {
  const { a, random: r } = c;
  a.skippable(r.chance(50) ? 0xfa : 0xfb);
  if (r.chance(30)) a.skippable(r.pick([0xfb, 0xfa, 0x90, 0x9c]));
}

/** Far JMP, CALL and RET: through gates, to tasks, to conforming code, to nowhere. */
function far(c) {
  const { a, random: r } = c;
  const landing = a.fresh('far');
  switch (r.below(7)) {
    case 0: {
      const rpl = c.ring;
      const code = [SEL.code0, SEL.code1, SEL.code2, SEL.code3][c.ring] | rpl;
      a.skippable(0xea, abs32(landing), d16(r.chance(70) ? code : SEL.conforming));
      break;
    }
    case 1: {
      const code = r.pick([SEL.gate, SEL.gate, SEL.gateWords, SEL.gate1, SEL.conforming, selector(r)]);
      if (code === SEL.gateWords) a.skippable(0x6a, 1);
      a.skippable(
        0x9a,
        code === SEL.conforming ? abs32('gateTarget') : d32(r.value()),
        d16(code | (r.chance(70) ? c.ring : r.below(4))),
      );
      break;
    }
    case 2:
      a.skippable(0x9a, d32(0), d16(r.pick([SEL.tssA, SEL.taskGate, SEL.tssB, SEL.tss16, SEL.tss, SEL.tssDf])));
      break;
    case 3:
      if (c.ring !== 0) return;
      // Ring 0 to itself by IRET and RETF.
      a.skippable(0x9c);
      a.skippable(0x6a, SEL.code0);
      a.skippable(0x68, abs32(landing));
      a.skippable(0xcf);
      break;
    case 4: {
      const code = [SEL.code0, SEL.code1, SEL.code2, SEL.code3][c.ring] | c.ring;
      a.skippable(0x68, d32(r.chance(80) ? code : selector(r)));
      a.skippable(0x68, abs32(landing));
      a.skippable(0xcb);
      break;
    }
    case 5:
      a.skippable(0xcd, r.pick([0x40, 0x41, 0x42]));
      break;
    default:
      a.skippable(0xe8, rel32(landing)); // a near call for company
  }
  a.label(landing);
}

export const systemItems = [
  [5, cr0, 'cr0'],
  [1, lmsw, 'lmsw'],
  [4, cr4, 'cr4', (c) => c.model.cr4],
  [4, cr3, 'cr3'],
  [8, entryEdit, 'pte-edit'],
  [3, entriesEdit, 'pte-string'],
  [4, directoryEdit, 'pde-edit'],
  [2, pointerEdit, 'pdpte-edit', (c) => c.pae],
  [3, windowSlot, 'window-slot', (c) => c.window],
  [1, unpaged, 'paging-off'],
  [6, descriptorEdit, 'descriptor-edit'],
  [4, tables, 'table-registers'],
  [5, debug, 'debug-registers'],
  [3, msr, 'msr'],
  [2, wait, 'hlt'],
  [3, interruptFlag, 'cli-sti'],
  [6, far, 'far-transfer'],
];
