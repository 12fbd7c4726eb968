/**
 * Disassembly and the memory an instruction names, by iced-x86, and so told by another decoder than the one that
 * executes. Results are kept by address and bytes: a loop is decoded once. Memory is given as a recipe (segment, base,
 * index, displacement); operands.ts works out addresses from the registers.
 * Not known here: memory that is reached through descriptors and gates, and page-table walks.
 */
import {
  Decoder,
  DecoderOptions,
  Formatter,
  FormatterSyntax,
  InstructionInfoFactory,
  MemorySizeExt,
  Mnemonic,
  OpAccess,
  OpKind,
  Register,
  type Instruction,
  type UsedMemory,
} from 'iced-x86';

/** The longest an instruction can be (SDM Vol. 2A, 2.3.11). */
export const MAX_INSTRUCTION_BYTES = 15;
const KEPT = 50_000;

/** A byte stretch that an instruction names. Registers are numbered as encoded; -1 none. */
export interface MemoryRecipe {
  readonly segment: number;
  readonly base: number;
  readonly index: number;
  /** The index is AL (XLAT). */
  readonly byteIndex: boolean;
  readonly scale: number;
  readonly displacement: number;
  /** 16 or 32: where the offset wraps; 0: as wide as the stack. */
  readonly width: 0 | 16 | 32;
  readonly size: number;
  readonly reads: boolean;
  readonly writes: boolean;
  /** BT and kin with a bit offset in this register, which reaches beyond the operand; -1 else. */
  readonly bitOffset: number;
}

export interface Disassembly {
  readonly text: string;
  readonly length: number;
  readonly memory: readonly MemoryRecipe[];
  /** Does nothing when the count register (masked by this) is 0; 0 for an instruction without REP. */
  readonly repMask: number;
}

const READS: ReadonlySet<OpAccess> = new Set([
  OpAccess.Read,
  OpAccess.CondRead,
  OpAccess.ReadWrite,
  OpAccess.ReadCondWrite,
]);
const WRITES: ReadonlySet<OpAccess> = new Set([
  OpAccess.Write,
  OpAccess.CondWrite,
  OpAccess.ReadWrite,
  OpAccess.ReadCondWrite,
]);
const BIT_TESTS: ReadonlySet<Mnemonic> = new Set([Mnemonic.Bt, Mnemonic.Bts, Mnemonic.Btr, Mnemonic.Btc]);
const NONE = -1;

export class Disassembler {
  private readonly formatter = new Formatter(FormatterSyntax.Intel);
  private readonly factory = new InstructionInfoFactory();
  private readonly kept = new Map<string, Disassembly>();

  constructor() {
    const { formatter } = this;
    formatter.hexPrefix = '0x';
    formatter.hexSuffix = '';
    formatter.uppercaseHex = false;
    formatter.spaceAfterOperandSeparator = true;
  }

  /** `bytes`: at least the instruction's, in lower-case hexadecimal; `eip`: its offset within CS. */
  disassemble(bytes: string, eip: number, wide: boolean): Disassembly {
    const key = `${wide ? 'w' : 'n'}${eip}:${bytes}`;
    const known = this.kept.get(key);
    if (known !== undefined) return known;
    if (this.kept.size >= KEPT) this.kept.clear();
    const made = this.decode(bytes, eip, wide);
    this.kept.set(key, made);
    return made;
  }

  private decode(bytes: string, eip: number, wide: boolean): Disassembly {
    const decoder = new Decoder(wide ? 32 : 16, Buffer.from(bytes, 'hex'), DecoderOptions.None);
    decoder.ip = BigInt(wide ? eip >>> 0 : eip & 0xffff);
    const instruction = decoder.decode();
    const known = !instruction.isInvalid;
    const result: Disassembly = {
      text: known ? this.formatter.format(instruction) : '(bad)',
      length: known ? instruction.length : 0,
      memory: known ? this.memoryOf(instruction) : [],
      repMask: known ? repMaskOf(instruction, bytes, wide) : 0,
    };
    instruction.free();
    decoder.free();
    return result;
  }

  private memoryOf(instruction: Instruction): MemoryRecipe[] {
    const info = this.factory.info(instruction);
    const recipes: MemoryRecipe[] = [];
    for (const used of info.usedMemory() as UsedMemory[]) {
      const reads = READS.has(used.access);
      const writes = WRITES.has(used.access);
      // iced leaves the size of what REP repeats open; we run one iteration at a time.
      const size = MemorySizeExt.size(used.memorySize) || MemorySizeExt.size(instruction.memorySize);
      if ((reads || writes) && size > 0) recipes.push(recipe(used, instruction, size, reads, writes));
      used.free();
    }
    info.free();
    return recipes;
  }
}

function recipe(
  used: UsedMemory,
  instruction: Instruction,
  size: number,
  reads: boolean,
  writes: boolean,
): MemoryRecipe {
  const { base, index } = used;
  const narrow = isWord(base) || isWord(index);
  const displacement = Number(BigInt.asIntN(32, used.displacement));
  const bits = BIT_TESTS.has(instruction.mnemonic) && instruction.op1Kind === OpKind.Register;
  return {
    segment: used.segment - Register.ES,
    base: base === Register.None ? NONE : numberOf(base),
    index: index === Register.None ? NONE : index === Register.AL ? 0 : numberOf(index),
    byteIndex: index === Register.AL,
    scale: used.scale,
    // iced gives a displacement of 16 bits as it stands; a push's -2 is 0xFFFE.
    displacement: narrow ? (displacement << 16) >> 16 : displacement,
    width: isImplicitStack(base, instruction) ? 0 : narrow ? 16 : 32,
    size,
    reads,
    writes,
    bitOffset: bits ? numberOf(instruction.op1Register) | (isWord(instruction.op1Register) ? WORD_BITS : 0) : NONE,
  };
}

/** Set in `bitOffset` when the offset is 16 bits wide. */
export const WORD_BITS = 8;

function isWord(register: Register): boolean {
  return register >= Register.AX && register <= Register.DI;
}

function numberOf(register: Register): number {
  return isWord(register) ? register - Register.AX : register - Register.EAX;
}

/** Push, pop and kin: how wide their ESP is says SS, not the instruction. No ModR/M form can name SP. */
function isImplicitStack(base: Register, instruction: Instruction): boolean {
  if (base === Register.SP) return true;
  return base === Register.ESP && instruction.isStackInstruction && instruction.memoryBase !== Register.ESP;
}

/** The count register's mask of a string instruction with REP: the address size decides. */
function repMaskOf(instruction: Instruction, bytes: string, wide: boolean): number {
  if (!instruction.isStringInstruction || !(instruction.hasRepPrefix || instruction.hasRepnePrefix)) return 0;
  let narrow = !wide;
  for (let at = 0; at < instruction.length * 2; at += 2) {
    const byte = bytes.slice(at, at + 2);
    if (byte === '67') narrow = wide;
    else if (!/^(26|2e|36|3e|64|65|66|f0|f2|f3)$/.test(byte)) break;
  }
  return narrow ? 0xffff : -1;
}
