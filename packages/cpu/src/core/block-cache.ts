/**
 * Decoded code. The unit of execution is the `Block`; blocks live in tables per physical page, one slot per byte offset
 * and code size, and are found through the current code page (base.ts) or, on a change of page, through `fetchPage`.
 *
 * Life cycle of a block
 *  - made by `find` when the slot at its first byte is empty: decoding goes on to an instruction that ends blocks, to
 *    MAX_OPS, or to the last whole instruction of the page. The page is announced with `memory.markCode`, whereupon every
 *    core drops its fast write tags for it: from then on a write to it reaches `codeWritten`.
 *  - dies when one of its bytes changes: `codeWritten` clears its slot and `valid`, and if it is the running block makes
 *    the loop stop after the current instruction, so that the very next one is decoded from the new bytes. Lists
 *    of blocks by 64-byte chunks keep writes to data beside code cheap, and so code that writes its own operands.
 *  - a page whose last block died is reported as free of code, and gets fast write tags again.
 *
 * Not in the tables, hence looked up with care each time: an instruction that crosses into another page (the second page
 * is translated again at every entry, because its mapping may have changed while the first page's has not); code in
 * device memory or unclaimed space (decoded each time); code near the CS limit or at the end of a page only partly inside
 * the segment (instruction by instruction).
 *
 * Translation caches here behave as a TLB may: entries live until INVLPG or a flush. Both tag arrays carry the MMU's
 * generation, so any flush kills them; `invalidateTranslations` serves INVLPG.
 */
import { ACCESS_FETCH, PAGE_RAM, PAGE_ROM, PHYS_BASE, type CodeListener } from '@ringfence/sdk';
import { Decoder, MAX_INSTRUCTION } from '../decode/decoder.js';
import type { DecodeTable } from '../decode/form.js';
import { Block, type Handler, type Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import type { CpuBase } from './base.js';
import { translate } from './slow-access.js';

const MAX_OPS = 64;
/** Code pages kept before everything is dropped: bounds the tables to about 128 MiB. */
const MAX_PAGES = 4096;
/** Decoded operations kept: a hostile guest may jump to every byte of its memory. About 200 bytes each. */
const MAX_DECODED = 1_500_000;
const FETCH_ENTRIES = 256;

type BlockTable = (Block | undefined)[];

/** Of every chunk without code; never changed. */
const NO_BLOCKS: Block[] = [];

/** One physical page's decoded code. */
class CodePage {
  /** By code size: slot per byte offset. */
  readonly tables: (BlockTable | undefined)[] = [undefined, undefined];
  /** Blocks that cross into the next page, and blocks cut to one instruction for a step: by offset * 2 + code size. */
  readonly crossing = new Map<number, Block>();
  readonly cuts = new Map<number, Block>();
  /** Every valid block with a byte in this page, by the 64-byte chunks it reaches into. */
  readonly chunks = new Array<Block[]>(64).fill(NO_BLOCKS);
  /** How many they are. */
  count = 0;

  constructor(readonly number: number) {}

  table(mode: number): BlockTable {
    return (this.tables[mode] ??= new Array<Block | undefined>(4096).fill(undefined));
  }

  /** First and last+1 byte of `block` within this page. */
  startOf(block: Block): number {
    return block.address >>> 12 === this.number ? block.address & 0xfff : 0;
  }

  endOf(block: Block): number {
    if (block.address >>> 12 !== this.number) return block.bytes - (4096 - (block.address & 0xfff));
    return Math.min(4096, (block.address & 0xfff) + block.bytes);
  }

  add(block: Block): void {
    const last = (this.endOf(block) - 1) >> 6;
    for (let chunk = this.startOf(block) >> 6; chunk <= last; chunk++) {
      if (this.chunks[chunk] === NO_BLOCKS) this.chunks[chunk] = [block];
      else this.chunks[chunk].push(block);
    }
    this.count++;
  }

  /** Preconditions: it has been added. */
  remove(block: Block): void {
    const last = (this.endOf(block) - 1) >> 6;
    for (let chunk = this.startOf(block) >> 6; chunk <= last; chunk++) {
      const list = this.chunks[chunk];
      const at = list.indexOf(block);
      const moved = list.pop();
      if (moved !== block) list[at] = moved!;
    }
    this.count--;
  }
}

/** Jcc leaves its block when taken; when it is not, the block goes on. */
function isConditionalJump(op: Op): boolean {
  const { map, opcode } = op.row;
  return (opcode & 0xf0) === (map === 1 ? 0x70 : 0x80);
}

export class BlockCache implements CodeListener {
  private readonly pages = new Map<number, CodePage>();
  /** Direct-mapped by linear page, a bank per privilege: tag = linear page | generation. */
  private readonly fetchTags = new Int32Array(FETCH_ENTRIES * 2);
  private readonly fetchPages: (CodePage | undefined)[] = new Array<CodePage | undefined>(FETCH_ENTRIES * 2).fill(
    undefined,
  );
  private fetchGeneration = 0;
  /** Operations in valid blocks. */
  private decoded = 0;
  private readonly decoder: Decoder;
  private readonly scratch = new Uint8Array(2 * MAX_INSTRUCTION);

  constructor(
    private readonly c: CpuBase,
    table: DecodeTable,
    sensitiveGate: ((row: OpcodeRow) => Handler) | undefined,
  ) {
    this.decoder = new Decoder(table, sensitiveGate);
  }

  /**
   * The block at CS:EIP, which may be run whole; raises #PF or #GP(0) for an instruction that cannot be fetched. With
   * `single` only the first instruction of it will be run (and no more than that need be decoded).
   */
  find(eip: number, single: boolean): Block {
    const c = this.c;
    if (eip >>> 0 > c.csLimit) c.gp(0);
    const linear = (c.csBase + eip) | 0;
    const offset = linear & 0xfff;
    if (this.decoded > MAX_DECODED) this.clear();
    const page = this.fetchPage(linear);
    if (page === undefined) return this.fetchUncached(linear, eip);
    const mode = c.codeMode;
    const table = page.table(mode);
    let block = table[offset] ?? (single ? page.cuts.get(offset * 2 + mode) : undefined);
    if (block === undefined) {
      block = this.decodeBlock(page, offset, mode, single ? 1 : MAX_OPS);
      if (block === undefined) return this.findCrossing(page, linear, eip);
      if (single) page.cuts.set(offset * 2 + mode, block);
      else table[offset] = block;
    }
    const left = 4096 - offset;
    if ((eip >>> 0) + left - 1 <= c.csLimit) {
      c.codePage = linear >>> 12;
      c.codeBlocks = table;
      c.codeGeneration = c.mmu.generation;
      return block;
    }
    return (eip >>> 0) + block.bytes - 1 <= c.csLimit ? block : this.firstWithinLimit(block, eip);
  }

  /** INVLPG: forgets every translation (the page may be part of a 4 MiB one). */
  invalidateTranslations(): void {
    this.fetchTags.fill(0);
    this.c.codePage = -1;
  }

  codePageAdded(page: number): void {
    this.c.mmu.dropWriteTags(page);
  }

  codeWritten(address: number, bytes: number): boolean {
    const number = address >>> 12;
    const page = this.pages.get(number);
    if (page === undefined) return false;
    const from = address & 0xfff;
    const to = from + bytes;
    for (let chunk = from >> 6; chunk <= (to - 1) >> 6; chunk++) {
      const list = page.chunks[chunk];
      // Backwards: a dropped block's place is taken by the last one, which has been looked at.
      for (let i = list.length - 1; i >= 0; i--) {
        const block = list[i];
        if (page.startOf(block) < to && page.endOf(block) > from) this.drop(block);
      }
    }
    return page.count !== 0;
  }

  /** Forgets everything: loading a state, or too many pages. */
  clear(): void {
    for (const { chunks } of this.pages.values())
      for (const list of chunks) for (const block of list) block.valid = false;
    this.pages.clear();
    this.decoded = 0;
    this.fetchTags.fill(0);
    this.fetchPages.fill(undefined);
    this.c.codePage = -1;
    this.c.endBlock();
  }

  /** Decodes at a linear address without executing, without side effects; undefined when bytes cannot be fetched. */
  peek(linear: number, user: number, mode: number): Op | undefined {
    const c = this.c;
    let count = 0;
    for (; count < MAX_INSTRUCTION; count++) {
      const physical = c.mmu.probe((linear + count) | 0, ACCESS_FETCH, user);
      if (physical < 0) break;
      this.scratch[count] =
        (c.space.kind[physical >>> 12] & (PAGE_RAM | PAGE_ROM)) !== 0 ? c.space.read(physical, 1) : 0xff;
    }
    return this.decoder.decode(this.scratch, 0, count, mode);
  }

  private drop(block: Block): void {
    block.valid = false;
    this.decoded -= block.count;
    const first = this.pages.get(block.address >>> 12);
    if (first !== undefined) {
      first.remove(block);
      const offset = block.address & 0xfff;
      const key = offset * 2 + block.mode;
      if (block.crossPage >= 0) first.crossing.delete(key);
      else if (block.cut) first.cuts.delete(key);
      else first.table(block.mode)[offset] = undefined;
    }
    if (block.crossPage >= 0) this.pages.get(block.crossPage)?.remove(block);
    if (this.c.ops === block.ops) this.c.endBlock();
  }

  /** Translates for fetching. Undefined: not RAM or ROM. */
  private fetchPage(linear: number): CodePage | undefined {
    const c = this.c;
    const generation = c.mmu.generation;
    if (generation < this.fetchGeneration) this.fetchTags.fill(0); // generations started again
    this.fetchGeneration = generation;
    const index = ((linear >>> 12) & (FETCH_ENTRIES - 1)) + (c.user !== 0 ? FETCH_ENTRIES : 0);
    const tag = (linear & -4096) | generation;
    if (this.fetchTags[index] === tag) return this.fetchPages[index];
    const physical = translate(c, linear, ACCESS_FETCH, c.user);
    const number = physical >>> 12;
    if ((c.space.kind[number] & (PAGE_RAM | PAGE_ROM)) === 0 || number >= c.memory.codePages.length) return undefined;
    const page = this.page(number);
    this.fetchTags[index] = tag;
    this.fetchPages[index] = page;
    return page;
  }

  private page(number: number): CodePage {
    let page = this.pages.get(number);
    if (page === undefined) {
      if (this.pages.size >= MAX_PAGES) this.clear();
      page = new CodePage(number);
      this.pages.set(number, page);
    }
    return page;
  }

  /** Undefined when already the first instruction leaves the page. */
  private decodeBlock(page: CodePage, offset: number, mode: number, most: number): Block | undefined {
    const bytes = this.c.memory.u8;
    const start = PHYS_BASE + page.number * 4096 + offset;
    const stop = PHYS_BASE + page.number * 4096 + 4096;
    const ops: Op[] = [];
    let at = start;
    let ended = false;
    while (!ended && ops.length < most && at < stop) {
      const op = this.decoder.decode(bytes, at, stop, mode);
      if (op === undefined) break;
      op.off = at - start;
      op.next = op.off + op.length;
      at += op.length;
      ops.push(op);
      ended = op.row.ends === true && !isConditionalJump(op);
    }
    if (ops.length === 0) return undefined;
    const block = new Block(page.number * 4096 + offset, ops, at - start, mode, -1);
    block.cut = most === 1;
    this.c.memory.markCode(page.number);
    page.add(block);
    this.decoded += ops.length;
    return block;
  }

  private findCrossing(page: CodePage, linear: number, eip: number): Block {
    const c = this.c;
    const offset = linear & 0xfff;
    const inPage = 4096 - offset;
    if ((eip >>> 0) + inPage > c.csLimit) c.gp(0);
    const second = translate(c, (linear + inPage) | 0, ACCESS_FETCH, c.user);
    const mode = c.codeMode;
    const known = page.crossing.get(offset * 2 + mode);
    if (known !== undefined) {
      if (known.crossPage === second >>> 12 && (eip >>> 0) + known.bytes - 1 <= c.csLimit) return known;
      this.drop(known);
    }
    const cacheable = (c.space.kind[second >>> 12] & (PAGE_RAM | PAGE_ROM)) !== 0;
    const bytes = this.scratch;
    const first = PHYS_BASE + page.number * 4096 + offset;
    for (let i = 0; i < MAX_INSTRUCTION; i++) {
      bytes[i] = i < inPage ? c.memory.u8[first + i] : cacheable ? c.memory.u8[PHYS_BASE + second + i - inPage] : 0xff;
    }
    const op = this.decoder.decode(bytes, 0, MAX_INSTRUCTION, mode)!;
    op.next = op.length;
    if ((eip >>> 0) + op.length - 1 > c.csLimit) c.gp(0);
    const block = new Block(page.number * 4096 + offset, [op], op.length, mode, second >>> 12);
    if (cacheable && second >>> 12 !== page.number && op.length > inPage) {
      page.crossing.set(offset * 2 + mode, block);
      page.add(block);
      this.decoded++;
      this.page(second >>> 12).add(block);
      c.memory.markCode(page.number);
      c.memory.markCode(second >>> 12);
    }
    return block;
  }

  /** Code in device memory or nowhere: decoded anew at each execution. */
  private fetchUncached(linear: number, eip: number): Block {
    const c = this.c;
    const bytes = this.scratch;
    for (let i = 0; i < MAX_INSTRUCTION; i++) {
      const at = (linear + i) | 0;
      const physical =
        i === 0 || (at & 0xfff) === 0 ? translate(c, at, ACCESS_FETCH, c.user) : c.mmu.probe(at, ACCESS_FETCH, c.user);
      bytes[i] = physical < 0 ? 0xff : c.space.read(physical, 1);
    }
    const op = this.decoder.decode(bytes, 0, MAX_INSTRUCTION, c.codeMode)!;
    op.next = op.length;
    if ((eip >>> 0) + op.length - 1 > c.csLimit) c.gp(0);
    return new Block(-1, [op], op.length, c.codeMode, -1);
  }

  /** The first instruction of a block that reaches beyond the CS limit. */
  private firstWithinLimit(block: Block, eip: number): Block {
    const op = block.ops[0];
    if ((eip >>> 0) + op.length - 1 > this.c.csLimit) this.c.gp(0);
    return new Block(-1, [op], op.length, block.mode, -1);
  }
}
