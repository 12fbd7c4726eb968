/**
 * Thread-local storage as glibc has it: a segment of 4 GiB whose data stand at negative offsets, just below its base. User code reaches
 * them without an exit, its kernel with one each; and neither reaches the monitor's stack page, which lies in the same segment
 * (ADR 0023). The programs run as those of found-by-fuzzing.spec.ts do.
 */
import { createMachine, type Machine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig, type Assist } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { Assembler, abs32, d16, d32, rel32 } from './assembler.mjs';

const BASE = 0x10000;
const [TLS_AT, OUT, IDT, TSS, STACK, USER_STACK] = [0x9000, 0x8000, 0x7000, 0x6000, 0x5000, 0x4000];
const [CODE, DATA, USER_CODE, USER_DATA, MAIN, TLS] = [8, 0x10, 0x1b, 0x23, 0x28, 0x33];
const GDT = [
  [0, 0],
  [0xffff, 0xcf9b00],
  [0xffff, 0xcf9300],
  [0xffff, 0xcffb00],
  [0xffff, 0xcff300],
  [(TSS << 16) | 0x67, 0x008900],
  [(TLS_AT << 16) | 0xffff, 0xcff300],
];
const ROUNDS = 50;
const TOUCHES = 20;
/** Where the monitor's stack page stands, as an offset in the segment. */
const STACK_PAGE = 0xfffffff0 - TLS_AT;

const store = (at: number, value: number | ReturnType<typeof abs32>) => [
  ...[0xc7, 0x05, d32(at)],
  typeof value === 'number' ? d32(value) : value,
];
const load = (register: number, selector: number) => [0xb8, d32(selector), 0x8e, 0xc0 | (register << 3)];
/** mov eax, gs:[offset]; mov gs:[offset], eax; inc dword gs:[offset] */
const read = (offset: number) => [0x65, 0xa1, d32(offset)];
const write = (offset: number) => [0x65, 0xa3, d32(offset)];
const increment = (offset: number) => [0x65, 0xff, 0x05, d32(offset)];

/** User code touches its variable TOUCHES times a round and calls the kernel, which touches it once, until it has done so ROUNDS times. */
function program(): Uint8Array {
  const a = new Assembler(BASE);
  a.emit(0x0f, 0x01, 0x15, abs32('gdtr'), 0x0f, 0x01, 0x1d, abs32('idtr'));
  a.emit(0xea, abs32('begin'), d16(CODE));
  a.label('begin');
  // What ring 3 is to keep over IRET.
  a.emit(load(0, USER_DATA), load(3, USER_DATA), load(5, TLS), load(2, DATA), 0xbc, d32(STACK));
  a.emit(store(TSS + 4, STACK), store(TSS + 8, DATA), 0xb8, d32(MAIN), 0x0f, 0x00, 0xd8); // ltr ax
  // INT 80h: a gate of DPL 3.
  a.emit(0xb8, abs32('kernel'), 0x66, 0xa3, d32(IDT + 0x400), 0xc1, 0xe8, 0x10, 0x66, 0xa3, d32(IDT + 0x406));
  a.emit(0x66, 0xc7, 0x05, d32(IDT + 0x402), d16(CODE), 0x66, 0xc7, 0x05, d32(IDT + 0x404), d16(0xee00));
  a.emit(
    0x68,
    d32(USER_DATA),
    0x68,
    d32(USER_STACK),
    0x68,
    d32(0x202),
    0x68,
    d32(USER_CODE),
    0x68,
    abs32('user'),
    0xcf,
  );
  a.label('user');
  a.emit(0xb9, d32(TOUCHES)); // mov ecx, TOUCHES
  a.label('again');
  a.emit(increment(0xfffffffc), 0x49, 0x0f, 0x85, rel32('again')); // dec ecx; jnz
  // The top of linear space: nothing is there, for ring 3 or for ring 0.
  a.emit(0xb8, d32(0x12345678), write(STACK_PAGE), read(STACK_PAGE), 0xcd, 0x80, 0xe9, rel32('user'));
  a.label('kernel');
  a.emit(0xa3, d32(OUT), increment(0xfffffff8), read(STACK_PAGE), 0xa3, d32(OUT + 4));
  a.emit(
    0xb8,
    d32(0x12345678),
    write(STACK_PAGE),
    read(0xfffffff8),
    0x3d,
    d32(ROUNDS),
    0x0f,
    0x84,
    rel32('done'),
    0xcf,
  );
  a.label('done');
  a.emit(0xb0, 0, 0xe6, 0xf4);
  a.label('gdt');
  for (const [low, high] of GDT) a.emit(d32(low), d32(high));
  a.label('gdtr');
  a.emit(d16(GDT.length * 8 - 1), abs32('gdt'));
  a.label('idtr');
  a.emit(d16(0x7ff), d32(IDT));
  return Uint8Array.from(a.finish());
}

function run(monitor?: { readonly policy: string; readonly assist: Assist }): Machine {
  const config = parseMachineConfig({
    memory: '2M',
    serial: 'none',
    loader: { name: 'flat', address: BASE },
    cpu: { assist: monitor?.assist },
    monitor: monitor === undefined ? 'none' : { policy: monitor.policy },
  });
  const machine = createMachine({ config, registry: createRegistry([]), kernel: { bytes: program(), name: 'tls' } });
  machine.runSlice(100_000);
  return machine;
}

describe('negative offsets from GS', () => {
  const bare = run();
  const word = (machine: Machine, at: number): number => machine.view.processor.space.read(at, 4) >>> 0;

  it('reach the variables bare, and nothing at the top', () => {
    expect(bare.end?.outcome).toBe('debug-exit');
    expect([word(bare, TLS_AT - 4), word(bare, TLS_AT - 8)]).toEqual([ROUNDS * TOUCHES, ROUNDS]);
    expect([word(bare, OUT), word(bare, OUT + 4)]).toEqual([0xffffffff, 0xffffffff]);
  });

  it.each([
    ['step-through', 'trap'],
    ['data-swap', 'vif'],
    ['full-emulation', 'trap'],
    ['full-emulation', 'vif'],
  ] as const)('under %s with %s: the same, and no exit for the ordinary use', (policy, assist) => {
    const machine = run({ policy, assist });
    expect(machine.retired).toBe(bare.retired);
    expect(machine.stateHash()).toBe(bare.stateHash());
    const { exits, userEmulations } = machine.monitorReport()!;
    // Six a round are meant to be: those to the top of linear space, and the kernel's own. ROUNDS * TOUCHES are not.
    const emulated = Object.values(userEmulations).reduce((sum, count) => sum + count, 0);
    expect(emulated).toBeLessThanOrEqual(ROUNDS * 6 + 50);
    expect(exits.byReason['segment-limit']).toBeLessThanOrEqual(assist === 'vif' ? ROUNDS : 1);
  });
});
