/**
 * A kernel with an 8086 program of its own that reaches into the kernel's structures: its LDT shares a page with the
 * program's data, and stands in place under data-swap, hidden from the guest. The program runs on the hardware in virtual-8086 mode;
 * what it reads and writes there, and what the kernel then loads from the table, must be as on the bare processor.
 */
import { createMachine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig, type MachineConfigInput } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { Assembler, abs16, abs32, d16, d32, rel32 } from './assembler.mjs';

const BASE = 0x10000;
const OUT = 0x8000;
const IDT = 0x7000;
const TSS = 0x6000;
const STACK = 0x5000;
const LDT = 0x9000;
const TABLE = 0xa000;
const DIRECTORY = 0xb000;
const [CODE, DATA, LDTR, TR, LOCAL] = [8, 0x10, 0x18, 0x20, 0x0c];
const ROUNDS = 20;
const FS = 4;

const load = (register: number, selector: number) => [0xb8, d32(selector), 0x8e, 0xc0 | (register << 3)];
const store = (at: number, value: number) => [0xc7, 0x05, d32(at), d32(value)];

/** `paged`: the LDT's page is read-only for the program in every other round, and it faults there. */
function program(paged: boolean): Uint8Array {
  const a = new Assembler(BASE);
  a.emit(0x0f, 0x01, 0x15, abs32('gdtr'), 0x0f, 0x01, 0x1d, abs32('idtr'), 0xea, abs32('begin'), d16(CODE));
  a.label('begin');
  for (const register of [0, 2, 3, 5]) a.emit(load(register, DATA));
  a.emit(0xbc, d32(STACK), store(TSS + 4, STACK), store(TSS + 8, DATA));
  for (const vector of [13, 14]) {
    a.emit(0xb8, abs32(`vector${vector}`), 0x66, 0xa3, d32(IDT + vector * 8), 0xc1, 0xe8, 16);
    a.emit(0x66, 0xa3, d32(IDT + vector * 8 + 6));
    a.emit(0x66, 0xc7, 0x05, d32(IDT + vector * 8 + 2), d16(CODE));
    a.emit(0x66, 0xc7, 0x05, d32(IDT + vector * 8 + 4), d16(0x8e00));
  }
  // Entry 1: 64 KiB of data at OUT.
  a.emit(store(LDT + 8, ((OUT & 0xffff) << 16) | 0xffff), store(LDT + 12, 0x9300), store(LDT + 0x40, 0));
  a.emit(0xb8, d32(LDTR), 0x0f, 0x00, 0xd0, 0xb8, d32(TR), 0x0f, 0x00, 0xd8); // lldt, ltr
  if (paged) {
    // The first 2 MiB onto themselves, the user's.
    a.emit(0x31, 0xc9, 0xb8, d32(7)); // xor ecx,ecx; mov eax,7
    a.label('map');
    a.emit(0x89, 0x04, 0x8d, d32(TABLE), 0x05, d32(0x1000), 0x41, 0x81, 0xf9, d32(512), 0x0f, 0x85, rel32('map'));
    a.emit(store(DIRECTORY, TABLE | 7), 0xb8, d32(DIRECTORY), 0x0f, 0x22, 0xd8);
    a.emit(0x0f, 0x20, 0xc0, 0x0d, d32(0x80010000), 0x0f, 0x22, 0xc0);
  }
  a.emit(0xbb, d32(ROUNDS));
  a.label('round');
  a.emit(load(FS, LOCAL), 0x64, 0xff, 0x05, d32(0)); // inc dword fs:[0]: OUT, or 10h behind it
  if (paged) {
    a.emit(0x83, 0x35, d32(TABLE + (LDT >>> 10)), 2, 0x0f, 0x01, 0x3d, d32(LDT)); // xor dword [PTE],2; invlpg
  }
  for (const selector of [0, 0, LDT >>> 4, LDT >>> 4, 0]) a.emit(0x68, d32(selector));
  a.emit(0x68, d32(0x4f00), 0x68, d32(0x20002), 0x68, d32(BASE >>> 4), 0x68, abs16('inside'), 0, 0, 0xcf);
  a.label('inside');
  // 16-bit: the table's bytes into a sum in the same page, a REP move over the unused entries, and the base's low byte.
  a.emit(0xbe, d16(8), 0xb9, d16(4), 0xfc, 0x31, 0xd2);
  a.label('sum');
  a.emit(0xad, 0x01, 0xc2, 0xe2, 0xfb, 0x01, 0x16, d16(0x40)); // lodsw; add dx,ax; loop; add [40h],dx
  a.emit(0xbe, d16(8), 0xbf, d16(0x18), 0xb9, d16(4), 0xf3, 0xa5, 0x80, 0x36, d16(10), 0x10, 0xcd, 0x80);
  // The program wrote to a read-only page: for it now, and back to it. DS is null here, SS flat.
  a.label('vector14');
  a.emit(0x36, 0xff, 0x05, d32(OUT + 0x20), 0x36, 0x83, 0x35, d32(TABLE + (LDT >>> 10)), 2);
  a.emit(0x36, 0x0f, 0x01, 0x3d, d32(LDT), 0x83, 0xc4, 4, 0xcf);
  a.label('vector13');
  for (const register of [0, 3]) a.emit(load(register, DATA));
  a.emit(0xbc, d32(STACK), 0x4b, 0x0f, 0x85, rel32('round'));
  a.emit(0xa1, d32(LDT + 0x40), 0xa3, d32(OUT + 4), 0xb0, 0, 0xe6, 0xf4, 0xf4);
  a.label('gdt');
  for (const [low, high] of [
    [0, 0],
    [0xffff, 0xcf9b00],
    [0xffff, 0xcf9300],
    [(LDT << 16) | 0x3f, 0x008200],
    [(TSS << 16) | 0x67, 0x008900],
  ]) {
    a.emit(d32(low), d32(high));
  }
  a.label('gdtr');
  a.emit(d16(39), abs32('gdt'));
  a.label('idtr');
  a.emit(d16(0x7ff), d32(IDT));
  return Uint8Array.from(a.finish());
}

function run(paged: boolean, monitor: MachineConfigInput['monitor'], slice = 1_000_000) {
  const config = parseMachineConfig({
    memory: '2M',
    serial: 'none',
    loader: { name: 'flat', address: BASE },
    monitor,
  });
  const machine = createMachine({
    config,
    registry: createRegistry([]),
    kernel: { bytes: program(paged), name: 'v8086' },
  });
  for (let slices = 1; machine.retired < 100_000 && machine.runSlice(slice) !== 'ended'; slices++) {
    if (slices % 25 === 0) machine.stateHash();
  }
  const { space } = machine.view.processor;
  return {
    end: {
      outcome: machine.end?.outcome,
      retired: machine.retired,
      words: [0, 4, 16, 32].map((at) => space.read(OUT + at, 4)),
      state: machine.stateHash(),
    },
    report: machine.monitorReport(),
  };
}

/** The four words of the entry, added up: as the first round leaves it to the second. */
const SUM = 0xffff + OUT + 0x9300;

describe.each([
  ['without paging', false],
  ['with a page that is read-only at times', true],
] as const)('an 8086 program at its kernel’s LDT, %s', (_name, paged) => {
  const bare = run(paged, 'none').end;

  it('on the bare processor', () => {
    expect(bare.outcome).toBe('debug-exit');
    expect(bare.words.slice(0, 3)).toEqual([ROUNDS / 2, (ROUNDS * SUM + (ROUNDS / 2) * 0x10) & 0xffff, ROUNDS / 2]);
    expect(bare.words[3] > 0).toBe(paged);
  });

  it.each(['step-through', 'data-swap', 'full-emulation'])('under %s', (policy) => {
    const { end, report } = run(paged, { policy });
    expect(end).toEqual(bare);
    expect(report!.userEmulations['state-v8086'] ?? 0).toBe(0);
    expect(report!.exits.byReason['structure-write']).toBeGreaterThan(ROUNDS);
    if (policy === 'data-swap') expect(report!.swaps).toBeGreaterThan(ROUNDS * 4);
    expect(report!.steps > 0).toBe(policy !== 'full-emulation');
  });

  it('held and looked at every few instructions', () => {
    expect(run(paged, { policy: 'data-swap', shadowCache: 'rebuild' }, 3).end).toEqual(bare);
  });
});
