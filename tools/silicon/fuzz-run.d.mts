/** The types of fuzz-run.mjs, for its spec. */
import type { Case, NativeExecutor, Outcome } from './native.mjs';
import type { Ours } from './ours.mjs';

export interface Counts {
  readonly sequences: number;
  readonly instructions: number;
  readonly failures: number;
  readonly vectors: Record<string, number>;
}
export interface Failure {
  readonly sequence: { readonly items: readonly { readonly key: string; readonly bytes: readonly number[] }[] };
  readonly case: Case;
  readonly native: Outcome;
  readonly ours: Outcome;
  readonly differences: readonly string[];
}
export interface FuzzOptions {
  readonly native: NativeExecutor;
  readonly ours: Ours;
  readonly seed: number;
  readonly sequences?: number;
  readonly instructions?: number;
  readonly failures?: number;
  readonly onFailure?: (number: number, failure: Failure) => void;
}
export declare function fuzz(options: FuzzOptions): Promise<Counts>;
export declare function failureText(failure: Failure, title: readonly string[]): string;
