/** The types of native.mjs, for specs. What the fields mean: packages/cpu/src/testing/user-environment.ts. */
export interface Case {
  readonly code: Uint8Array;
  readonly codeAt: number;
  readonly regs: ArrayLike<number>;
  readonly eip: number;
  readonly eflags: number;
  readonly seg: ArrayLike<number>;
  readonly patches: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  readonly fx?: Uint8Array;
}
export interface Outcome {
  readonly kind: 'trap' | 'hang' | 'setup' | 'syscall' | 'died';
  /** Why the executor died. */
  readonly reason?: string;
  readonly vector: number;
  readonly errorCode: number;
  readonly cr2: number;
  readonly regs: Uint32Array;
  readonly eip: number;
  readonly eflags: number;
  readonly seg: Uint16Array;
  readonly fx: Uint8Array;
  readonly changes: Uint32Array;
}
export declare function nativeUnavailable(): string | undefined;
export declare class NativeExecutor {
  static start(): Promise<NativeExecutor>;
  readonly restarts: number;
  run(cases: readonly Case[]): Promise<Outcome[]>;
  stop(): Promise<void>;
}
