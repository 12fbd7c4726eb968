/**
 * Our side of a comparison: the user-mode machine of packages/cpu (built: `npm run build`) over the real MMU with page tables in
 * its memory, model pentium4. Same cases and outcomes as native.mjs, but synchronous.
 */
import { UserMachine } from '../../packages/cpu/dist/testing/user-machine.js';
import { PENTIUM4 } from '../../packages/cpu/dist/models.js';
import { opcodeRows } from '../../packages/cpu/dist/table/index.js';
import { PagingMmu } from '../../packages/mmu/dist/index.js';

export function makeOurs(model = PENTIUM4) {
  const { pse, pge, pae } = model.features;
  return new UserMachine(
    (memory, space) => new PagingMmu({ memory, space, slot: 0, features: { pse, pge, pae } }),
    model,
  );
}

/** The same with one instruction broken: the register form with 32-bit operands of the row gets another handler. For tests of the fuzzer. */
export function brokenOurs(mnemonic, opcode, handler) {
  const row = opcodeRows.find((each) => each.mnemonic === mnemonic && each.opcode === opcode);
  const { r32 } = row.handlers;
  row.handlers.r32 = handler;
  try {
    return makeOurs();
  } finally {
    row.handlers.r32 = r32;
  }
}
