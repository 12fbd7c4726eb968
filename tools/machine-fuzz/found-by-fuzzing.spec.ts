/**
 * What tools/machine-fuzz found, each as the few instructions it takes: programs in flat protected mode with a GDT of their own, bare
 * and under every policy. The same seeds may one day be other programs; these stay.
 */
import { createMachine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig, type MachineConfigInput } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { Assembler, abs32, d16, d32 } from './assembler.mjs';

const BASE = 0x10000;
const OUT = 0x8000;
const IDT = 0x7000;
const TSS = 0x6000;
const TSS_DF = 0x6100;
const STACK = 0x5000;
const [CODE, DATA, DATA_USER, STACK16, MAIN, DOUBLE, CONFORMING] = [8, 0x10, 0x20, 0x28, 0x30, 0x38, 0x40];
const GDT = [
  [0, 0],
  [0xffff, 0xcf9b00],
  [0xffff, 0xcf9300],
  [0xffff, 0xcffb00],
  [0xffff, 0xcff300],
  [0x0fff, 0x009300],
  [(TSS << 16) | 0x67, 0x008900],
  [(TSS_DF << 16) | 0x67, 0x008900],
  [0xffff, 0xcf9f00],
];

const end = [0xb0, 0, 0xe6, 0xf4];
/** mov dword [address], imm32 */
const store = (at: number, value: number | ReturnType<typeof abs32>) => [
  0xc7,
  0x05,
  d32(at),
  typeof value === 'number' ? d32(value) : value,
];
/** mov eax, selector; mov sreg, ax */
const load = (register: number, selector: number) => [0xb8, d32(selector), 0x8e, 0xc0 | (register << 3)];
const [ES, SS, DS, FS, GS] = [0, 2, 3, 4, 5];

interface Ended {
  readonly outcome: string | undefined;
  readonly retired: number;
  readonly state: string;
  readonly out: number;
}

function run(bytes: readonly number[], monitor: MachineConfigInput['monitor']): Ended {
  const config = parseMachineConfig({
    memory: '2M',
    serial: 'none',
    loader: { name: 'flat', address: BASE },
    monitor,
  });
  const kernel = { bytes: Uint8Array.from(bytes), name: 'program' };
  const machine = createMachine({ config, registry: createRegistry([]), kernel });
  machine.runSlice(10_000);
  const { space } = machine.view.processor;
  return {
    outcome: machine.end?.outcome,
    retired: machine.retired,
    state: machine.stateHash(),
    out: space.read(OUT, 4),
  };
}

function program(body: (a: Assembler) => void): number[] {
  const a = new Assembler(BASE);
  a.emit(0x0f, 0x01, 0x15, abs32('gdtr'), 0x0f, 0x01, 0x1d, abs32('idtr'));
  a.emit(0xea, abs32('begin'), d16(CODE));
  a.label('begin');
  for (const register of [ES, SS, DS, FS, GS]) a.emit(load(register, DATA));
  a.emit(0xbc, d32(STACK));
  body(a);
  a.label('gdt');
  for (const [low, high] of GDT) a.emit(d32(low), d32(high));
  a.label('gdtr');
  a.emit(d16(GDT.length * 8 - 1), abs32('gdt'));
  a.label('idtr');
  a.emit(d16(0x7ff), d32(IDT));
  return a.finish();
}

const found: readonly (readonly [name: string, body: (a: Assembler) => void, out: number, outcome?: string])[] = [
  [
    'IRET of the nub to a 16-bit stack leaves the upper half of ESP alone',
    (a) => {
      a.emit(0xbc, d32(0xe00), load(SS, STACK16), 0xfa); // mov esp; mov ss; cli, an exit
      a.emit(0x89, 0x25, d32(OUT), end); // mov [OUT],esp
    },
    0xe00,
  ],
  [
    'a data segment of ring 0 that SYSEXIT leaves to ring 3',
    (a) => {
      a.emit(0xb9, d32(0x174), 0xb8, d32(CODE), 0x31, 0xd2, 0x0f, 0x30); // wrmsr SYSENTER_CS
      a.emit(0x68, d32(0x3002), 0x9d, 0xba, abs32('user'), 0xb9, d32(STACK), 0x0f, 0x35); // IOPL 3; sysexit
      a.label('user');
      a.emit(store(OUT, 7), end);
    },
    7,
  ],
  [
    'null selector 3 loaded into a register that the hardware could not have',
    (a) => {
      a.emit(load(FS, STACK16));
      a.emit(0xc6, 0x05, abs32('gdt', STACK16 + 4), 1); // another base: FS cannot be loaded anew as it is
      a.emit(load(GS, DATA_USER)); // and now all are
      a.emit(0xb8, d32(3), 0x8e, 0xe0, 0x8c, 0xe3, 0x89, 0x1d, d32(OUT), end); // mov fs,ax; mov ebx,fs; mov [OUT],ebx
    },
    3,
  ],
  [
    "a device's call for a stop while data segments wait to be loaded",
    (a) => {
      a.emit(0xea, abs32('conforming'), d16(CONFORMING)); // runs on the emulator
      a.label('conforming');
      a.emit(load(ES, DATA_USER), 0xb0, 0, 0xe6, 0x92); // A20 off
      a.emit(0xea, abs32('back'), d16(CODE));
      a.label('back');
      a.emit(store(OUT, 5), end);
    },
    5,
  ],
  [
    'RF in the flags that a double fault saves is that of the guest',
    (a) => {
      a.emit(store(TSS + 28, 0), store(TSS_DF + 28, 0), store(TSS_DF + 32, abs32('double')), store(TSS_DF + 36, 2));
      a.emit(store(TSS_DF + 56, STACK - 0x800), store(TSS_DF + 76, CODE));
      for (const at of [72, 80, 84, 88, 92]) a.emit(store(TSS_DF + at, DATA));
      a.emit(store(IDT + 64, DOUBLE << 16), store(IDT + 68, 0x8500));
      a.emit(0xb8, d32(MAIN), 0x0f, 0x00, 0xd8, 0x0f, 0x0b); // ltr; ud2, whose handlers there are none
      a.label('double');
      a.emit(0xa1, d32(TSS + 36), 0xa3, d32(OUT), end); // eax = saved EFLAGS
    },
    0,
  ],
  [
    'INT1 with general detect set does what it does on a bare processor',
    (a) => {
      a.emit(store(IDT + 8, abs32('handler')), store(IDT + 12, 0x8e00));
      a.emit(0x66, 0xc7, 0x05, d32(IDT + 10), d16(CODE)); // the selector over the offset's upper half
      a.emit(0x66, 0xc7, 0x05, d32(IDT + 14), d16(BASE >>> 16));
      a.emit(0xb8, d32(0x2000), 0x0f, 0x23, 0xf8, 0xf1);
      a.label('handler');
      a.emit(store(OUT, 9), end);
    },
    9,
  ],
  [
    'an interrupt whose way to a handler is a triple fault is the end',
    (a) => {
      const out = (port: number, value: number) => [0xb0, value, 0xe6, port];
      a.emit(out(0x20, 0x11), out(0x21, 0x20), out(0x21, 4), out(0x21, 1), out(0x21, 0xfe));
      a.emit(out(0x43, 0x34), out(0x40, 4), out(0x40, 0), store(OUT, 3), 0xfb);
      a.emit(0x40, 0xeb, 0xfd); // inc eax, for ever
    },
    3,
    'triple-fault',
  ],
  [
    'a data breakpoint hit by the frame of a debug trap is a second trap, before its handler begins',
    (a) => {
      a.emit(store(IDT + 8, abs32('handler')), store(IDT + 12, 0x8e00));
      a.emit(0x66, 0xc7, 0x05, d32(IDT + 10), d16(CODE), 0x66, 0xc7, 0x05, d32(IDT + 14), d16(BASE >>> 16));
      a.emit(0xb8, d32(STACK - 8), 0x0f, 0x23, 0xc0, 0xb8, d32(0xd0002), 0x0f, 0x23, 0xf8); // DR0, DR7
      a.emit(store(OUT, 0), store(STACK - 8, 7), 0x90, end); // the frame's CS will lie there
      a.label('handler');
      a.emit(0x83, 0x05, d32(OUT), 8, 0xcf); // add dword [OUT], 8; iret
    },
    16,
  ],
  [
    'the shadow of MOV SS outlasts a fault that only the monitor sees',
    (a) => {
      a.emit(store(IDT + 0x100, abs32('timer')), store(IDT + 0x104, 0x8e00));
      a.emit(0x66, 0xc7, 0x05, d32(IDT + 0x102), d16(CODE), 0x66, 0xc7, 0x05, d32(IDT + 0x106), d16(BASE >>> 16));
      a.emit(store(0x9000, 0x87), 0xb8, d32(0x10), 0x0f, 0x22, 0xe0); // one page of 4 MiB; CR4.PSE
      a.emit(0xba, d32(0x9000), 0x0f, 0x22, 0xda, 0x0f, 0x20, 0xc0, 0x0d, d32(0x80000000), 0x0f, 0x22, 0xc0);
      const out = (port: number, value: number) => [0xb0, value, 0xe6, port];
      a.emit(out(0x20, 0x11), out(0x21, 0x20), out(0x21, 4), out(0x21, 1), out(0x21, 0xfe));
      a.emit(out(0x43, 0x34), out(0x40, 4), out(0x40, 0), store(OUT, 3));
      a.emit(store(TSS + 4, STACK), store(TSS + 8, DATA), 0xb8, d32(MAIN), 0x0f, 0x00, 0xd8); // ltr
      a.emit(0xbe, d32(0x100000), 0xbb, d32(DATA_USER | 3)); // esi, ebx
      a.emit(0x6a, DATA_USER | 3, 0x68, d32(0x4000), 0x68, d32(0x202), 0x6a, 0x1b, 0x68, abs32('user'), 0xcf); // to ring 3
      a.label('user');
      a.emit(0x8e, 0xdb); // mov ds,bx
      a.label('again');
      a.emit(0x8e, 0xd3); // mov ss,bx
      a.label('shadowed');
      a.emit(0x8b, 0x06, 0x81, 0xc6, d32(0x1000), 0x81, 0xe6, d32(0x1ff000)); // mov eax,[esi]; the next page
      a.emit(0xe9, { label: 'again', plus: 0, size: 4, relative: true });
      a.label('timer');
      a.emit(0x81, 0x3c, 0x24, abs32('shadowed'), 0x75, 10, store(OUT, 5)); // cmp [esp]; jne
      a.emit(0x0f, 0x22, 0xda, out(0x20, 0x20), 0xcf); // mov cr3,edx
    },
    3,
    'none',
  ],
];

const cases = found.map(([name, body, out, outcome = 'debug-exit']) => [name, body, out, outcome] as const);
describe.each(cases)('%s', (_name, body, out, outcome) => {
  const bytes = program(body);
  const bare = run(bytes, 'none');

  it('bare', () => {
    expect(bare.outcome ?? 'none').toBe(outcome);
    expect(bare.out & ~0x46).toBe(out & ~0x46);
  });

  it.each(['step-through', 'data-swap', 'full-emulation'])('under %s', (policy) => {
    expect(run(bytes, { policy, shadowCache: 'rebuild' })).toEqual(bare);
  });
});

describe('a guest that faults for ever and retires nothing', () => {
  /** #UD's handler is UD2 itself, on a stack of 16 bits that wraps. */
  const bytes = program((a) => {
    for (let at = IDT; at < IDT + 0x80; at += 8) {
      a.emit(store(at, abs32('handler')), store(at + 4, 0x8e00));
      a.emit(0x66, 0xc7, 0x05, d32(at + 2), d16(CODE), 0x66, 0xc7, 0x05, d32(at + 6), d16(BASE >>> 16));
    }
    a.emit(0xc7, 0x05, abs32('gdt', STACK16), d32(0x2000ffff)); // 64 KiB at 12000h
    a.emit(0xc7, 0x05, abs32('gdt', STACK16 + 4), d32(0x9301));
    a.emit(load(SS, STACK16), 0xbc, d32(0x100));
    a.label('handler');
    a.emit(0x0f, 0x0b);
  });

  it.each(['none', 'step-through', 'full-emulation'])('comes back from its slice under %s', (policy) => {
    const ended = run(bytes, policy === 'none' ? 'none' : { policy });
    expect([ended.outcome, ended.retired]).toEqual([undefined, run(bytes, 'none').retired]);
  });
});
