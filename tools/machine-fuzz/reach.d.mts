/** The types of reach.mjs, for the test. */
export declare class Reach {
  readonly programs: number;
  readonly runs: number;
  readonly retired: number;
  readonly outcomes: Record<string, number>;
  readonly models: Record<string, number>;
  readonly vectors: Record<string, number>;
  readonly levels: Record<string, number>;
  readonly blocks: Record<string, number>;
  readonly items: Record<string, number>;
  readonly marks: Record<string, number>;
  readonly exits: Record<string, number>;
  lines(): string[];
}
