/**
 * NMI in protected mode, bare and monitored, at exact counts: a handler that leaves its ring without IRET, so that NMIs stay
 * blocked in ring 3, whose own IRET, which no monitor sees, lets the next one in (SDM Vol. 3A, 6.7.1 "Handling Multiple NMIs"). And a guest
 * asleep for good but for an NMI.
 */
import { createMachine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig, type MachineConfigInput } from '@ringfence/sdk';
import { beforeAll, describe, expect, it } from 'vitest';
import { Assembler, abs32, d16, d32, rel32 } from './assembler.mjs';

const BASE = 0x10000;
const IDT = 0x7000;
const TSS = 0x6000;
const STACK = 0x5000;
const STACK0 = 0x4000;
const STACK3 = 0x3000;
const [INSIDE, ROUNDS, NESTED, PLACE, SPIN, SAVED] = [0x8000, 0x8004, 0x8008, 0x800c, 0x8010, 0x8014];
const [CODE, DATA, CODE3, DATA3, TASK] = [8, 0x10, 0x1b, 0x23, 0x28];
const GDT = [
  [0, 0],
  [0xffff, 0xcf9b00],
  [0xffff, 0xcf9300],
  [0xffff, 0xcffb00],
  [0xffff, 0xcff300],
  [(TSS << 16) | 0x67, 0x008900],
];
const WANTED = 12;
const EVERY = 501;
/** The second press of a pair comes while the first one's handler keeps NMIs blocked. */
const AGAIN = 40;

const increment = (at: number) => [0xff, 0x05, d32(at)];
const store = (at: number, value: number) => [0xc7, 0x05, d32(at), d32(value)];
const end = [0xb0, 0, 0xe6, 0xf4];
const gate = (vector: number, label: string, access: number) => [
  ...[0xb8, abs32(label), 0x66, 0xa3, d32(IDT + vector * 8), 0xc1, 0xe8, 16, 0x66, 0xa3, d32(IDT + vector * 8 + 6)],
  ...[0x66, 0xc7, 0x05, d32(IDT + vector * 8 + 2), d16(CODE), 0x66, 0xc7, 0x05, d32(IDT + vector * 8 + 4), d16(access)],
];

function program(body: (a: Assembler) => void): { bytes: Uint8Array; address: (label: string) => number } {
  const a = new Assembler(BASE);
  a.emit(0x0f, 0x01, 0x15, abs32('gdtr'), 0x0f, 0x01, 0x1d, abs32('idtr'), 0xea, abs32('begin'), d16(CODE));
  a.label('begin');
  a.emit(0xb8, d32(DATA3), 0x8e, 0xd8, 0x8e, 0xc0, 0xb8, d32(DATA), 0x8e, 0xd0, 0xbc, d32(STACK)); // ds, es; ss:esp
  a.emit(store(TSS + 4, STACK0), store(TSS + 8, DATA), 0xb8, d32(TASK), 0x0f, 0x00, 0xd8); // ltr
  body(a);
  a.label('gdt');
  for (const [low, high] of GDT) a.emit(d32(low), d32(high));
  a.label('gdtr');
  a.emit(d16(GDT.length * 8 - 1), abs32('gdt'));
  a.label('idtr');
  a.emit(d16(0x7ff), d32(IDT));
  return { bytes: Uint8Array.from(a.finish()), address: (label) => a.address(label) };
}

const ringChanger = program((a) => {
  a.emit(gate(2, 'nmi', 0x8e00), gate(0x30, 'back', 0xee00));
  a.label('loop');
  a.emit(increment(SPIN), 0x83, 0x3d, d32(ROUNDS), WANTED, 0x0f, 0x82, rel32('loop'), end);

  a.label('nmi');
  a.emit(0x83, 0x3d, d32(INSIDE), 0, 0x0f, 0x85, rel32('nested'));
  a.emit(store(INSIDE, 1), 0x89, 0x25, d32(SAVED)); // mov [SAVED],esp
  a.emit(0x68, d32(DATA3), 0x68, d32(STACK3), 0x68, d32(CODE3), 0x68, abs32('user'), 0xcb); // retf
  a.label('user');
  a.emit(0xb9, d32(60));
  a.label('wait');
  a.emit(increment(SPIN), 0xe2, 0xf8); // loop wait
  a.emit(0x9c, 0x0e, 0x68, abs32('after'), 0xcf); // pushf; push cs; push after; iret, ring 3 to ring 3
  a.label('after');
  a.emit(0xcd, 0x30);
  a.label('nested');
  a.emit(increment(NESTED), 0x8b, 0x04, 0x24, 0xa3, d32(PLACE), 0xcf); // mov eax,[esp]; mov [PLACE],eax; iret
  a.label('back');
  a.emit(store(INSIDE, 0), increment(ROUNDS), 0x8b, 0x25, d32(SAVED), 0xcf); // mov esp,[SAVED]; iret
});

/** Routes the PIT as NMI (I/O APIC, input 2) and sleeps with interrupts off. */
const sleeper = program((a) => {
  a.emit(gate(2, 'nmi', 0x8e00));
  a.emit(store(0xfec00000, 0x14), store(0xfec00010, 0x400));
  a.label('sleep');
  a.emit(0xfa, 0xf4, increment(SPIN), 0x83, 0x3d, d32(ROUNDS), WANTED, 0x0f, 0x82, rel32('sleep'));
  a.emit(store(0xfec00010, 0x10000), 0xf4); // masked: now it is for good
  a.label('nmi');
  a.emit(increment(ROUNDS), 0xcf);
});

function run(bytes: Uint8Array, monitor: MachineConfigInput['monitor'], every: number, slice = 1_000_000) {
  const config = parseMachineConfig({
    memory: '2M',
    serial: 'none',
    loader: { name: 'flat', address: BASE },
    monitor,
  });
  const machine = createMachine({ config, registry: createRegistry([]), kernel: { bytes, name: 'nmi' } });
  let pressAt = every;
  while (machine.retired < 100_000) {
    if (machine.runSlice(Math.min(slice, pressAt - machine.retired)) === 'ended') break;
    if (machine.retired < pressAt) continue;
    machine.nmi();
    pressAt += pressAt % every === 0 ? AGAIN : every - AGAIN;
  }
  const { space } = machine.view.processor;
  return {
    end: {
      outcome: machine.end?.outcome,
      retired: machine.retired,
      ticks: machine.ticks,
      state: machine.stateHash(),
      words: [ROUNDS, NESTED, PLACE, SPIN].map((at) => space.read(at, 4)),
    },
    report: machine.monitorReport(),
  };
}

const POLICIES = ['step-through', 'data-swap', 'full-emulation'];

describe('NMIs blocked into ring 3', () => {
  let bare: ReturnType<typeof run>;
  beforeAll(() => {
    bare = run(ringChanger.bytes, 'none', EVERY);
  });

  it('come with the IRET there, on the bare processor', () => {
    expect(bare.end.outcome).toBe('debug-exit');
    expect(bare.end.words.slice(0, 3)).toEqual([WANTED, WANTED, ringChanger.address('after')]);
  });

  it.each(POLICIES)('and under %s', (policy) => {
    const { end, report } = run(ringChanger.bytes, { policy }, EVERY);
    expect(end).toEqual(bare.end);
    expect(report!.userEmulations['state-nmi-blocked']).toBeGreaterThan(WANTED * 60);
  });

  it('however the run is sliced', () => {
    expect(run(ringChanger.bytes, { policy: 'step-through', shadowCache: 'rebuild' }, EVERY, 7).end).toEqual(bare.end);
  });
});

describe('an NMI wakes HLT with interrupts off', () => {
  let bare: ReturnType<typeof run>;
  beforeAll(() => {
    bare = run(sleeper.bytes, 'none', Infinity);
  });

  it('as long as one may come, on the bare processor', () => {
    expect(bare.end.outcome).toBe('halted');
    expect(bare.end.words[0]).toBe(WANTED);
    expect(bare.end.ticks).toBeGreaterThan(bare.end.retired + 1_000_000);
  });

  it.each(POLICIES)('and under %s', (policy) => {
    expect(run(sleeper.bytes, { policy }, Infinity).end).toEqual(bare.end);
  });
});
