/** The types of fuzz.mjs and reach.mjs, for the test. */
export interface Parts {
  readonly createMachine: unknown;
  readonly createRegistry: unknown;
  readonly parseMachineConfig: unknown;
}
export interface Failure {
  readonly combination: unknown;
  readonly field: string;
  readonly bare: { readonly outcome: string; readonly retired: number };
  readonly ended: { readonly outcome: string; readonly retired: number; readonly detail?: string };
}
export declare function fuzzSeed(
  parts: Parts,
  seed: number,
  options: { readonly combinations?: number; readonly reach: import('./reach.mjs').Reach },
): { readonly program: { readonly model: string }; readonly failures: readonly Failure[] };
