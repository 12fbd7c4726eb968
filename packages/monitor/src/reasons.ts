/**
 * Names of exit reasons in a report. A trapped instruction is named after itself, a reflected exception after its vector.
 */
const VECTOR_NAMES: Readonly<Record<number, string>> = {
  0: 'divide-error',
  1: 'debug',
  3: 'breakpoint',
  4: 'overflow',
  5: 'bound-range',
  6: 'invalid-opcode',
  7: 'device-not-available',
  8: 'double-fault',
  10: 'invalid-tss',
  11: 'segment-not-present',
  12: 'stack-fault',
  13: 'general-protection',
  14: 'page-fault',
  16: 'x87-error',
  17: 'alignment-check',
};

export function exceptionReason(vector: number): string {
  return VECTOR_NAMES[vector] ?? `vector-${vector}`;
}

/** Made once per mnemonic: this is asked at every trapped instruction. */
const instructionNames = new Map<string, string>();

export function instructionReason(mnemonic: string): string {
  let name = instructionNames.get(mnemonic);
  if (name === undefined) {
    name = `instruction-${mnemonic
      .trim()
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')}`;
    instructionNames.set(mnemonic, name);
  }
  return name;
}
