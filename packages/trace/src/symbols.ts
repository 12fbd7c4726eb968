/**
 * Names for addresses: the symbol table of a 32-bit ELF file, or a list like Linux's System.map (`c0100000 T _text`).
 * Addresses are taken as they stand in the file: for a kernel that is linked where it runs. Bytes in, a table out; it reads
 * no file, and knows no modules and no relocation.
 */
import { RingfenceError } from '@ringfence/sdk';

const SHT_SYMTAB = 2;
const STT_FUNC = 2;
const STT_NOTYPE = 0;
/** A symbol without a size is not taken to reach further. */
const MOST_BYTES = 1 << 20;

interface Symbol {
  readonly address: number;
  readonly size: number;
  readonly name: string;
}

export class SymbolTable {
  private readonly byName = new Map<string, number>();

  /** `symbols` sorted by address. */
  private constructor(private readonly symbols: readonly Symbol[]) {
    for (const { name, address } of symbols) if (!this.byName.has(name)) this.byName.set(name, address);
  }

  /** Throws RF_BAD_SYMBOLS. */
  static parse(bytes: Uint8Array, file: string): SymbolTable {
    const isElf = bytes.length > 4 && bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
    const symbols = isElf ? elfSymbols(bytes, file) : mapSymbols(bytes);
    if (symbols.length === 0) {
      throw badSymbols(
        file,
        isElf ? 'it has no symbol table (was it stripped?)' : 'it is neither ELF nor a System.map',
      );
    }
    return new SymbolTable([...symbols].sort((a, b) => a.address - b.address));
  }

  /** `<name>` or `<name+offset>`, the offset hexadecimal. */
  nameOf(linear: number): string | undefined {
    const address = linear >>> 0;
    let low = 0;
    let high = this.symbols.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.symbols[middle].address <= address) low = middle + 1;
      else high = middle;
    }
    if (low === 0) return undefined;
    const found = this.symbols[low - 1];
    const offset = address - found.address;
    if (offset >= (found.size === 0 ? MOST_BYTES : found.size)) return undefined;
    return offset === 0 ? `<${found.name}>` : `<${found.name}+${offset.toString(16)}>`;
  }

  /** Address of `name` or `name+offset` (hexadecimal). */
  addressOf(text: string): number | undefined {
    const [, name, offset] = /^([^+\s]+)(?:\+(?:0x)?([0-9a-f]{1,8}))?$/i.exec(text.trim()) ?? [];
    const address = name === undefined ? undefined : this.byName.get(name);
    return address === undefined ? undefined : (address + Number.parseInt(offset ?? '0', 16)) >>> 0;
  }
}

function elfSymbols(bytes: Uint8Array, file: string): Symbol[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Symbol[] = [];
  try {
    if (bytes[4] !== 1 || bytes[5] !== 1) throw new RangeError();
    const [sections, entrySize, count] = [view.getUint32(32, true), view.getUint16(46, true), view.getUint16(48, true)];
    const section = (n: number, field: number): number => view.getUint32(sections + n * entrySize + field, true);
    for (let n = 0; n < count; n++) {
      if (section(n, 4) !== SHT_SYMTAB) continue;
      const [offset, size, strings] = [section(n, 16), section(n, 20), section(section(n, 24), 16)];
      for (let at = offset; at + 16 <= offset + size; at += 16) {
        const type = view.getUint8(at + 12) & 15;
        if ((type !== STT_FUNC && type !== STT_NOTYPE) || view.getUint16(at + 14, true) === 0) continue;
        const name = stringAt(bytes, strings + view.getUint32(at, true));
        if (name !== '')
          found.push({ name, address: view.getUint32(at + 4, true), size: view.getUint32(at + 8, true) });
      }
    }
  } catch (cause) {
    if (cause instanceof RangeError)
      throw badSymbols(file, 'it is no 32-bit little-endian ELF file, or cut off', cause);
    throw cause;
  }
  return found;
}

function stringAt(bytes: Uint8Array, start: number): string {
  const end = bytes.indexOf(0, start);
  return end < 0 ? '' : Buffer.from(bytes.subarray(start, end)).toString('latin1');
}

/** Code symbols of a System.map: address, letter, name. */
function mapSymbols(bytes: Uint8Array): Symbol[] {
  const found: Symbol[] = [];
  for (const line of Buffer.from(bytes).toString('latin1').split('\n')) {
    const [, address, name] = /^([0-9a-f]{8}) [tTwW] (\S+)/i.exec(line) ?? [];
    if (name !== undefined) found.push({ address: Number.parseInt(address, 16), size: 0, name });
  }
  return found;
}

function badSymbols(file: string, what: string, cause?: unknown): RingfenceError {
  return new RingfenceError('RF_BAD_SYMBOLS', {
    message: `cannot take symbols from ${file}: ${what}`,
    value: file,
    fix: 'name a 32-bit ELF file with a symbol table, or a System.map',
    cause,
  });
}
