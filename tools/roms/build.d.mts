/** The types of build.mjs, for its spec. */
export declare function assemble(): Uint8Array;
export declare function moduleOf(rom: Uint8Array): string;
export declare function reasonNotToAssemble(): string | undefined;
