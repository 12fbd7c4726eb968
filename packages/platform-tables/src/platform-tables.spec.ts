/** Where the tables lie and what leads to them, followed as an operating system does; the files for firmware; options; refusals. */
import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { RingfenceError, type LoadSegment, type PlacedFact } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { FACS_FILE, RSDP_FILE, TABLES_FILE } from './acpi.js';
import { BoardTables } from './index.js';
import { TEST_FACTS, TEST_MODEL, TEST_RAM } from './testing/board.js';

function make(facts: readonly PlacedFact[] = TEST_FACTS, options: Record<string, unknown> = {}): BoardTables {
  const { board } = makeDeviceKit({ ramBytes: TEST_RAM });
  return new BoardTables({ list: () => facts }, board, TEST_MODEL as never, options);
}

/** The first MiB with the tables in it, and a way to read it as software does. */
class LowMemory {
  readonly bytes = Buffer.alloc(0x100000, 0xff);

  constructor(readonly segments: readonly LoadSegment[]) {
    for (const { address, bytes } of segments) this.bytes.set(bytes, address);
  }

  /** On a paragraph in the ROM area. */
  find(signature: string): number {
    for (let at = 0xe0000; at < 0x100000; at += 16) {
      if (this.text(at, signature.length) === signature) return at;
    }
    return -1;
  }

  text(at: number, length: number): string {
    return this.bytes.toString('latin1', at, at + length);
  }

  u32(at: number): number {
    return this.bytes.readUInt32LE(at);
  }

  sum(at: number, length: number): number {
    return this.bytes.subarray(at, at + length).reduce((sum, byte) => (sum + byte) & 0xff, 0);
  }

  /** A table with a right checksum, by its address. */
  table(at: number, signature: string): number {
    expect(this.text(at, 4)).toBe(signature);
    expect(this.sum(at, this.u32(at + 4)), signature).toBe(0);
    return at;
  }
}

describe('without firmware', () => {
  const memory = new LowMemory(make().placed());
  const rsdp = memory.find('RSD PTR ');

  it('lie in the BIOS area and FACS, which is written to, in the EBDA, none over another', () => {
    const sorted = [...memory.segments].sort((a, b) => a.address - b.address);
    expect(sorted[0]).toMatchObject({ address: 0x9fc40, bytes: { length: 64 } });
    for (let i = 1; i < sorted.length; i++) {
      expect(sorted[i].address).toBeGreaterThanOrEqual(
        i === 1 ? 0xf0000 : sorted[i - 1].address + sorted[i - 1].bytes.length,
      );
    }
    expect(sorted.at(-1)!.address + sorted.at(-1)!.bytes.length).toBeLessThanOrEqual(0xffff0);
  });

  it('are found by both roots', () => {
    expect(memory.sum(rsdp, 20)).toBe(0);
    expect(memory.sum(rsdp, 36)).toBe(0);
    const rsdt = memory.table(memory.u32(rsdp + 16), 'RSDT');
    const xsdt = memory.table(memory.u32(rsdp + 24), 'XSDT');
    expect(memory.u32(rsdp + 28)).toBe(0);
    const short = ['FACP', 'APIC', 'HPET'].map((signature, i) =>
      memory.table(memory.u32(rsdt + 36 + 4 * i), signature),
    );
    const long = short.map((_, i) => memory.u32(xsdt + 36 + 8 * i));
    expect(long).toEqual(short);
    expect(memory.u32(rsdt + 4)).toBe(36 + 4 * 3);
    const [fadt] = short;
    memory.table(memory.u32(fadt + 40), 'DSDT');
    expect(memory.u32(fadt + 140)).toBe(memory.u32(fadt + 40));
    expect(memory.u32(fadt + 36)).toBe(0x9fc40);
    expect(memory.text(0x9fc40, 4)).toBe('FACS');
  });

  it('are the same when asked again, as after a reset', () => {
    const tables = make();
    expect(tables.placed()).toEqual(tables.placed());
  });
});

describe('the MP table', () => {
  const memory = new LowMemory(make().placed());
  const pointer = memory.find('_MP_');
  const header = memory.u32(pointer + 4);

  it('is whole and is pointed to', () => {
    expect(memory.sum(pointer, 16)).toBe(0);
    expect(memory.bytes[pointer + 9]).toBe(4);
    expect(memory.text(header, 4)).toBe('PCMP');
    expect(memory.sum(header, memory.bytes.readUInt16LE(header + 4))).toBe(0);
    expect(memory.u32(header + 36)).toBe(0xfee00000);
  });

  it('describes the same wiring as the MADT', () => {
    const end = header + memory.bytes.readUInt16LE(header + 4);
    const entries: string[] = [];
    for (let at = header + 44; at < end;) {
      const length = memory.bytes[at] === 0 ? 20 : 8;
      entries.push(memory.bytes.subarray(at, at + length).toString('hex'));
      at += length;
    }
    expect(entries).toHaveLength(memory.bytes.readUInt16LE(header + 34));
    expect(entries.slice(0, 4)).toEqual([
      '0000140383060000010300000000000000000000', // processor: family 6, model 8, stepping 3; FPU, CX8, APIC
      '0100504349202020',
      '0101495341202020',
      '020111010000c0fe', // I/O APIC 1 at FEC00000h
    ]);
    expect(entries).toContain('0300000001000102'); // ISA 0: input 2
    expect(entries).toContain('0300000001040104'); // ISA 4: input 4
    expect(entries.filter((entry) => /^03000000010[ab]/.test(entry))).toEqual([]); // 10 and 11 are PCI's
    expect(entries).toContain('03000d00000c010b'); // slot 3, INTA#: PIRQC, request 11
    expect(entries.slice(-2)).toEqual(['040300000100ff00', '040100000100ff01']); // ExtINT at LINT0, NMI at LINT1
  });

  it('needs both APICs', () => {
    const without = new LowMemory(make(TEST_FACTS.filter(({ part }) => part !== 'ioapic')).placed());
    expect(without.find('_MP_')).toBe(-1);
    expect(without.find('RSD PTR ')).toBeGreaterThan(0);
  });
});

describe('$PIR', () => {
  const memory = new LowMemory(make().placed());
  const at = memory.find('$PIR');

  it('is whole and routes each pin by PIIX3', () => {
    const length = memory.bytes.readUInt16LE(at + 6);
    expect(length).toBe(32 + 31 * 16);
    expect(memory.sum(at, length)).toBe(0);
    expect([...memory.bytes.subarray(at + 8, at + 10)]).toEqual([0, 8]);
    expect(memory.u32(at + 12)).toBe(0x70008086);
    // Slot 3: INTA# is PIRQC, whose register is 62h; 5, 10 and 11 are possible.
    expect(memory.bytes.subarray(at + 64, at + 80).toString('hex')).toBe('001862200c63200c60200c61200c0000');
  });
});

describe('for firmware', () => {
  it('are files with pointers that count from the file pointed into, and a script', () => {
    const files = new Map(
      make()
        .files()
        .map(({ name, bytes }) => [name, Buffer.from(bytes)]),
    );
    expect([...files.keys()]).toEqual([RSDP_FILE, TABLES_FILE, FACS_FILE, 'etc/table-loader']);
    const script = files.get('etc/table-loader')!;
    expect(script.length % 128).toBe(0);
    const text = (at: number): string => script.toString('latin1', at, at + 56).replace(/\0+$/, '');
    // What firmware does: give each file an address, then follow the script.
    const addresses = new Map<string, number>();
    const high = 0x7fe0000;
    for (let at = 0; at < script.length; at += 128) {
      const target = files.get(text(at + 4))!;
      switch (script.readUInt32LE(at)) {
        case 1: {
          const alignment = script.readUInt32LE(at + 60);
          expect(script[at + 64]).toBe(text(at + 4) === RSDP_FILE ? 2 : 1);
          addresses.set(text(at + 4), text(at + 4) === RSDP_FILE ? 0xf5a10 : high + addresses.size * 0x4000);
          expect(addresses.get(text(at + 4))! % alignment).toBe(0);
          break;
        }
        case 2: {
          const offset = script.readUInt32LE(at + 116);
          expect([4, 8]).toContain(script[at + 120]);
          target.writeUInt32LE(target.readUInt32LE(offset) + addresses.get(text(at + 60))!, offset);
          break;
        }
        case 3: {
          const [offset, start, length] = [60, 64, 68].map((field) => script.readUInt32LE(at + field));
          const sum = target.subarray(start, start + length).reduce((total, byte) => total + byte, 0);
          target[offset] -= sum;
          break;
        }
        default:
          expect.unreachable();
      }
    }
    const rsdp = files.get(RSDP_FILE)!;
    const tables = files.get(TABLES_FILE)!;
    expect(rsdp.reduce((sum, byte) => (sum + byte) & 0xff, 0)).toBe(0);
    const rsdt = rsdp.readUInt32LE(16) - addresses.get(TABLES_FILE)!;
    expect(tables.toString('latin1', rsdt, rsdt + 4)).toBe('RSDT');
    const fadt = tables.readUInt32LE(rsdt + 36) - addresses.get(TABLES_FILE)!;
    expect(tables.toString('latin1', fadt, fadt + 4)).toBe('FACP');
    expect(tables.subarray(fadt, fadt + 244).reduce((sum, byte) => (sum + byte) & 0xff, 0)).toBe(0);
    expect(tables.readUInt32LE(fadt + 36)).toBe(addresses.get(FACS_FILE));
  });
});

describe('a board may have less', () => {
  it.each([
    ['acpi', 'RSD PTR '],
    ['mp', '_MP_'],
    ['pir', '$PIR'],
  ])('without %s when the options say so', (option, signature) => {
    const memory = new LowMemory(make(TEST_FACTS, { [option]: false }).placed());
    for (const other of ['RSD PTR ', '_MP_', '$PIR']) expect(memory.find(other) > 0, other).toBe(other !== signature);
  });

  it('has no ACPI without its registers, in ROM and for firmware', () => {
    const tables = make(TEST_FACTS.filter(({ part }) => part !== 'piix4-pm'));
    expect(new LowMemory(tables.placed()).find('RSD PTR ')).toBe(-1);
    expect(tables.files()).toEqual([]);
  });

  it('has nothing at all without chips', () => expect(make([]).placed()).toEqual([]));
});

describe('contradictions', () => {
  const [root] = TEST_FACTS;
  it.each([
    ['two host bridges', [root, { ...root, part: 'other' }], 'RF_RESOURCE_CONFLICT'],
    [
      'two devices of one name',
      ['a', 'b'].map((part) => ({ part, resources: {}, fact: { kind: 'pnp', id: 'PNP0501', name: 'COM1' } as const })),
      'RF_RESOURCE_CONFLICT',
    ],
  ])('refuses %s', (_what, facts, code) => {
    let thrown: unknown;
    try {
      make(facts).placed();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(RingfenceError);
    expect((thrown as RingfenceError).code).toBe(code);
  });
});

deviceContract('platform-tables', {
  make: (kit) => new BoardTables({ list: () => TEST_FACTS }, kit.board, TEST_MODEL as never, {}),
  resources: {},
});
