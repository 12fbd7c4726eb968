/**
 * The assist's gate before the sensitive instructions: those that read or change privileged state without trapping below
 * ring 0 (SGDT SIDT SLDT STR SMSW PUSHF POPF LAR LSL VERR VERW POP-Sreg PUSH-Sreg MOV-from-Sreg far-CALL far-JMP RETF
 * IRET; INT n has its gate's DPL). With ASSIST_TRAP_SENSITIVE they raise #GP(0) at CPL 1, 2 and 3. In virtual-8086 mode
 * most of them are harmless or trap anyway; those that still would leak (SGDT, SIDT, SMSW) raise #GP(0) there too.
 */
import { VEC_GP } from '@ringfence/sdk';
import type { Cpu } from '../cpu.js';
import type { Op } from '../op.js';

const LEAKS_IN_V86: ReadonlySet<string> = new Set(['sgdt', 'sidt', 'smsw']);

export function sensitiveGate(c: Cpu, op: Op): void {
  if (c.trapSensitive && (!c.isV86 || LEAKS_IN_V86.has(op.row.mnemonic))) c.softFault(VEC_GP, 0);
  else op.inner(c, op);
}
