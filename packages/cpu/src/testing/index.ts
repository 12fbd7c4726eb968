/**
 * What tests of whole instructions share with the tools that record them: the environment, our machine in it, vectors and how they are
 * read and compared, and the forms of the opcode table. Not part of the package's interface.
 */
export { divergences } from './divergences.js';
export { looseMnemonics } from './undefined.js';
export { UserMachine } from './user-machine.js';
export { compareVector, newMasked, operationOf, type Masked } from './vector-compare.js';
export { familyOf, uncovered, UNCOVERED } from './vector-families.js';
export { decodeVectors, encodeVectors, initialFx, FX_FIELDS, FX_NAMES, fxField, type Vector } from './vector-file.js';
export { allForms, formsOf, rowKey, type VectorForm } from './vector-forms.js';
export { opcodeRows } from '../table/index.js';
