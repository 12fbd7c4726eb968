/** The types of packages.mjs, for the specs that import it. */
export declare const root: string;
export interface WorkspacePackage {
  readonly dir: string;
  readonly manifest: { readonly name: string } & Readonly<Record<string, unknown>>;
  readonly workspaceDeps: readonly string[];
}
export declare function listPackages(): WorkspacePackage[];
