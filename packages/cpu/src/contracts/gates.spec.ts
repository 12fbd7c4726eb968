/**
 * Gates and direct far transfers from every privilege level: CALL, JMP and INT n, gates of 16 and 32 bits, each DPL of the gate, each RPL,
 * conforming and nonconforming code of each level. The rules are SDM Vol. 3A, 5.8.1 "Direct Calls or Jumps to Code Segments" and 5.8.4
 * "Accessing a Code Segment Through a Call Gate", tables 5-1 and 5-2, written out here once more. What frames look like is in segments/far.spec.ts.
 */
import { CPL, CS, EIP, ESP, FLAG_IF, FLAG_NT, SS } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { CODE, DATA, FREE, GDT, IDT, KERNEL_STACK, TSS, USER_STACK, type TestMachine } from '../testing/machine.js';
import { machineIn, outcome } from '../testing/modes.js';

const TARGET = FREE + 0x28;
const GATE = FREE + 0x30;
const RINGS = ['ring 0', 'ring 1', 'ring 2', 'ring 3'] as const;
const STACKS = [KERNEL_STACK, 0x94000, 0x98000];
const LEVELS = [0, 1, 2, 3];
/** Where `machineIn` has the data segments of rings 1 and 2. */
const stackSelector = (ring: number) => FREE + ring * 0x10 - 8;
const FAR = { call: 0x9a, jmp: 0xea } as const;
type Kind = keyof typeof FAR;

function machine(cpl: number, dpl: number, conforming: boolean): TestMachine {
  const m = machineIn(RINGS[cpl]);
  m.cpu.lgdt(GDT, 0xfff);
  for (const ring of [1, 2]) {
    m.descriptor(GDT, stackSelector(ring), 0, 0xfffff, 0xc093 | (ring << 5));
    m.poke32(TSS + 4 + ring * 8, STACKS[ring]);
    m.poke32(TSS + 8 + ring * 8, stackSelector(ring) | ring);
  }
  m.descriptor(GDT, TARGET, 0, 0xfffff, (conforming ? 0xc09f : 0xc09b) | (dpl << 5));
  return m;
}

const far = (kind: Kind, selector: number, offset: number) => [
  FAR[kind],
  ...[0, 8, 16, 24].map((shift) => (offset >>> shift) & 0xff),
  selector & 0xff,
  selector >> 8,
];

/** Where the processor is, and how much lies on the stack it is on now. */
function place(m: TestMachine, top: number): string {
  return `CS ${m.selector(CS).toString(16)} CPL ${m.s[CPL]} SS.RPL ${m.selector(SS) & 3} EIP ${m.s[EIP].toString(16)} pushed ${top - m.s[ESP]}`;
}

const at = (cpl: number, eip: number, pushed: number) =>
  `CS ${(TARGET | cpl).toString(16)} CPL ${cpl} SS.RPL ${cpl} EIP ${eip.toString(16)} pushed ${pushed}`;
const gp = (selector: number) => `#GP(${(selector & 0xfffc).toString(16)})`;

describe.each(['call', 'jmp'] as const)('far %s', (kind) => {
  it('directly', () => {
    const wrong: string[] = [];
    for (const cpl of LEVELS) {
      for (const dpl of LEVELS) {
        for (const rpl of LEVELS) {
          for (const conforming of [false, true]) {
            const m = machine(cpl, dpl, conforming);
            const top = m.s[ESP];
            const text = outcome(m, far(kind, TARGET | rpl, DATA));
            const allowed = conforming ? dpl <= cpl : dpl === cpl && rpl <= cpl;
            const want = allowed ? at(cpl, DATA, kind === 'call' ? 8 : 0) : gp(TARGET);
            const got = text === 'runs' ? place(m, top) : text;
            if (got !== want) wrong.push(`CPL ${cpl} DPL ${dpl} RPL ${rpl} ${conforming}: ${got}, not ${want}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it.each([
    ['16 bits', 0x84, 2],
    ['32 bits', 0x8c, 4],
  ] as const)('through a gate of %s', (_name, type, size) => {
    const wrong: string[] = [];
    let entered = 0;
    for (const cpl of LEVELS) {
      for (const dpl of LEVELS) {
        for (const rpl of LEVELS) {
          for (const gateDpl of LEVELS) {
            for (const conforming of [false, true]) {
              const m = machine(cpl, dpl, conforming);
              // The upper half of the offset belongs to 32-bit gates only; two parameters, copied only to another stack.
              m.gate(GDT, GATE >> 3, TARGET | 3, DATA | 0x340, type | (gateDpl << 5), 2);
              const inner = kind === 'call' && !conforming && dpl < cpl;
              const top = inner ? STACKS[dpl] : m.s[ESP];
              const text = outcome(m, far(kind, GATE | rpl, 0xdeadbeef));
              const target = kind === 'call' || conforming ? dpl <= cpl : dpl === cpl;
              const eip = size === 4 ? DATA | 0x340 : 0x340;
              const pushed = kind === 'jmp' ? 0 : inner ? 6 * size : 2 * size;
              let want = at(inner ? dpl : cpl, eip, pushed);
              if (gateDpl < cpl || gateDpl < rpl) want = gp(GATE);
              else if (!target) want = gp(TARGET);
              const got = text === 'runs' ? place(m, top) : text;
              if (got !== want) {
                wrong.push(`CPL ${cpl} DPL ${dpl} gate ${gateDpl} RPL ${rpl} ${conforming}: ${got}, not ${want}`);
              }
              if (text === 'runs') entered++;
            }
          }
        }
      }
    }
    expect(wrong.slice(0, 10)).toEqual([]);
    expect(entered).toBeGreaterThan(80);
  });
});

describe('INT n (Vol. 3A, 6.12.1 "Exception- or Interrupt-Handler Procedures")', () => {
  it.each([
    ['16 bits', 0x86, 2],
    ['32 bits', 0x8e, 4],
  ] as const)('through a gate of %s', (_name, type, size) => {
    const wrong: string[] = [];
    let entered = 0;
    for (const cpl of LEVELS) {
      for (const dpl of LEVELS) {
        for (const gateDpl of LEVELS) {
          for (const trap of [0, 1]) {
            for (const conforming of [false, true]) {
              const m = machine(cpl, dpl, conforming);
              m.gate(IDT, 0x30, TARGET | 3, DATA | 0x340, type | trap | (gateDpl << 5));
              m.cpu.setEflags(m.cpu.getEflags() | FLAG_IF | FLAG_NT);
              const inner = !conforming && dpl < cpl;
              const top = inner ? STACKS[dpl] : m.s[ESP];
              const text = outcome(m, [0xcd, 0x30]);
              let want = at(inner ? dpl : cpl, size === 4 ? DATA | 0x340 : 0x340, (inner ? 5 : 3) * size);
              if (gateDpl < cpl) want = `#GP(${(0x30 * 8 + 2).toString(16)})`;
              else if (dpl > cpl) want = gp(TARGET);
              else want += ` IF ${trap} NT 0`;
              const flags = m.cpu.getEflags();
              const shown = ` IF ${(flags & FLAG_IF) === 0 ? 0 : 1} NT ${(flags & FLAG_NT) === 0 ? 0 : 1}`;
              const got = text === 'runs' ? place(m, top) + shown : text;
              if (got !== want) wrong.push(`CPL ${cpl} DPL ${dpl} gate ${gateDpl} ${conforming}: ${got}, not ${want}`);
              if (text === 'runs') entered++;
            }
          }
        }
      }
    }
    expect(wrong.slice(0, 10)).toEqual([]);
    // Levels that may reach the gate times handlers they may enter, four of each.
    expect(entered).toBe(80);
  });
});

describe('LAR and LSL (Vol. 2A, tables 3-51 and 3-60)', () => {
  const LAR_SYSTEM = new Set([1, 2, 3, 4, 5, 9, 11, 12]);
  const LSL_SYSTEM = new Set([1, 2, 3, 9, 11]);

  it.each([
    ['LAR', 0x02, LAR_SYSTEM],
    ['LSL', 0x03, LSL_SYSTEM],
    ['VERR', 0x20, new Set<number>()],
    ['VERW', 0x28, new Set<number>()],
  ] as const)('%s of every type, at every level', (name, opcode, known) => {
    const wrong: string[] = [];
    const one = (m: TestMachine, cpl: number, rpl: number, dpl: number, type: number) => {
      m.s[EIP] = CODE;
      m.descriptor(GDT, TARGET, 0x12345678, 0x54321, 0x80d0);
      // A present descriptor of that type, code, data or system.
      m.poke32(GDT + TARGET + 4, (m.peek32(GDT + TARGET + 4) & ~0x7f00) | ((type | (dpl << 5)) << 8));
      m.s[0] = TARGET | rpl;
      m.s[3] = 0x55;
      const modrm = opcode >= 0x20 ? [0x00, 0xc0 | opcode] : [opcode, 0xd8];
      const text = outcome(m, [0x0f, ...modrm]);
      const zf = (m.cpu.getEflags() >> 6) & 1;
      const code = (type & 0x18) === 0x18;
      const visible = (code && (type & 4) !== 0) || (dpl >= cpl && dpl >= rpl);
      let right = (type & 0x10) !== 0 || known.has(type);
      if (name === 'VERR') right = (type & 0x10) !== 0 && (!code || (type & 2) !== 0);
      if (name === 'VERW') right = (type & 0x1a) === 0x12;
      const want = visible && right ? 1 : 0;
      let result = 0x55;
      if (want === 1 && name === 'LAR') result = m.peek32(GDT + TARGET + 4) & 0x00ffff00;
      if (want === 1 && name === 'LSL') result = 0x54321fff;
      // Bits 19:16 of LAR's result are undefined.
      const mask = name === 'LAR' && want === 1 ? ~0xf0000 : -1;
      if (text !== 'runs' || zf !== want || ((m.s[3] ^ result) & mask) !== 0) {
        wrong.push(
          `CPL ${cpl} RPL ${rpl} DPL ${dpl} type ${type.toString(16)}: ${text} ZF ${zf} ${m.s[3].toString(16)}`,
        );
      }
    };
    for (const cpl of LEVELS) {
      const m = machineIn(RINGS[cpl]);
      m.cpu.lgdt(GDT, 0xfff);
      for (const rpl of LEVELS) {
        for (const dpl of LEVELS) for (let type = 0; type < 32; type++) one(m, cpl, rpl, dpl, type);
      }
    }
    expect(wrong.slice(0, 10)).toEqual([]);
  });
});

describe('the stack of a gate', () => {
  it('RETF returns to where the gate was called from, at every level', () => {
    for (const cpl of [1, 2, 3]) {
      for (let dpl = 0; dpl < cpl; dpl++) {
        const m = machine(cpl, dpl, false);
        const [cs, ss] = [m.selector(CS), m.selector(SS)];
        m.gate(GDT, GATE >> 3, TARGET, DATA, 0x8c | 0x60, 1);
        m.poke(DATA, 0xca, 4, 0); // retf 4
        m.poke(CODE, 0x6a, 0x7f, ...far('call', GATE | cpl, 0));
        m.cpu.run(3);
        expect([m.s[CPL], m.selector(CS), m.selector(SS), m.s[EIP], m.s[ESP]]).toEqual([
          cpl,
          cs,
          ss,
          CODE + 9,
          USER_STACK,
        ]);
      }
    }
  });
});
