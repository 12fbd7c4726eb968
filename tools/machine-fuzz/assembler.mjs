/**
 * Bytes with labels, and a note of where each instruction begins: the guest's fault handler skips an instruction by its
 * length, which it finds in a map made from these notes. No mnemonics: who emits knows the encoding.
 */
export const abs32 = (label, plus = 0) => ({ label, plus, size: 4, relative: false });
export const abs16 = (label, plus = 0) => ({ label, plus, size: 2, relative: false });
export const rel32 = (label) => ({ label, plus: 0, size: 4, relative: true });
export const rel16 = (label) => ({ label, plus: 0, size: 2, relative: true });
/** Little-endian immediates. */
export const d32 = (value) => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, (value >>> 24) & 255];
export const d16 = (value) => [value & 255, (value >>> 8) & 255];

export class Assembler {
  constructor(origin) {
    this.origin = origin;
    this.bytes = [];
    this.labels = new Map();
    this.fixups = [];
    /** Offset and length of each instruction a fault may skip. */
    this.instructions = [];
    this.unique = 0;
  }

  get here() {
    return this.origin + this.bytes.length;
  }

  fresh(name = 'l') {
    return `${name}.${this.unique++}`;
  }

  label(name) {
    if (this.labels.has(name)) throw new Error(`label ${name} twice`);
    this.labels.set(name, this.here);
    return name;
  }

  address(name) {
    const found = this.labels.get(name);
    if (found === undefined) throw new Error(`no label ${name}`);
    return found;
  }

  /** One instruction of fixed parts: numbers, arrays of numbers, label references. Not skippable. */
  emit(...parts) {
    const start = this.bytes.length;
    for (const part of parts.flat(3)) {
      if (typeof part === 'number') {
        this.bytes.push(part & 255);
      } else {
        this.fixups.push({ at: this.bytes.length, ...part });
        for (let i = 0; i < part.size; i++) this.bytes.push(0);
      }
    }
    return this.bytes.length - start;
  }

  /** One instruction that a fault may skip. */
  skippable(...parts) {
    const at = this.bytes.length;
    const length = this.emit(...parts);
    this.instructions.push({ at, length });
  }

  align(boundary) {
    while (this.here % boundary !== 0) this.bytes.push(0x90);
  }

  /** Puts the labels' addresses in. */
  finish() {
    for (const { at, label, plus, size, relative } of this.fixups) {
      const target = this.address(label) + plus;
      const value = relative ? target - (this.origin + at + size) : size === 2 ? target - this.origin : target;
      for (let i = 0; i < size; i++) this.bytes[at + i] = (value >>> (8 * i)) & 255;
    }
    return this.bytes;
  }
}
