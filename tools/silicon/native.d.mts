/** The types of native.mjs, for specs. What the fields mean: packages/cpu/src/testing/user-environment.ts. */
import type { UserCase, UserOutcome } from '../../packages/cpu/src/testing/user-environment.js';

export type Case = UserCase;
export interface Outcome extends Readonly<Omit<UserOutcome, 'kind'>> {
  readonly kind: UserOutcome['kind'] | 'died';
  /** Why the executor died. */
  readonly reason?: string;
}
export declare function nativeUnavailable(): string | undefined;
export declare class NativeExecutor {
  static start(): Promise<NativeExecutor>;
  readonly restarts: number;
  run(cases: readonly Case[]): Promise<Outcome[]>;
  stop(): Promise<void>;
}
