/** The types of node24.mjs, for its spec. */
export declare function runningNodeIsNewEnough(): boolean;
export declare function findNode24(): string | undefined;
export declare function nodeTooOldMessage(): string;
export declare function run(command: string, args: readonly string[], options?: object): Promise<number>;
export declare function launch(binUrl: string): Promise<void>;
