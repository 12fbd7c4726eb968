/**
 * RETF and IRET from every privilege level: each RPL of the popped CS, conforming and nonconforming code of each level, fitting and
 * unfitting stacks, 16 and 32 bits. The rules are SDM Vol. 2A "IRET/IRETD/IRETQ" and 2B "RET", Operation, and Vol. 3A, 5.8.6 "Returning
 * from a Called Procedure", written out here once more. Returns to virtual-8086 mode and to tasks are in events/v86.spec.ts and tasks.spec.ts.
 */
import { CPL, CS, DS, EIP, ES, ESP, FLAG_CF, FLAG_IF, FLAG_IOPL, SS } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { FREE, GDT, KDATA, UDATA, type TestMachine } from '../testing/machine.js';
import { machineIn, outcome } from '../testing/modes.js';

const TARGET = FREE + 0x28;
const STACK = FREE + 0x30;
const RINGS = ['ring 0', 'ring 1', 'ring 2', 'ring 3'] as const;
const LEVELS = [0, 1, 2, 3];
const OUTER_ESP = 0x7000;
const NEW_EIP = 0x340;
const gp = (selector: number) => `#GP(${(selector & 0xfffc).toString(16)})`;

interface Popped {
  readonly cpl: number;
  readonly rpl: number;
  readonly dpl: number;
  readonly conforming: boolean;
  readonly ssRpl: number;
  readonly ssDpl: number;
}

function expected({ cpl, rpl, dpl, conforming, ssRpl, ssDpl }: Popped, popped: number, top: number): string {
  if (rpl < cpl || (conforming ? dpl > rpl : dpl !== rpl)) return gp(TARGET);
  if (rpl === cpl) return at(rpl, top + popped, true, cpl);
  if (ssRpl !== rpl || ssDpl !== rpl) return gp(STACK);
  return at(rpl, OUTER_ESP, false, cpl);
}

/** Afterwards: ES holds a segment of ring 3, DS one of the level returned from. */
function at(level: number, esp: number, kept: boolean, from: number): string {
  return `CPL ${level} CS ${(TARGET | level).toString(16)} EIP ${NEW_EIP} ESP ${esp.toString(16)} ES ${UDATA} ${kept || level <= from ? 'DS kept' : 'DS null'}`;
}

function place(m: TestMachine, level: number): string {
  const ds = m.selector(DS) === 0 ? 'DS null' : 'DS kept';
  return `CPL ${m.s[CPL]} CS ${m.selector(CS).toString(16)} EIP ${m.s[EIP]} ESP ${m.s[ESP].toString(16)} ES ${m.selector(ES)} ${ds}${(m.selector(SS) & 3) === level ? '' : ' SS'}`;
}

describe.each([
  ['RETF', 0xcb, 2],
  ['IRET', 0xcf, 3],
] as const)('%s', (_name, opcode, words) => {
  it.each([
    ['16 bits', 2],
    ['32 bits', 4],
  ] as const)('of %s', (_bits, size) => {
    const wrong: string[] = [];
    let returned = 0;
    const one = (p: Popped) => {
      const m = machineIn(RINGS[p.cpl]);
      m.cpu.lgdt(GDT, 0xfff);
      m.descriptor(GDT, TARGET, 0, 0xfffff, (p.conforming ? 0xc09f : 0xc09b) | (p.dpl << 5));
      m.descriptor(GDT, STACK, 0, 0xfffff, 0xc093 | (p.ssDpl << 5));
      m.segment(ES, UDATA, 0, -1, 0xc0f3);
      const frame = [
        NEW_EIP,
        TARGET | p.rpl,
        ...(words === 3 ? [0x3000 | FLAG_IF | FLAG_CF | 2] : []),
        OUTER_ESP,
        STACK | p.ssRpl,
      ];
      const top = (m.s[ESP] -= 64);
      frame.forEach((value, i) => (size === 4 ? m.poke32(top + i * 4, value) : m.poke16(top + i * 2, value)));
      const text = outcome(m, size === 4 ? [opcode] : [0x66, opcode]);
      const got = text === 'runs' ? place(m, p.rpl) : text;
      const want = expected(p, words * size, top);
      if (got !== want) wrong.push(`${JSON.stringify(p)}: ${got}, not ${want}`);
      if (text !== 'runs') return;
      returned++;
      // IOPL is 0: IF changes at CPL 0 only, IOPL likewise.
      const flags = m.cpu.getEflags() & (FLAG_IF | FLAG_IOPL | FLAG_CF);
      const all = FLAG_IF | FLAG_IOPL | FLAG_CF;
      const loaded = words === 2 ? 0 : p.cpl === 0 ? all : FLAG_CF;
      if (flags !== loaded) wrong.push(`${JSON.stringify(p)}: flags ${flags.toString(16)}`);
    };
    for (const cpl of LEVELS) {
      for (const rpl of LEVELS) {
        for (const dpl of LEVELS) {
          for (const conforming of [false, true]) {
            const base = { cpl, rpl, dpl, conforming };
            one({ ...base, ssRpl: rpl, ssDpl: rpl });
            one({ ...base, ssRpl: rpl, ssDpl: (rpl + 1) & 3 });
            one({ ...base, ssRpl: (rpl + 3) & 3, ssDpl: rpl });
          }
        }
      }
    }
    expect(wrong.slice(0, 10)).toEqual([]);
    expect(returned).toBeGreaterThan(50);
  });

  it('a null CS or SS: #GP(0)', () => {
    for (const [cs, ss] of [
      [3, UDATA],
      [0x1b, 3],
    ]) {
      const m = machineIn('ring 0');
      const top = (m.s[ESP] -= 64);
      [NEW_EIP, cs, ...(words === 3 ? [2] : []), OUTER_ESP, ss].forEach((value, i) => m.poke32(top + i * 4, value));
      expect(outcome(m, [opcode])).toBe('#GP(0)');
      expect(m.selector(SS)).toBe(KDATA);
    }
  });
});
