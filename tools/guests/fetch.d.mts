/** The types of fetch.mjs, for specs that run the guests it fetches. */
export interface FetchedRecord {
  readonly package: string;
  readonly version: string;
  readonly packageSha256: string;
  readonly file: string;
  readonly sha256: string;
}
export type Fetched =
  | { readonly path: string; readonly record: FetchedRecord; readonly skip?: undefined }
  | { readonly path?: undefined; readonly skip: string };
export declare const cacheDir: string;
export declare const KNOWN_SHA256: string;
export declare function fetchMemtest(): FetchedRecord;
export declare function ensureMemtest(): Fetched;
