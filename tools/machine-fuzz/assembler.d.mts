/** The types of assembler.mjs, for tests that put small programs together. */
export interface Reference {
  readonly label: string;
  readonly plus: number;
  readonly size: number;
  readonly relative: boolean;
}
type Part = number | Reference | readonly Part[];
export declare function abs32(label: string, plus?: number): Reference;
export declare function abs16(label: string, plus?: number): Reference;
export declare function rel32(label: string): Reference;
export declare function rel16(label: string): Reference;
export declare function d32(value: number): number[];
export declare function d16(value: number): number[];
export declare class Assembler {
  constructor(origin: number);
  readonly here: number;
  address(name: string): number;
  label(name: string): string;
  address(name: string): number;
  emit(...parts: Part[]): number;
  finish(): number[];
}
