/**
 * The FPU within a core's saved state: named fields, registers by their physical number. Contents of empty registers are
 * saved too, because FSAVE shows them.
 */
import {
  FPU_CONTROL,
  FPU_CS,
  FPU_DP,
  FPU_DS,
  FPU_FERR,
  FPU_IP,
  FPU_OPCODE,
  FPU_REGISTERS,
  FPU_REGISTER_WORDS,
  FPU_STATUS,
  FPU_TAGS,
  FPU_TOP,
  stateFields,
  stateNumber,
  type StateRecord,
  type StateValue,
} from '@ringfence/sdk';
import type { Fpu } from './fpu.js';

/** Name of each word. */
const WORDS: readonly (readonly [string, number])[] = [
  ['control', FPU_CONTROL],
  ['status', FPU_STATUS],
  ['top', FPU_TOP],
  ['tags', FPU_TAGS],
  ['opcode', FPU_OPCODE],
  ['instructionOffset', FPU_IP],
  ['instructionSelector', FPU_CS],
  ['dataOffset', FPU_DP],
  ['dataSelector', FPU_DS],
  ['errorReported', FPU_FERR],
  ...Array.from({ length: 8 }, (_, n) => n).flatMap((n) => {
    const at = FPU_REGISTERS + n * FPU_REGISTER_WORDS;
    return [[`r${n}Low`, at] as const, [`r${n}High`, at + 1] as const, [`r${n}SignExponent`, at + 2] as const];
  }),
];

export function saveFpuState(f: Fpu): StateValue {
  const fields: { [key: string]: StateValue } = {};
  for (const [name, word] of WORDS) fields[name] = f.w[word];
  return fields;
}

/** The words that field `fpu` of a core's record asks for; RF_BAD_STATE for a bad one. */
export function readFpuState(data: StateRecord['data']): readonly (readonly [number, number])[] {
  const fields = stateFields(data, 'fpu');
  return WORDS.map(([name, word]) => [word, stateNumber(fields, name)] as const);
}
