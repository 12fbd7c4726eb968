/**
 * Guests in a state that the hardware cannot hold for long: the monitor lets its emulator run in stretches
 * (emulation.ts). Interrupts fall due in them, devices move deadlines, STI and HLT stand at their ends; the counts and the
 * final state must be those of the bare run, however the run is sliced.
 */
import { createMachine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig, type MachineConfigInput, type MonitorReport } from '@ringfence/sdk';
import { beforeAll, describe, expect, it } from 'vitest';
import { Assembler, abs32, d16, d32, rel32 } from './assembler.mjs';

const BASE = 0x10000;
const IDT = 0x7000;
const COUNT = 0x8000;
const SUM = 0x8004;
const [CODE, DATA, CONFORMING] = [8, 0x10, 0x18];
const GDT = [
  [0, 0],
  [0xffff, 0xcf9b00],
  [0xffff, 0xcf9300],
  [0xffff, 0xcf9f00],
];
const TICKS = 40;

const out = (port: number, value: number) => [0xb0, value, 0xe6, port];

/** Counts timer interrupts in conforming code, which no deprivileged ring can hold, half of the time asleep. */
function program(): Uint8Array {
  const a = new Assembler(BASE);
  a.emit(0x0f, 0x01, 0x15, abs32('gdtr'), 0x0f, 0x01, 0x1d, abs32('idtr'));
  for (const register of [0, 2, 3]) a.emit(0xb8, d32(DATA), 0x8e, 0xc0 | (register << 3));
  a.emit(0xbc, d32(0x5000));
  // Gate 20h: an interrupt gate to CONFORMING:timer, word by word.
  a.emit(0xb8, abs32('timer'), 0x66, 0xa3, d32(IDT + 0x100), 0xc1, 0xe8, 16, 0x66, 0xa3, d32(IDT + 0x106));
  a.emit(0x66, 0xc7, 0x05, d32(IDT + 0x102), d16(CONFORMING), 0x66, 0xc7, 0x05, d32(IDT + 0x104), d16(0x8e00));
  a.emit(out(0x20, 0x11), out(0x21, 0x20), out(0x21, 4), out(0x21, 1), out(0x21, 0xfe));
  a.emit(0xea, abs32('conforming'), d16(CONFORMING));
  a.label('conforming');
  // Counter 0, mode 0: each interrupt arms the next, 10h to 4Fh ticks of 1.19 MHz away.
  a.emit(0xe8, rel32('arm'));
  a.label('loop');
  a.emit(0xfb); // sti
  a.emit(0xb9, d32(3000));
  a.label('busy');
  a.emit(0x01, 0x0d, d32(SUM), 0xd1, 0x05, d32(SUM), 0xe2, 0xf2); // add [SUM],ecx; rol [SUM],1; loop busy
  a.emit(0xfa); // cli
  a.emit(0xf6, 0x05, d32(COUNT), 1, 0x74, 2, 0xfb, 0xf4); // odd: sti; hlt
  a.emit(0xfa, 0x83, 0x3d, d32(COUNT), TICKS, 0x0f, 0x82, rel32('loop'));
  a.emit(0xea, abs32('plain'), d16(CODE));
  a.label('plain');
  a.emit(out(0xf4, 0), 0xf4);
  a.label('timer');
  a.emit(0x50, 0xff, 0x05, d32(COUNT), 0xe8, rel32('arm'), out(0x20, 0x20), 0x58, 0xcf);
  a.label('arm');
  a.emit(out(0x43, 0x30), 0xa0, d32(COUNT), 0x24, 0x3f, 0x04, 0x10, 0xe6, 0x40, 0xb0, 0, 0xe6, 0x40, 0xc3);
  a.label('gdt');
  for (const [low, high] of GDT) a.emit(d32(low), d32(high));
  a.label('gdtr');
  a.emit(d16(GDT.length * 8 - 1), abs32('gdt'));
  a.label('idtr');
  a.emit(d16(0x7ff), d32(IDT));
  return Uint8Array.from(a.finish());
}

function run(monitor: MachineConfigInput['monitor'], slice: number) {
  const config = parseMachineConfig({
    memory: '2M',
    serial: 'none',
    loader: { name: 'flat', address: BASE },
    monitor,
  });
  const machine = createMachine({
    config,
    registry: createRegistry([]),
    kernel: { bytes: program(), name: 'stretches' },
  });
  for (let slices = 0; slices < 1_000_000 && machine.runSlice(slice) !== 'ended'; slices++);
  const { space } = machine.view.processor;
  const end = {
    outcome: machine.end?.outcome,
    retired: machine.retired,
    ticks: machine.ticks,
    state: machine.stateHash(),
  };
  return { end, count: space.read(COUNT, 4), report: machine.monitorReport() };
}

describe('a guest in conforming code', () => {
  let bare: ReturnType<typeof run>;
  beforeAll(() => {
    bare = run('none', 1_000_000);
    expect(bare.end.outcome).toBe('debug-exit');
    expect(bare.count).toBeGreaterThanOrEqual(TICKS);
    expect(bare.end.ticks).toBeGreaterThan(bare.end.retired);
  });

  it.each([
    ['step-through', 1_000_000],
    ['data-swap', 997],
    ['full-emulation', 61],
  ] as const)('ends as on the bare processor: %s, slices of %d', (policy, slice) => {
    const { end, count, report } = run({ policy }, slice);
    expect(end).toEqual(bare.end);
    expect(count).toBe(bare.count);
    // All but the few instructions at both ends were the emulator's.
    const emulated = (report as MonitorReport).userEmulations['state-segments'];
    expect(emulated).toBeGreaterThan(bare.end.retired - 100);
  });
});
