/**
 * The part of a fuzzed kernel that runs in real mode and is the same in all of them: its vector table, a service that returns, the
 * timer, and a handler of exceptions that mixes what it sees into the sum, skips the instruction by its length, and gives the
 * block up (`realVector`) when it cannot. A virtual-8086 program whose INT n is redirected gets to the services too.
 */
import { abs16, d16, d32, rel16 } from './assembler.mjs';
import * as L from './layout.mjs';

const EXCEPTIONS = [0, 1, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 16, 17, 19];
const SERVICES = [0x21, 0x30, 0x31, 0x40, 0x42];
const CODE_SEGMENT = L.CODE >>> 4;
const VARS_SEGMENT = L.VARS >>> 4;
const at = (address) => d16(address - L.VARS);
const branch = (condition, label) => [0x0f, 0x80 | condition, rel16(label)];
const [E, S, AE, NS] = [4, 8, 3, 9];

/** mov word [vector], label; mov word [vector + 2], segment */
export function emitVectors(a) {
  const set = (vector, label) => [[0xc7, 0x05, d32(vector * 4)], [abs16(label)], d32(CODE_SEGMENT).slice(0, 2)];
  for (const vector of EXCEPTIONS) a.emit(set(vector, `realFault${vector}`));
  for (const vector of SERVICES) a.emit(set(vector, 'realService'));
}

export function emitRealHandlers(a) {
  a.label('realService');
  a.emit(0x2e, 0xff, 0x06, abs16('realServed'), 0xcf); // inc word cs:[]; iret
  a.label('realServed');
  a.emit(0, 0);
  for (const vector of EXCEPTIONS) {
    a.label(`realFault${vector}`);
    a.emit(0x6a, vector, 0xe9, rel16('realFault'));
  }
  a.label('realFault');
  a.emit(0x55, 0x89, 0xe5, 0x66, 0x50, 0x66, 0x53, 0x1e); // push bp; mov bp,sp; push eax, ebx, ds
  a.emit(0xb8, d16(VARS_SEGMENT), 0x8e, 0xd8);
  a.emit(0x66, 0xff, 0x0e, at(L.EVENTS), branch(S, 'realVector')); // dec dword [EVENTS]; js
  // vector, IP, CS, FLAGS into the sum
  for (const offset of [2, 4, 6, 8]) {
    a.emit(0x8b, 0x46, offset, 0x01, 0x06, at(L.SUM), 0x66, 0xc1, 0x06, at(L.SUM), 5);
  }
  a.emit(0x8b, 0x46, 2); // mov ax,[bp+2]
  for (const [vector, label] of [
    [1, 'realDebug'],
    [3, 'realRestore'],
    [4, 'realRestore'],
    [7, 'realNoDevice'],
    [16, 'realFloat'],
  ]) {
    a.emit(0x3c, vector, branch(E, label));
  }
  a.emit(0x66, 0xff, 0x0e, at(L.SKIPS), branch(S, 'realVector'));
  // eax = offset of the instruction in CODE; its length is the byte at the same offset in LENGTHS
  a.emit(0x66, 0x0f, 0xb7, 0x46, 6, 0x66, 0xc1, 0xe0, 4, 0x66, 0x0f, 0xb7, 0x5e, 4, 0x66, 0x01, 0xd8);
  a.emit(0x66, 0x2d, d32(L.CODE), 0x66, 0x3d, d32(L.CODE_BYTES), branch(AE, 'realVector'));
  a.emit(0x66, 0x89, 0xc3, 0x66, 0xc1, 0xeb, 4, 0x81, 0xc3, d16(L.LENGTHS >>> 4), 0x8e, 0xdb); // ds = LENGTHS + eax / 16
  a.emit(0x83, 0xe0, 15, 0x89, 0xc3, 0x8a, 0x07, 0x84, 0xc0, branch(E, 'realVector')); // al = [eax % 16]
  a.emit(0x30, 0xe4, 0x01, 0x46, 4); // add [bp+4],ax
  a.label('realRestore');
  a.emit(0x1f, 0x66, 0x5b, 0x66, 0x58, 0x5d, 0x83, 0xc4, 2, 0xcf); // pop ds, ebx, eax, bp; add sp,2; iret
  a.label('realDebug');
  a.emit(0x0f, 0x21, 0xf0, 0x66, 0x01, 0x06, at(L.SUM), 0x66, 0x31, 0xc0, 0x0f, 0x23, 0xf0); // add [SUM],dr6; dr6 = 0
  a.emit(0x66, 0xff, 0x0e, at(L.STEPS), branch(NS, 'realRestore'));
  // IRET of 16 bits sets no RF: an instruction breakpoint hits until it is taken away here.
  a.emit(0x81, 0x66, 8, d16(~0x100), 0x66, 0x31, 0xc0, 0x0f, 0x23, 0xf8, 0xe9, rel16('realRestore')); // TF off, dr7 = 0
  a.label('realNoDevice');
  a.emit(0x0f, 0x20, 0xc0, 0x24, 0xf3, 0x0f, 0x22, 0xc0, 0xe9, rel16('realRestore')); // cr0 without TS and EM
  a.label('realFloat');
  a.emit(0xdb, 0xe2, 0xe9, rel16('realRestore')); // fnclex
}
