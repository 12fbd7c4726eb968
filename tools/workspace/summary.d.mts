/** The types of summary.mjs, for its spec. */
export interface Sum {
  passed: number;
  failed: number;
  skipped: number;
}
export interface Report {
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}
export declare function sumReports(folder: string): Sum;
export declare function addReport(sum: Sum, report: Report): void;
