/** The types of ours.mjs, for specs. */
import type { Case, Outcome } from './native.mjs';

export interface Ours {
  readonly instructions: number;
  run(c: Case): Outcome;
}
/** What a broken handler may look at. */
interface Core {
  readonly state: Int32Array;
}
interface Operation {
  readonly dst: number;
  readonly src: number;
  readonly imm: number;
}
export declare function makeOurs(): Ours;
export declare function brokenOurs(mnemonic: string, opcode: number, handler: (c: Core, op: Operation) => void): Ours;
