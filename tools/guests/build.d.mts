/** The types of build.mjs, for its spec. */
export declare const guestNames: readonly string[];
export declare function toolchain(): { compiler: string; assembler: string; linker: string } | undefined;
export declare function readManifest(): {
  toolchain: Record<string, string>;
  images: Record<string, { bytes: number; sha256: string }>;
};
export declare function reasonNotToCompare(): string | undefined;
export declare function buildAll(): Map<string, Uint8Array>;
export declare function differences(files: ReadonlyMap<string, Uint8Array>): string[];
