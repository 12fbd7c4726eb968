/**
 * VGA text console.
 *
 * A placeholder: the package has no source yet.
 */
export {};
