/**
 * The reference interpreter for IA-32 processors.
 *
 * A placeholder: the package has no source yet.
 */
export {};
