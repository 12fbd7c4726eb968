/**
 * Makes a case (user-environment.ts) of a generated sequence: lays the instructions out, fills in branch targets, and notes for
 * compare.mjs what is open at each instruction. A sequence that lies in writable memory is a patch; others are code.
 */
import { CODE_BASE, CODE_BYTES } from '../../packages/cpu/dist/testing/user-environment.js';
import { baseOf } from './address.mjs';
import { le } from './fuzz-table.mjs';

const INT3 = 0xcc;
/** INT3s around code in data: what CODE_BASE has of itself. */
const MARGIN = 32;

/** A case of user-environment.ts from a sequence, with what compare.mjs wants to know. */
export function assemble(sequence) {
  const { items } = sequence;
  const ats = [];
  let at = sequence.codeAt;
  for (const item of items) {
    ats.push(at);
    at += item.bytes.length;
  }
  ats.push(at);
  const end = sequence.inData ? at : Math.min(at, CODE_BASE + CODE_BYTES);
  const code = new Uint8Array(end - sequence.codeAt);
  const patches = [...sequence.patches];
  const taints = new Map();
  items.forEach((item, i) => {
    const bytes = Uint8Array.from(item.bytes);
    const target = (fix) => ats[Math.min(fix.target, items.length)];
    if (item.fix) {
      const { length, relative } = item.fix;
      const from = item.fix.at ?? bytes.length - length;
      const base = relative ? ats[i + 1] : (item.fix.base ?? baseOf(item.cs));
      const value = target(item.fix) + (item.fix.add ?? 0) - base;
      bytes.set(le(value, length), from);
    }
    if (item.memoryFix) {
      const { at: where, length, base, selector } = item.memoryFix;
      patches.push({
        at: where,
        bytes: Uint8Array.from([
          ...le(target(item.memoryFix) - base, length),
          ...(selector === undefined ? [] : le(selector, 2)),
        ]),
      });
    }
    const from = ats[i] - sequence.codeAt;
    if (from < code.length) code.set(bytes.subarray(0, code.length - from), from);
    taints.set(ats[i], { flags: item.taint, c1: item.c1, name: item.key.split(' ')[0] });
  });
  taints.set(at, { flags: sequence.endTaint, c1: sequence.endC1, name: '' });
  if (sequence.inData) {
    const around = new Uint8Array(code.length + 2 * MARGIN).fill(INT3);
    around.set(code, MARGIN);
    patches.push({ at: sequence.codeAt - MARGIN, bytes: around });
  }
  return {
    code: sequence.inData ? new Uint8Array(0) : code,
    codeAt: sequence.inData ? CODE_BASE : sequence.codeAt,
    ...(sequence.inData ? { inData: { from: sequence.codeAt, to: at + MARGIN } } : {}),
    regs: sequence.regs,
    eip: (sequence.codeAt - baseOf(sequence.seg[1])) >>> 0,
    eflags: sequence.eflags,
    seg: sequence.seg,
    patches,
    ...(sequence.fx ? { fx: sequence.fx } : {}),
    taints,
    ats,
    ignore: sequence.ignore,
    final: sequence.final,
  };
}
