/**
 * In what two machines differ at the same moment, as lines for people: registers and other fields of the saved
 * components by name, then stretches of guest RAM. Words of memory that differ in the accessed and dirty bits alone are left
 * out, as page tables may (design: "Comparing memory"), unless nothing else differs.
 */
import { PTE_A, PTE_D, type StateRecord, type StateValue } from '@ringfence/sdk';
import { hex } from './hex.js';
import type { SavedState } from './types.js';

const MOST_FIELDS = 40;
const MOST_STRETCHES = 12;
const SHOWN_BYTES = 16;
const AD_BITS = PTE_A | PTE_D;

/** One line per difference; empty when there is none. */
export function stateDifference(a: SavedState, b: SavedState): string[] {
  const lines: string[] = [];
  const names = [...new Set([...Object.keys(a.components), ...Object.keys(b.components)])];
  for (const name of names) {
    if (name === 'memory' || name === 'roots') continue;
    fields(name, valueOf(a.components[name]), valueOf(b.components[name]), lines);
  }
  const shown =
    lines.length > MOST_FIELDS ? [...lines.slice(0, MOST_FIELDS), `... ${lines.length} fields in all`] : lines;
  return [...shown, ...memoryLines(ramOf(a), ramOf(b))];
}

function valueOf(record: StateRecord | undefined): StateValue {
  return record?.data ?? null;
}

function ramOf(state: SavedState): Uint8Array {
  const bytes = state.components.memory?.data.bytes;
  return bytes instanceof Uint8Array ? bytes : new Uint8Array();
}

function fields(path: string, a: StateValue, b: StateValue, lines: string[]): void {
  if (isRecord(a) && isRecord(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      fields(`${path}.${key}`, a[key] ?? null, b[key] ?? null, lines);
    }
    return;
  }
  const [x, y] = [textOf(a), textOf(b)];
  if (x !== y) lines.push(`${path}: A ${x}, B ${y}`);
}

function isRecord(value: StateValue): value is { readonly [key: string]: StateValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function textOf(value: StateValue): string {
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) < 2 ** 32 ? hex(value) : String(value);
  if (value instanceof Uint8Array) return bytesText(value, 0, value.length);
  return JSON.stringify(value);
}

function memoryLines(a: Uint8Array, b: Uint8Array): string[] {
  if (a.length !== b.length) return [`memory: A ${a.length} bytes, B ${b.length} bytes`];
  const real = stretches(a, b, ~AD_BITS);
  const found = real.length > 0 ? real : stretches(a, b, -1);
  const lines = found.slice(0, MOST_STRETCHES).map(([from, to]) => {
    const what = `memory ${hex(from)}.${to - from}`;
    return `${what}: A ${bytesText(a, from, to)}, B ${bytesText(b, from, to)}`;
  });
  if (found.length > MOST_STRETCHES) lines.push(`... ${found.length} stretches of memory in all`);
  return lines;
}

/** Byte ranges, whole words, in which the two differ under the mask. */
function stretches(a: Uint8Array, b: Uint8Array, mask: number): [from: number, to: number][] {
  const [x, y] = [
    new Int32Array(a.buffer, a.byteOffset, a.length >> 2),
    new Int32Array(b.buffer, b.byteOffset, b.length >> 2),
  ];
  const found: [number, number][] = [];
  for (let i = 0; i < x.length; i++) {
    if (((x[i] ^ y[i]) & mask) === 0) continue;
    const last = found.at(-1);
    if (last !== undefined && last[1] === i * 4) last[1] += 4;
    else found.push([i * 4, i * 4 + 4]);
  }
  return found;
}

function bytesText(bytes: Uint8Array, from: number, to: number): string {
  const shown = Math.min(to, from + SHOWN_BYTES);
  let text = '';
  for (let i = from; i < shown; i++) text += hex(bytes[i], 2);
  return shown < to ? `${text}...` : text;
}
