/** XMM registers and MXCSR within a core's saved state, by name: one field per 32 bits. */
import { MXCSR, stateFields, stateNumber, XMM, XMM_WORDS, type StateRecord, type StateValue } from '@ringfence/sdk';
import type { SseState } from './state.js';

/** Name of each word. */
const WORDS: readonly (readonly [string, number])[] = [
  ['mxcsr', MXCSR],
  ...Array.from({ length: 8 }, (_, n) => n).flatMap((n) =>
    Array.from({ length: XMM_WORDS }, (_, i) => [`xmm${n}Word${i}`, XMM + n * XMM_WORDS + i] as const),
  ),
];

export function saveSseState(sse: SseState): StateValue {
  const fields: { [key: string]: StateValue } = {};
  for (const [name, word] of WORDS) fields[name] = sse.w[word];
  return fields;
}

/** The words that field `sse` of a core's record asks for; RF_BAD_STATE for a bad one. */
export function readSseState(data: StateRecord['data']): readonly (readonly [number, number])[] {
  const fields = stateFields(data, 'sse');
  return WORDS.map(([name, word]) => [word, stateNumber(fields, name)] as const);
}
