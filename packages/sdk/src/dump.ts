/**
 * A dump of a processor for people: what the bare executor and the monitor print when a guest dies.
 */
import {
  CR0,
  CR2,
  CR3,
  CR4,
  CPL,
  CS,
  DR,
  EIP,
  ESP,
  GDTR_BASE,
  GDTR_LIMIT,
  HALTED,
  IDTR_BASE,
  IDTR_LIMIT,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SELECTOR,
  SEG_WORDS,
  SS,
} from './layout.js';
import { ACCESS_READ } from './mmu.js';
import type { Processor } from './processor.js';

/** Registers, the instruction at CS:EIP and the top of the stack, as text. Reads without side effects. */
export function dumpProcessor(processor: Processor): string {
  const s = processor.state;
  const lines: string[] = [];
  const words = (names: readonly string[], first: number) =>
    names.map((name, i) => `${name}=${hex(s[first + i])}`).join(' ');
  lines.push(words(['EAX', 'ECX', 'EDX', 'EBX'], 0), words(['ESP', 'EBP', 'ESI', 'EDI'], 4));
  lines.push(
    `EIP=${hex(s[EIP])} EFLAGS=${hex(processor.getEflags())} CPL=${s[CPL]}${s[HALTED] !== 0 ? ' (halted)' : ''}`,
  );
  for (const [i, name] of ['ES', 'CS', 'SS', 'DS', 'FS', 'GS', 'LDTR', 'TR'].entries()) {
    const at = SEG + i * SEG_WORDS;
    lines.push(
      `${name.padEnd(4)} ${hex(s[at + SEG_SELECTOR], 4)} base=${hex(s[at + SEG_BASE])} limit=${hex(s[at + SEG_LIMIT])} access=${hex(s[at + SEG_ACCESS], 5)}`,
    );
  }
  lines.push(
    `GDT  base=${hex(s[GDTR_BASE])} limit=${hex(s[GDTR_LIMIT], 4)}   IDT base=${hex(s[IDTR_BASE])} limit=${hex(s[IDTR_LIMIT], 4)}`,
  );
  lines.push(
    `CR0=${hex(s[CR0])} CR2=${hex(s[CR2])} CR3=${hex(s[CR3])} CR4=${hex(s[CR4])} DR6=${hex(s[DR + 6])} DR7=${hex(s[DR + 7])}`,
  );
  lines.push(`code:  ${bytesAt(processor, s[SEG + CS * SEG_WORDS + SEG_BASE] + s[EIP], 16)}`);
  const stack = s[SEG + SS * SEG_WORDS + SEG_BASE] + s[ESP];
  for (let row = 0; row < 4; row++)
    lines.push(`stack: ${hex(stack + row * 16)}  ${bytesAt(processor, stack + row * 16, 16)}`);
  return lines.join('\n');
}

function bytesAt(processor: Processor, linear: number, count: number): string {
  const out: string[] = [];
  for (let i = 0; i < count; i++) {
    const address = processor.mmu.probe((linear + i) | 0, ACCESS_READ, 0);
    out.push(address >= 0 && processor.space.isRam(address) ? hex(processor.space.read(address, 1), 2) : '??');
  }
  return out.join(' ');
}

function hex(value: number, digits = 8): string {
  return (value >>> 0).toString(16).padStart(digits, '0');
}
