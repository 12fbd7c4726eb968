/**
 * The I/O permission bitmap and its edges (SDM Vol. 1, 19.5.2 "I/O Permission Bit Map"), IDT gates' DPL for software
 * interrupts (Vol. 3A, 6.12.1.1 "Protection of Exception- and Interrupt-Handler Procedures"), reserved bits of the control
 * registers (Vol. 3A, 2.5 "Control Registers"), and the models an instruction first appeared in (Vol. 1, 22.1; Vol. 3B, 22).
 */
import { CR0, CR2, CR4, EAX, EBX, ECX, EDX, SEG, SEG_LIMIT, TR } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { I386, I486, P6, PENTIUM, PENTIUM4 } from '../models.js';
import { IDT, KCODE, KDATA, TSS } from '../testing/machine.js';
import { described, machineIn, MODES, outcome } from '../testing/modes.js';

const IN_DX: Readonly<Record<number, readonly number[]>> = { 1: [0xec], 2: [0x66, 0xed], 4: [0xed] };

/** IN of `size` bytes at `port` at CPL 3 with a bitmap of these bytes at `base` and this TSS limit. */
function access(port: number, size: number, bitmap: readonly number[], limit: number, base = 0x68): string {
  const m = machineIn('ring 3');
  m.poke16(TSS + 0x66, base);
  m.poke(TSS + base, ...bitmap);
  m.s[SEG + TR * 4 + SEG_LIMIT] = limit;
  m.s[EDX] = port;
  return outcome(m, IN_DX[size]);
}

describe('the I/O permission bitmap', () => {
  // bitmap for ports 0 to 15: 3 and 8 are closed; then the byte of ones
  const BITMAP = [0x08, 0x01, 0xff];
  const LIMIT = 0x68 + 2;

  it.each([
    [0, 1, 'runs'],
    [3, 1, '#GP(0)'],
    [4, 1, 'runs'],
    [2, 2, '#GP(0)'], // 2 and 3
    [4, 2, 'runs'],
    [0, 4, '#GP(0)'],
    [4, 4, 'runs'],
    [5, 4, '#GP(0)'], // 5 to 8, over the byte boundary
    [7, 2, '#GP(0)'], // 7 and 8
    [9, 4, 'runs'],
    [12, 4, 'runs'],
    [15, 1, 'runs'],
    [15, 2, '#GP(0)'], // 16 is in the byte of ones
    [13, 4, '#GP(0)'],
    [16, 1, '#GP(0)'],
  ])('port %i, %i bytes: %s', (port, size, expected) => {
    expect(access(port, size, BITMAP, LIMIT)).toBe(expected);
  });

  it('two bytes are always read: a port in the last byte within the limit is refused', () => {
    expect(access(15, 1, [0, 0, 0], 0x68 + 1)).toBe('#GP(0)');
    expect(access(8, 1, [0, 0, 0], 0x68 + 1)).toBe('#GP(0)');
    expect(access(7, 1, [0, 0, 0], 0x68 + 1)).toBe('runs');
    expect(access(15, 1, [0, 0, 0], 0x68 + 2)).toBe('runs');
  });

  it('a base at or beyond the limit means no bitmap', () => {
    for (const base of [0x68, 0x69, 0x1000, 0xffff]) expect(access(0, 1, [], 0x68, base)).toBe('#GP(0)');
  });

  it('a bitmap may start inside the fixed part', () => {
    expect(access(0, 1, [0, 0], 0x67, 0x60)).toBe('runs');
  });

  it('the highest ports need a TSS that reaches them', () => {
    expect(access(0xffff, 1, [], 0x68 + 0x1fff)).toBe('#GP(0)');
    expect(access(0xffff, 1, [], 0x68 + 0x2000)).toBe('runs');
  });

  it('a 16-bit TSS has none', () => {
    const m = machineIn('ring 3');
    m.s[SEG + TR * 4 + 3] = 0x83;
    m.poke16(TSS + 2, 0x8f00); // SP0, SS0 of the 16-bit layout
    m.poke16(TSS + 4, KDATA);
    m.s[SEG + TR * 4 + SEG_LIMIT] = 0x1000;
    expect(outcome(m, [0xec])).toBe('#GP(0)');
  });

  it('is read with supervisor rights; a page that is not there is #PF with U/S = 0', () => {
    const m = machineIn('ring 3');
    m.poke16(TSS + 0x66, 0x1f00);
    m.s[SEG + TR * 4 + SEG_LIMIT] = 0x3000;
    m.mmu.setPage(TSS + 0x1f00, { user: false });
    m.s[EDX] = 0;
    expect(outcome(m, [0xec])).toBe('runs');
    const missing = machineIn('ring 3');
    missing.poke16(TSS + 0x66, 0x3f00);
    missing.s[SEG + TR * 4 + SEG_LIMIT] = 0x5000;
    missing.mmu.unmap(TSS + 0x3f00);
    missing.s[EDX] = 0;
    expect(outcome(missing, [0xec])).toBe('#PF(0)');
    expect(missing.s[CR2]).toBe(TSS + 0x3f00);
  });

  it('in virtual-8086 mode IOPL 3 does not bypass it', () => {
    const m = machineIn('v86', 3);
    m.poke16(TSS + 0x66, 0x68);
    m.poke(TSS + 0x68, 0x02, 0xff);
    m.s[SEG + TR * 4 + SEG_LIMIT] = 0x69;
    m.s[EDX] = 0;
    expect(outcome(m, [0xec])).toBe('runs');
    m.s[EDX] = 1;
    m.s[9] = 0;
    expect(outcome(m, [0xec])).toBe('#GP(0)');
  });
});

describe('software interrupts and the gate’s DPL', () => {
  /** INT, INT3 and INTO through a gate of `dpl` from each ring: error code is vector * 8 + 2. */
  it.each([
    ['INT 21h', [0xcd, 0x21], 0x21],
    ['INT 3 (CD 03)', [0xcd, 0x03], 3],
    ['INT3', [0xcc], 3],
    ['INTO', [0xce], 4],
  ])('%s', (_name, code, vector) => {
    for (let dpl = 0; dpl <= 3; dpl++) {
      for (let ring = 0; ring <= 3; ring++) {
        const m = machineIn(MODES[ring]);
        m.cpu.setEflags(0x802);
        m.gate(IDT, vector, KCODE, 0x4000 + vector * 16, 0x8e | (dpl << 5));
        const eip = m.s[9];
        const text = outcome(m, code);
        if (ring > dpl) expect(text).toBe(`#GP(${(vector * 8 + 2).toString(16)})`);
        else
          expect([text, m.s[9], described(m, eip).endsWith(`at ${code.length}`)]).toEqual([
            'runs',
            0x4000 + vector * 16,
            true,
          ]);
      }
    }
  });

  it('INT1 is not restricted', () => {
    const m = machineIn('ring 3');
    expect(outcome(m, [0xf1])).toBe('runs');
    expect(m.s[9]).toBe(0x4010);
  });
});

describe('control registers', () => {
  function write(register: number, value: number, model = P6): string {
    const m = machineIn('ring 0', 0, { model });
    m.s[EAX] = value;
    return outcome(m, [0x0f, 0x22, 0xc0 | (register << 3)]);
  }

  it.each([
    ['PG without PE', 0x80000010 | 0, '#GP(0)'],
    ['NW without CD', 0x20000011, '#GP(0)'],
    ['NW with CD', 0x60000011, 'runs'],
    ['CD alone', 0x40000011, 'runs'],
  ])('CR0: %s', (_name, value, expected) => {
    expect(write(0, value)).toBe(expected);
  });

  it('CR0: reserved bits are ignored, ET reads as 1', () => {
    const m = machineIn('ring 0');
    m.s[EAX] = 0x1ffaffc1 & ~0x20000000;
    expect(outcome(m, [0x0f, 0x22, 0xc0])).toBe('runs');
    expect(m.s[CR0]).toBe(0x11);
  });

  it('the 386 has neither NW nor CD', () => {
    const m = machineIn('ring 0', 0, { model: I386 });
    m.s[EAX] = 0x20000011;
    expect(outcome(m, [0x0f, 0x22, 0xc0])).toBe('runs');
    expect(m.s[CR0]).toBe(0x11);
  });

  it('CR4: every bit a model does not have raises #GP(0) and changes nothing', () => {
    // Vol. 3A, 2.5: VME PVI TSD DE PSE PAE (MCE) PGE PCE OSFXSR OSXMMEXCPT
    const has = [
      [PENTIUM, 0x1f],
      [PENTIUM4, 0x7bf],
    ] as const;
    for (const [model, mask] of has) {
      for (let bit = 0; bit < 32; bit++) {
        const m = machineIn('ring 0', 0, { model });
        m.s[EAX] = 1 << bit;
        const there = (mask & (1 << bit)) !== 0;
        expect([bit, outcome(m, [0x0f, 0x22, 0xe0])]).toEqual([bit, there ? 'runs' : '#GP(0)']);
        expect(m.s[CR4]).toBe(there ? 1 << bit : 0);
      }
    }
  });
});

describe('models: what is newer than the part raises #UD', () => {
  const MODELS = [I386, I486, PENTIUM, P6, PENTIUM4];
  it.each([
    ['BSWAP', [0x0f, 0xc8], 'UD - - - -'],
    ['XADD', [0x0f, 0xc1, 0x03], 'UD - - - -'],
    ['CMPXCHG', [0x0f, 0xb1, 0x03], 'UD - - - -'],
    ['INVD', [0x0f, 0x08], 'UD - - - -'],
    ['WBINVD', [0x0f, 0x09], 'UD - - - -'],
    ['INVLPG', [0x0f, 0x01, 0x3b], 'UD - - - -'],
    ['CPUID', [0x0f, 0xa2], 'UD - - - -'],
    ['MOV EAX, CR4', [0x0f, 0x20, 0xe0], 'UD UD - - -'],
    ['CMPXCHG8B', [0x0f, 0xc7, 0x0b], 'UD UD - - -'],
    ['RDTSC', [0x0f, 0x31], 'UD UD - - -'],
    ['RDMSR', [0x0f, 0x32], 'UD UD - - -'],
    ['WRMSR', [0x0f, 0x30], 'UD UD - - -'],
    ['RDPMC', [0x0f, 0x33], 'UD UD UD - -'],
    ['CMOVO', [0x0f, 0x40, 0xc0], 'UD UD UD - -'],
    ['NOP Ev', [0x0f, 0x1f, 0x44, 0x00, 0x00], 'UD UD UD - -'],
    ['SALC', [0xd6], '- - - - -'],
    ['INT1', [0xf1], '- - - - -'],
  ])('%s', (name, code, expected) => {
    const row = MODELS.map((model) => {
      const m = machineIn('ring 0', 0, { model });
      m.s[EAX] = m.s[EDX] = 0;
      m.s[EBX] = 0x20100;
      m.s[ECX] = name.endsWith('MSR') ? 0x10 : 0;
      const text = outcome(m, code);
      return text === 'runs' ? '-' : text === '#UD' ? 'UD' : text;
    });
    expect(row.join(' ')).toBe(expected);
  });
});
