/**
 * The assist's gate before the sensitive instructions: those that read or change privileged state without trapping below
 * ring 0 (SGDT SIDT SLDT STR SMSW PUSHF POPF LAR LSL VERR VERW POP-Sreg PUSH-Sreg MOV-from-Sreg far-CALL far-JMP RETF
 * IRET; INT n has its gate's DPL). With ASSIST_TRAP_SENSITIVE they raise #GP(0) at CPL 1, 2 and 3. In virtual-8086 mode
 * most of them are harmless or trap anyway; those that still would leak (SGDT, SIDT, SMSW) raise #GP(0) there too.
 */
import { VEC_GP, type Assist } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { Handler, Op } from '../op.js';
import type { OpcodeRow } from '../table/row.js';
import { actsOnVif, ring1Handlers } from './ring1-flags.js';

const LEAKS_IN_V86: ReadonlySet<string> = new Set(['sgdt', 'sidt', 'smsw']);

function trapGate(c: Cpu, op: Op): void {
  if (c.trapSensitive && (!c.isV86 || LEAKS_IN_V86.has(op.row.mnemonic))) c.softFault(VEC_GP, 0);
  else op.inner(c, op);
}

function virtualGate(handler: Handler): Handler {
  return (c, op) => {
    if (actsOnVif(c)) handler(c, op);
    else trapGate(c, op);
  };
}

const virtualGates: ReadonlyMap<string, Handler> = new Map(
  Object.entries(ring1Handlers).map(([mnemonic, handler]) => [mnemonic, virtualGate(handler)]),
);

/** What stands before the handler of a sensitive row on a core with such an assist; undefined: nothing does. */
export function sensitiveGates(assist: Assist): ((row: OpcodeRow) => Handler) | undefined {
  if (assist === 'none') return undefined;
  return assist === 'vif' ? (row) => virtualGates.get(row.mnemonic) ?? trapGate : () => trapGate;
}
