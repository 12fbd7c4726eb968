/**
 * Guests in real mode, each a few 16-bit instructions: under a monitor they run on the hardware in virtual-8086 mode and must end as on
 * the bare processor, in count, state and result, under every policy and however the run is sliced. And the report says who
 * executed them: what the hardware can hold ran there, "unreal" mode and code that traps all the time did not.
 */
import { createMachine } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { parseMachineConfig, type MachineConfigInput, type MonitorReport } from '@ringfence/sdk';
import { beforeAll, describe, expect, it } from 'vitest';
import { Assembler, abs16, abs32, d16, d32, rel16 } from './assembler.mjs';

const BASE = 0x10000;
const SEGMENT = BASE >>> 4;
const OUT = 0x8000;
const [E, NE] = [4, 5];

const end = [0xb0, 0, 0xe6, 0xf4, 0xf4];
const out = (port: number, value: number) => [0xb0, value, 0xe6, port];
const branch = (condition: number, label: string) => [0x0f, 0x80 | condition, rel16(label)];
/** mov word [address], value, in the segment at 0 */
const store = (at: number, value: number | ReturnType<typeof abs16>) => [
  0xc7,
  0x06,
  d16(at),
  typeof value === 'number' ? d16(value) : value,
];
const vector = (n: number, label: string) => [store(n * 4, abs16(label)), store(n * 4 + 2, SEGMENT)];
/** mov ax, value; mov sreg, ax */
const load = (register: number, value: number) => [0xb8, d16(value), 0x8e, 0xc0 | (register << 3)];
const [ES, SS, DS, FS] = [0, 2, 3, 4];
/** xchg the mode: mov eax, cr0; xor al, 1; mov cr0, eax */
const switchMode = [0x0f, 0x20, 0xc0, 0x34, 1, 0x0f, 0x22, 0xc0];
/** mov si, times; dec si; jnz: so that few instructions of those that retire trap */
const spend = (times: number) => [0xbe, d16(times), 0x4e, 0x75, 0xfd];
/** PIC with its vectors at 20h, IRQ 0 let through; counter 0 as a rate generator. */
const timer = (divisor: number) => [
  out(0x20, 0x11),
  out(0x21, 0x20),
  out(0x21, 4),
  out(0x21, 1),
  out(0x21, 0xfe),
  out(0x43, 0x34),
  out(0x40, divisor & 255),
  out(0x40, divisor >>> 8),
];

interface Program {
  readonly name: string;
  /** 16-bit code in SEGMENT, all data segments and the stack in segment 0. */
  readonly body: (a: Assembler) => void;
  /** The word it leaves at OUT. */
  readonly result: number;
  /** Somebody presses the NMI button after each so many instructions, twice in quick succession. */
  readonly nmiEvery?: number;
  /** What the report must say, policy by policy. */
  readonly check?: (report: MonitorReport, retired: number, policy: string) => void;
}

const emulated = (report: MonitorReport, why: string) => report.userEmulations[why] ?? 0;
const allEmulated = (report: MonitorReport) => Object.values(report.userEmulations).reduce((a, b) => a + b, 0);
const exits = (report: MonitorReport, reason: string) => report.exits.byReason[reason] ?? 0;

const programs: readonly Program[] = [
  {
    name: 'computation, far calls and segment loads: on the hardware',
    body: (a) => {
      a.emit(0xb9, d16(4000));
      a.label('loop');
      a.emit(0x01, 0x0e, d16(OUT), 0x9a, abs16('far'), d16(SEGMENT), 0x26, 0x33, 0x06, d16(OUT), 0x49);
      a.emit(branch(NE, 'loop'));
      a.emit(store(OUT, 7), end);
      a.label('far');
      a.emit(0x1e, load(DS, 0x0700), 0x8c, 0xdb, 0x31, 0x1e, d16(0), 0x1f, 0xcb); // push ds; ...; xor [0],bx; pop ds; retf
    },
    result: 7,
    check: (report, retired) => {
      expect(retired).toBeGreaterThan(40_000);
      expect(allEmulated(report)).toBe(0);
      expect(report.exits.total).toBeLessThan(20);
    },
  },
  {
    name: 'timer interrupts at exact counts, each mixed with what it interrupted',
    body: (a) => {
      a.emit(vector(0x20, 'tick'), timer(20), 0xfb);
      a.label('loop');
      a.emit(0x41, 0x01, 0xce, 0xd1, 0xc6, 0x83, 0x3e, d16(0x8010), 60, 0x72, {
        label: 'loop',
        plus: 0,
        size: 1,
        relative: true,
      });
      a.emit(0xfa, store(OUT, 1), end);
      a.label('tick');
      a.emit(0x50, 0x01, 0x36, d16(0x8012), 0x01, 0x0e, d16(0x8014), 0xff, 0x06, d16(0x8010), out(0x20, 0x20));
      a.emit(0x58, 0xcf);
    },
    result: 1,
    check: (report, retired) => {
      expect(exits(report, 'interrupt')).toBeGreaterThan(40);
      expect(emulated(report, 'state-trap-dense')).toBeLessThan(retired / 2);
    },
  },
  {
    name: 'NMIs: one waits while another is served, until IRET',
    body: (a) => {
      a.emit(vector(2, 'nmi'), vector(0x40, 'service'), vector(0x20, 'tick'), timer(20));
      a.emit(store(OUT, 0), store(0x8010, 0), 0xb9, d16(30), 0xfb);
      a.label('loop');
      a.emit(spend(300), 0xcd, 0x40, 0x49, branch(NE, 'loop'), 0xfa, end);
      a.label('nmi');
      a.emit(0xff, 0x06, d16(0x8010), 0x83, 0x3e, d16(0x8010), 1, branch(E, 'alone'), store(OUT, 0xbad));
      a.label('alone');
      a.emit(0x56, spend(100), 0x5e, 0x01, 0x36, d16(0x8014), 0xff, 0x0e, d16(0x8010), 0xcf);
      a.label('service');
      a.emit(0x01, 0x0e, d16(0x8016), 0xcf);
      a.label('tick');
      a.emit(0x50, 0x01, 0x36, d16(0x8018), out(0x20, 0x20), 0x58, 0xcf);
    },
    result: 0,
    nmiEvery: 701,
    check: (report) => {
      expect(exits(report, 'interrupt')).toBeGreaterThan(30);
      expect(emulated(report, 'state-nmi-blocked')).toBe(0);
    },
  },
  {
    name: 'single steps of its own: a trap behind each instruction, none behind MOV SS',
    body: (a) => {
      a.emit(vector(1, 'step'), store(OUT, 0));
      a.emit(0x9c, 0x58, 0x80, 0xcc, 1, 0x50, 0x9d); // pushf; pop ax; or ah,1; push ax; popf
      a.emit(0x43, 0x43, 0x8c, 0xd0, 0x8e, 0xd0, 0x43, 0xb9, d16(3), 0xbe, d16(0x100), 0xbf, d16(0x9000), 0xf3, 0xa4);
      a.emit(0x9c, 0x58, 0x80, 0xe4, 0xfe, 0x50, 0x9d, end);
      a.label('step');
      a.emit(0x83, 0x06, d16(OUT), 1, 0x0f, 0x21, 0xf0, 0x01, 0x06, d16(OUT + 4), 0xcf);
    },
    // inc, inc, mov, mov ss + inc, three moves, three iterations, five of the six that end it
    result: 1 + 1 + 1 + 1 + 3 + 3 + 6,
  },
  {
    name: 'breakpoints on code and on data',
    body: (a) => {
      a.emit(vector(1, 'hit'), store(OUT, 0));
      a.emit(0x66, 0xb8, abs16('here'), d16(SEGMENT >>> 12), 0x0f, 0x23, 0xc0); // dr0
      a.emit(0x66, 0xb8, d32(0x9000), 0x0f, 0x23, 0xc8, 0x66, 0xb8, d32(0xd0000a), 0x0f, 0x23, 0xf8); // dr1: word written; dr7
      a.emit(0x43, 0x89, 0x1e, d16(0x9001), 0x8b, 0x1e, d16(0x9000));
      a.label('here');
      a.emit(0x43, end);
      a.label('hit');
      a.emit(0x0f, 0x21, 0xf0, 0x83, 0xe0, 15, 0x01, 0x06, d16(OUT), 0x66, 0x31, 0xc0, 0x0f, 0x23, 0xf0, 0xa8, 0);
      a.emit(0x66, 0xb8, d32(0xd00008), 0x0f, 0x23, 0xf8, 0xcf); // an IRET of 16 bits sets no RF: dr0 off
    },
    result: 2 + 0,
  },
  {
    name: 'strings over video memory and RAM, interrupts among them',
    body: (a) => {
      a.emit(vector(0x20, 'tick'), timer(10), load(ES, 0xb800), 0xfb, 0xb9, d16(6));
      a.label('again');
      a.emit(0x51, 0xb9, d16(400), 0x31, 0xff, 0xbe, d16(0x100), 0xfc, 0xf3, 0xa5, 0x59, 0x49, branch(NE, 'again'));
      a.emit(0xfa, 0x26, 0xa1, d16(0), 0x3b, 0x06, d16(0x100), branch(NE, 'bad'), store(OUT, 5));
      a.label('bad');
      a.emit(end);
      a.label('tick');
      a.emit(0x50, 0x01, 0x0e, d16(0x8010), out(0x20, 0x20), 0x58, 0xcf);
    },
    result: 5,
  },
  {
    name: 'SGDT, SIDT, SMSW and CPUID: its own tables and level',
    body: (a) => {
      // Each behind a NOP: in a row, one exit settles them all.
      a.emit(0x0f, 0x01, 0x16, d16(0x8100), 0x90, 0x0f, 0x01, 0x1e, d16(0x8110), 0x90); // lgdt, lidt
      a.emit(0x0f, 0x01, 0x06, d16(0x8020), 0x90, 0x0f, 0x01, 0x0e, d16(0x8028), 0x90); // sgdt, sidt
      a.emit(0x0f, 0x01, 0xe0, 0xa3, d16(0x8030)); // smsw ax
      a.emit(0x31, 0xc0, 0x0f, 0xa2, 0xa1, d16(0x8022), 0x03, 0x06, d16(0x802a), 0x03, 0x06, d16(0x8030));
      a.emit(0xa3, d16(OUT), end);
    },
    // Bases of zeros in memory, and no PE in the machine status word: ET alone.
    result: 0x10,
    check: (report) => {
      for (const name of ['sgdt', 'sidt', 'smsw', 'cpuid']) expect(exits(report, `instruction-${name}`), name).toBe(1);
    },
  },
  {
    name: 'faults go through its vector table, without error codes',
    body: (a) => {
      a.emit(vector(0, 'fault'), vector(6, 'fault'), vector(13, 'fault'), vector(12, 'stack'), store(OUT, 0));
      a.emit(0x31, 0xdb, 0xf7, 0xf3, 0x90, 0x90); // div bx
      a.emit(0x0f, 0x0b, 0x90, 0x90); // ud2
      a.emit(0xbb, d16(0xffff), 0x8b, 0x07, 0x90, 0x90); // mov ax,[bx]
      a.emit(0x0f, 0x00, 0xc8, 0x90); // str ax: no such thing here
      a.emit(0x89, 0xe5, 0xbd, d16(0xffff), 0x8b, 0x46, 0, 0x90, 0x90, end); // mov ax,[bp]
      a.label('stack');
      a.emit(0x83, 0x06, d16(OUT), 0x40);
      a.label('fault');
      // The instructions have 2 bytes, or 3 and a NOP.
      a.emit(0xff, 0x06, d16(OUT), 0x55, 0x89, 0xe5, 0x83, 0x46, 2, 3, 0x5d, 0xcf);
    },
    result: 5 + 0x40,
  },
  {
    name: 'no alignment check, whatever AC and CR0.AM say',
    body: (a) => {
      a.emit(vector(17, 'check'), store(OUT, 3), 0x0f, 0x20, 0xc0, 0x66, 0x0d, d32(0x40000), 0x0f, 0x22, 0xc0); // AM
      a.emit(0x66, 0x9c, 0x66, 0x58, 0x66, 0x0d, d32(0x40000), 0x66, 0x50, 0x66, 0x9d, 0xb9, d16(200)); // AC
      a.label('loop');
      a.emit(0x66, 0xff, 0x06, d16(0x9001), 0xe2, 0xf9, end);
      a.label('check');
      a.emit(store(OUT, 4), end);
    },
    result: 3,
    check: (report) => expect(exits(report, 'alignment-check')).toBe(0),
  },
  {
    name: 'the A20 gate',
    body: (a) => {
      a.emit(load(ES, 0xffff), store(0x500, 0x1111), out(0x92, 2), 0x26, store(0x510, 0x2222)); // open: above 1 MiB
      a.emit(0x8b, 0x1e, d16(0x500), out(0x92, 0), 0x26, 0x03, 0x1e, d16(0x510), 0x26, 0xff, 0x06, d16(0x510)); // shut: 500h
      a.emit(out(0x92, 2), 0x03, 0x1e, d16(0x500), 0x89, 0x1e, d16(OUT), end);
    },
    result: 0x1111 + 0x1111 + 0x1112,
  },
  {
    name: 'code that changes itself',
    body: (a) => {
      a.emit(load(ES, SEGMENT), store(OUT, 0), 0xb9, d16(300));
      a.label('loop');
      a.emit(0x26, 0xfe, 0x06, { ...abs16('patched'), plus: 4 });
      a.label('patched');
      a.emit(0x80, 0x06, d16(OUT), 0, 0x49, branch(NE, 'loop'), end); // add byte [OUT], the count so far
    },
    result: ((300 * 301) / 2) & 0xff,
    check: (report) => expect(allEmulated(report)).toBe(0),
  },
  {
    name: 'STI and MOV SS hold interrupts off for one instruction',
    body: (a) => {
      a.emit(vector(0x20, 'tick'), timer(2), store(OUT, 0), 0xb9, d16(150), 0xfa);
      a.label('loop');
      a.emit(spend(700)); // an interrupt is due at STI
      a.emit(0xfb);
      a.label('one');
      a.emit(0x43);
      a.label('two');
      a.emit(0x8e, 0xd2); // mov ss,dx, which is 0
      a.label('three');
      a.emit(0x43, 0xfa, 0x49, branch(NE, 'loop'), end);
      a.label('tick');
      a.emit(0x55, 0x89, 0xe5, 0x50, 0x8b, 0x46, 2, 0x3d, abs16('one'), branch(E, 'bad'), 0x3d);
      a.emit(abs16('three'), branch(NE, 'good'));
      a.label('bad');
      a.emit(store(OUT, 0xbad));
      a.label('good');
      a.emit(0x01, 0x06, d16(0x8010), out(0x20, 0x20), 0x58, 0x5d, 0xcf);
    },
    result: 0,
  },
  {
    name: 'unreal mode: on the emulator until its segments are loaded again',
    body: (a) => {
      a.emit(0x2e, 0x0f, 0x01, 0x16, abs16('gdtr'), switchMode, load(FS, 8), switchMode, load(FS, 0)); // FS: 4 GiB
      a.emit(0x66, 0xbe, d32(0x120000), 0x64, 0x67, 0xc7, 0x06, d16(0x55), 0xb9, d16(500));
      a.label('big');
      a.emit(0x64, 0x67, 0xff, 0x06, 0x49, branch(NE, 'big'), 0x64, 0x67, 0x8b, 0x1e, 0x89, 0x1e, d16(OUT));
      a.emit(switchMode, load(FS, 16), switchMode, load(FS, 0), 0xb9, d16(5000)); // FS: 64 KiB
      a.label('small');
      a.emit(0x64, 0xff, 0x06, d16(0x9000), 0x49, branch(NE, 'small'), end);
      a.label('gdtr');
      a.emit(d16(23), abs32('gdt', 0));
      a.label('gdt');
      for (const [low, high] of [
        [0, 0],
        [0xffff, 0xcf9300],
        [0xffff, 0x009300],
      ]) {
        a.emit(d32(low), d32(high));
      }
    },
    result: 0x55 + 500,
    check: (report, retired) => {
      expect(emulated(report, 'state-unreal-mode')).toBeGreaterThan(1000);
      expect(emulated(report, 'state-unreal-mode')).toBeLessThan(2500);
      expect(retired).toBeGreaterThan(16_000);
      expect(allEmulated(report)).toBeLessThan(2600);
    },
  },
  {
    name: 'a table that protected mode uses, written in real mode',
    body: (a) => {
      a.emit(load(ES, SEGMENT), 0x2e, 0x0f, 0x01, 0x16, abs16('gdtr'), 0xb9, d16(20));
      a.label('round');
      // Protected mode in earnest: on the hardware, so that the monitor holds entries of the table and watches its page.
      a.emit(switchMode, 0xea, abs16('protected'), d16(8));
      a.label('protected');
      a.emit(load(SS, 0x20), spend(100), load(FS, 0x10), 0x64, 0xff, 0x06, d16(OUT), load(SS, 0x28));
      a.emit(switchMode, 0xea, abs16('real'), d16(SEGMENT));
      a.label('real');
      // FS's base goes up and down by 10h; REP as a writer, and an access across two entries.
      a.emit(load(SS, 0), load(FS, 0), spend(2000), 0x26, 0x80, 0x36, { ...abs16('gdt'), plus: 18 }, 0x10, 0x57, 0x51);
      a.emit(0xbf, { ...abs16('gdt'), plus: 24 }, 0xb9, d16(3), 0xfc, 0xf3, 0xab, 0x59, 0x5f);
      a.emit(0x26, 0x66, 0x83, 0x06, { ...abs16('gdt'), plus: 22 }, 0, 0x49, branch(NE, 'round'));
      a.emit(0xa1, d16(OUT + 0x10), 0xc1, 0xe0, 8, 0x01, 0x06, d16(OUT), end);
      a.label('gdtr');
      a.emit(d16(47), abs32('gdt', 0));
      a.label('gdt');
      for (const [low, high] of [
        [0, 0],
        [0x0000ffff, 0x00009b01],
        [0x0000ffff, 0x00009300],
        [0, 0],
        [0x0000ffff, 0x00cf9300],
        [0x0000ffff, 0x00009300],
      ]) {
        a.emit(d32(low), d32(high));
      }
    },
    result: 10 + 10 * 256,
    check: (report, _retired, policy) => {
      expect(exits(report, 'structure-write')).toBeGreaterThan(30);
      if (policy === 'full-emulation') expect(report.steps).toBe(0);
      else expect(report.steps).toBeGreaterThan(30);
    },
  },
  {
    name: 'services by INT all the time: the emulator goes on with them',
    body: (a) => {
      a.emit(vector(0x40, 'service'), vector(0x20, 'tick'), timer(30), store(OUT, 0), 0xb9, d16(3000));
      a.label('loop');
      a.emit(0xcd, 0x40, 0x01, 0x0e, d16(0x8002), 0x49, branch(NE, 'loop'), 0xfa, end);
      a.label('service');
      a.emit(0x9c, 0xfa, 0xff, 0x06, d16(OUT), 0x9d, 0xfb, 0xcf);
      a.label('tick');
      a.emit(0x50, 0x01, 0x0e, d16(0x8010), 0xff, 0x06, d16(0x8012), out(0x20, 0x20), 0x58, 0xcf);
    },
    result: 3000,
    check: (report, retired) => {
      expect(emulated(report, 'state-trap-dense')).toBeGreaterThan(retired * 0.9);
      expect(report.exits.total).toBeLessThan(400);
    },
  },
];

/** Instructions between two presses of the NMI button: the first one is still being served. */
const NMI_AGAIN = 25;

function run({ name, body, nmiEvery = Infinity }: Program, monitor: MachineConfigInput['monitor'], slice: number) {
  const a = new Assembler(BASE);
  body(a);
  const config = parseMachineConfig({
    memory: '2M',
    serial: 'none',
    loader: { name: 'flat', address: BASE, mode: 'real' },
    monitor,
  });
  const machine = createMachine({
    config,
    registry: createRegistry([]),
    kernel: { bytes: Uint8Array.from(a.finish()), name },
  });
  let pressAt = nmiEvery;
  for (let slices = 1; machine.retired < 300_000; slices++) {
    if (machine.runSlice(Math.min(slice, pressAt - machine.retired)) === 'ended') break;
    if (machine.retired >= pressAt) {
      machine.nmi();
      pressAt += pressAt % nmiEvery === 0 ? NMI_AGAIN : nmiEvery - NMI_AGAIN;
    }
    // A look at the state, now and then: it must change nothing.
    if (slices % 50 === 0) machine.stateHash();
  }
  const { space } = machine.view.processor;
  return {
    end: {
      outcome: machine.end?.outcome,
      result: space.read(OUT, 2),
      retired: machine.retired,
      ticks: machine.ticks,
      state: machine.stateHash(),
    },
    report: machine.monitorReport(),
  };
}

describe.each(programs.map((program) => [program.name, program] as const))('%s', (_name, program) => {
  let bare: ReturnType<typeof run>;
  beforeAll(() => {
    bare = run(program, 'none', 1_000_000);
  });

  it('on the bare processor', () => {
    expect([bare.end.outcome, bare.end.result]).toEqual(['debug-exit', program.result]);
  });

  it.each(['step-through', 'data-swap', 'full-emulation'])('under %s', (policy) => {
    const { end, report } = run(program, { policy }, 1_000_000);
    expect(end).toEqual(bare.end);
    program.check?.(report!, end.retired, policy);
  });

  it('held and looked at every few instructions', () => {
    expect(run(program, { policy: 'step-through', shadowCache: 'rebuild' }, 37).end).toEqual(bare.end);
  });
});
