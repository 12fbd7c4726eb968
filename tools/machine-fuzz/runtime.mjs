/**
 * The part of a fuzzed kernel that is the same in all of them: the start, handlers for all 256 vectors, the way from one
 * block to the next, targets of gates and tasks.
 *
 * Every event is written to a log in guest memory (vector, error code, EIP, CS, EFLAGS, CR2) and mixed into a sum, so that runs which
 * part once never meet again. A fault skips its instruction, whose length it finds in LENGTHS; where it finds none (the
 * handlers' own code, 16-bit code at an odd place) or too many were skipped, the block is given up. `next` starts the following block from a
 * known state whatever became of the machine; a double fault gets there through a task gate. A program ends through the debug-exit port.
 */
import { abs16, abs32, d32, rel32 } from './assembler.mjs';
import * as L from './layout.mjs';
import { emitRealHandlers, emitVectors } from './real-runtime.mjs';

const { SEL } = L;
const MAX_SKIPS = 12;
const MAX_STEPS = 24;

/** Faults that push an error code. */
const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

/** mov dword [address], imm32 */
const store = (address, value) => [0xc7, 0x05, d32(address), d32(value)];
const loadEax = (address) => [0xa1, d32(address)];
const storeEax = (address) => [0xa3, d32(address)];
const movEax = (value) => [0xb8, d32(value)];
const jump = (label) => [0xe9, rel32(label)];
/** jcc near; `condition` is its low nibble. */
const branch = (condition, label) => [0x0f, 0x80 | condition, rel32(label)];
const E = 4;
const NE = 5;
const B = 2;
const AE = 3;
const S = 8;
/** out port, al */
const out = (port, value) => [0xb0, value, 0xe6, port];
const selectorsFrom = (selector, registers) => [
  movEax(selector),
  registers.map((register) => [0x8e, 0xc0 | (register << 3)]),
];
const [ES, SS, DS] = [0, 2, 3];

export function emitStart(a, { model, pae, cr0, cr4, divisor, masks }) {
  a.label('start');
  a.emit(0xfa, 0xbc, d32(L.STACK0)); // cli; mov esp
  a.emit(0x0f, 0x01, 0x15, d32(L.GDTR_IMAGE), 0x0f, 0x01, 0x1d, d32(L.IDTR_IMAGE)); // lgdt, lidt
  a.emit(0xea, abs32('reloaded'), d32(SEL.code0).slice(0, 2));
  a.label('reloaded');
  a.emit(selectorsFrom(SEL.data0, [ES, SS, DS, 4, 5]));
  a.emit(out(0x20, 0x11), out(0x21, L.IRQ_BASE), out(0x21, 4), out(0x21, 1), out(0x21, masks[0]));
  a.emit(out(0xa0, 0x11), out(0xa1, L.IRQ_BASE + 8), out(0xa1, 2), out(0xa1, 1), out(0xa1, masks[1]));
  a.emit(out(0x43, 0x34), out(0x40, divisor & 255), out(0x40, divisor >>> 8));
  // Vectors of real mode and of virtual-8086 mode, all to one place: offset from CODE, segment CODE >> 4.
  a.emit(movEax(L.CODE << 12), [0x66, 0xb8, abs16('realVector')], 0x31, 0xff, 0xb9, d32(256), 0xf3, 0xab); // xor edi,edi; mov ecx,256; rep stosd
  a.emit([0xc7, 0x05, d32(IRQ_VECTORS)], [abs16('realTimer')], d32(L.CODE >>> 4).slice(0, 2));
  emitVectors(a);
  if (model.cr4) a.emit(movEax(cr4 | (pae ? 0x20 : 0)), 0x0f, 0x22, 0xe0); // mov cr4,eax
  a.emit(loadEax(L.ROOT), 0x0f, 0x22, 0xd8); // mov cr3,eax
  a.emit(movEax(cr0), 0x0f, 0x22, 0xc0); // mov cr0,eax
  if (model.sep) {
    for (const [index, value] of [
      [0x174, d32(SEL.code0)],
      [0x175, d32(L.STACK0)],
      [0x176, abs32('sysenterTarget')],
    ]) {
      a.emit(0x31, 0xd2, 0xb9, d32(index), 0xb8, value, 0x0f, 0x30); // xor edx,edx; mov ecx; mov eax; wrmsr
    }
  }
  a.emit(jump('next'));
}
/** IRQ 0 as seen from real mode. */
const IRQ_VECTORS = L.IRQ_BASE * 4;

export function emitHandlers(a) {
  for (let vector = 0; vector < 256; vector++) {
    a.label(`vector${vector}`);
    if (vector === 65) {
      a.emit(0xcf);
      continue;
    }
    if (!WITH_CODE.has(vector)) a.emit(0x6a, 0);
    a.emit(0x68, d32(vector), jump('common'));
  }
  a.label('vector66ring1');
  a.emit(0xcf);

  a.label('common');
  a.emit(0x60, 0x1e, 0x06, 0x0f, 0xa0, 0x0f, 0xa8); // pushad; push ds, es, fs, gs
  a.emit(selectorsFrom(SEL.data0, [DS, ES]), 0xfc, 0x89, 0xe5); // cld; mov ebp,esp
  // Log: vector, error, eip, cs, eflags, cr2. EBX = sum, EDI = log.
  a.emit(
    0x8b,
    0x1d,
    d32(L.SUM),
    0x8b,
    0x3d,
    d32(L.LOG_AT),
    0x81,
    0xff,
    d32(L.LOG_END - 32),
    branch(B, 'logRoom'),
    0xbf,
    d32(L.LOG),
  );
  a.label('logRoom');
  for (const offset of [48, 52, 56, 60, 64]) a.emit(0x8b, 0x45, offset, 0xab, 0xc1, 0xc3, 5, 0x01, 0xc3); // mov eax,[ebp+]; stosd; rol ebx,5; add ebx,eax
  a.emit(0x0f, 0x20, 0xd0, 0xab, 0xc1, 0xc3, 5, 0x01, 0xc3); // mov eax,cr2
  a.emit(0x89, 0x1d, d32(L.SUM), 0x89, 0x3d, d32(L.LOG_AT));
  a.emit(0xff, 0x0d, d32(L.EVENTS), branch(S, 'finish')); // dec [EVENTS]
  a.emit(0x8b, 0x45, 48); // eax = vector
  for (const [vector, label] of [
    [1, 'debugTrap'],
    [3, 'restore'],
    [4, 'restore'],
    [7, 'noDevice'],
    [16, 'floatError'],
    [L.IRQ_BASE, 'timer'],
    [L.IRQ_BASE + 8, 'clock'],
    [L.IRQ_BASE + 13, 'irq13'],
    [L.END_VECTOR, 'next'],
  ]) {
    a.emit(0x3d, d32(vector), branch(E, label)); // cmp eax,imm; je
  }
  a.emit(0x83, 0xf8, L.IRQ_BASE, branch(B, 'skip')); // cmp eax,20h; jb
  a.emit(0x83, 0xf8, L.IRQ_BASE + 16, branch(B, 'otherIrq'));

  a.label('restore');
  a.emit(0x0f, 0xa9, 0x0f, 0xa1, 0x07, 0x1f, 0x61, 0x83, 0xc4, 8, 0xcf); // pop gs, fs, es, ds; popad; add esp,8; iretd

  a.label('timer');
  a.emit(out(0x20, 0x20), jump('restore'));
  a.label('clock');
  a.emit(0xb0, 0x0c, 0xe6, 0x70, 0xe4, 0x71); // CMOS register C
  a.label('otherIrq');
  a.emit(out(0xa0, 0x20), out(0x20, 0x20), jump('restore'));
  a.label('irq13');
  a.emit(0xe6, 0xf0, 0x0f, 0x20, 0xc2, 0x89, 0xd0, 0x24, 0xf3, 0x0f, 0x22, 0xc0, 0xdb, 0xe2, 0x0f, 0x22, 0xc2); // mov edx,cr0; clear TS, EM; fnclex; back
  a.emit(jump('otherIrq'));
  a.label('noDevice');
  a.emit(0x0f, 0x20, 0xc0, 0x24, 0xf3, 0x0f, 0x22, 0xc0, jump('restore')); // mov cr0 without TS and EM
  a.label('floatError');
  a.emit(0xdb, 0xe2, jump('restore')); // fnclex
  a.label('debugTrap');
  a.emit(0x0f, 0x21, 0xf0, 0xab, 0x01, 0x05, d32(L.SUM)); // mov eax,dr6; stosd; add [SUM],eax
  a.emit(0x31, 0xc0, 0x0f, 0x23, 0xf0); // dr6 = 0
  a.emit(0x81, 0x4d, 64, d32(0x10000)); // RF, or an instruction breakpoint hits for ever
  a.emit(0xff, 0x0d, d32(L.STEPS), branch(9, 'restore')); // dec [STEPS]; jns
  a.emit(0x81, 0x65, 64, d32(~0x100), 0x31, 0xc0, 0x0f, 0x23, 0xf8, jump('restore')); // TF off, dr7 = 0

  // Past the instruction that faulted. EAX = its offset from CODE.
  a.label('skip');
  a.emit(0xff, 0x0d, d32(L.SKIPS), branch(S, 'next'));
  a.emit(0x8b, 0x45, 56); // eip
  a.emit(0xf7, 0x45, 64, d32(0x20000), branch(E, 'notV86')); // test VM
  a.emit(0x0f, 0xb7, 0x55, 60, 0xc1, 0xe2, 4, 0x01, 0xd0, jump('flat')); // movzx edx,[cs]; shl 4; add
  a.label('notV86');
  a.emit(0x0f, 0xb7, 0x55, 60, 0x83, 0xe2, 0xfc); // movzx edx,[cs]; and ~3
  a.emit(0x83, 0xfa, SEL.code16, branch(E, 'has'), 0x83, 0xfa, SEL.code16user, branch(NE, 'flat'));
  a.label('has');
  a.emit(0x05, d32(L.CODE));
  a.label('flat');
  a.emit(0x2d, d32(L.CODE), 0x3d, d32(L.CODE_BYTES), branch(AE, 'next')); // sub, cmp, jae
  a.emit(0x0f, 0xb6, 0x80, d32(L.LENGTHS), 0x85, 0xc0, branch(E, 'next'), 0x01, 0x45, 56, jump('restore')); // movzx eax,[eax+LENGTHS]

  a.label('doubleFault');
  a.emit(selectorsFrom(SEL.data0, [DS, ES]), 0xff, 0x0d, d32(L.EVENTS), branch(S, 'finish'));
}

/** `blocks`: how many. Must follow emitHandlers: a double fault falls into it. */
export function emitNext(a, { blocks }) {
  a.label('next');
  a.emit(0xfa, selectorsFrom(SEL.data0, [SS, DS, ES]), 0xbc, d32(L.STACK0), 0x6a, 2, 0x9d); // cli; mov esp; push 2; popfd
  a.emit(0x31, 0xc0, 0x0f, 0x23, 0xf8); // dr7 = 0
  a.emit(0x0f, 0x20, 0xc0, 0x24, 0xf3, 0x0d, d32(0x80000001), 0x0f, 0x22, 0xc0); // cr0: no TS, no EM, PG
  a.emit(0xdb, 0xe2); // fnclex: with NE clear and interrupts off, a pending error is the end
  a.emit(0x0f, 0x01, 0x15, d32(L.GDTR_IMAGE), 0x0f, 0x01, 0x1d, d32(L.IDTR_IMAGE)); // lgdt, lidt
  a.emit(0xea, abs32('nextCode'), d32(SEL.code0).slice(0, 2));
  a.label('nextCode');
  const copy = (from, to, words) => [0xbe, d32(from), 0xbf, d32(to), 0xb9, d32(words), 0xf3, 0xa5];
  a.emit(0xfc, copy(L.GDT_COPY, L.GDT, L.FIRST_PLAY_SELECTOR / 4));
  a.emit(copy(L.TSS_COPY, L.TSS_MAIN, 26), copy(L.TSS_COPY + 0x800, L.TSS_DF, 0xcc));
  a.emit(movEax(SEL.ldt), 0x0f, 0x00, 0xd0, movEax(SEL.tss), 0x0f, 0x00, 0xd8); // lldt, ltr
  a.emit(loadEax(L.ROOT), 0x0f, 0x22, 0xd8); // cr3
  // Interrupts whose handler was given up are still in service.
  a.emit(out(0xa0, 0x20), out(0x20, 0x20), out(0x20, 0x20));
  a.emit(store(L.SKIPS, MAX_SKIPS), store(L.STEPS, MAX_STEPS));
  a.emit(loadEax(L.BLOCK_INDEX), 0x3d, d32(blocks), branch(AE, 'finish'));
  a.emit(0xff, 0x05, d32(L.BLOCK_INDEX), 0xfe, 0x80, d32(L.BLOCK_SEEN), 0xff, 0x24, 0x85, d32(L.BLOCK_TABLE)); // inc byte [seen+eax]; jmp [table+eax*4]
  a.label('finish');
  a.emit(0xb8, d32(0), 0xe6, 0xf4, 0xfa, 0xf4, 0xeb, 0xfd);
}

export function emitTargets(a) {
  const mark = (n) => [0xff, 0x05, d32(L.MARKS + 4 * n)];
  a.label('gateTarget');
  a.emit(0x36, mark(0), 0xcb); // inc ss:[]; retf
  a.label('gateTargetWords');
  a.emit(0x36, mark(1), 0xca, 8, 0);
  a.label('sysenterTarget');
  a.emit(mark(2), 0x5a, 0x59, 0x0f, 0x35); // pop edx; pop ecx: whatever; sysexit
  a.label('taskA');
  a.emit(mark(3), 0xcf, mark(3), 0xcf, jump('taskA')); // iretd, and again when switched to again
  a.label('taskB');
  a.emit(mark(4), 0x8c, 0xd8, 0x50, 0x58, 0xcf, jump('taskB'));
  a.label('task16');
  a.emit(0x66, 0x67, mark(5), 0x66, 0xcf); // in a 16-bit segment: both sizes the other way
  a.emit(0xcf, 0xeb, 0xfd);
  // 16-bit, real mode or v8086: back to protected mode where that is possible.
  // No single steps and breakpoints on the way: the IDT is still that of real mode.
  a.label('realVector');
  a.emit(0x6a, 2, 0x9d, 0x66, 0x31, 0xc0, 0x0f, 0x23, 0xf8); // push 2; popf; dr7 = 0
  a.emit(0xfa, 0x0f, 0x20, 0xc0, 0x66, 0x0d, d32(0x80000001), 0x0f, 0x22, 0xc0); // cli; mov eax,cr0; or eax; mov cr0,eax
  a.emit(0x66, 0xea, abs32('next'), d32(SEL.code0).slice(0, 2));
  a.label('realTimer');
  a.emit(0x50, out(0x20, 0x20), 0x58, 0xcf); // push ax; EOI; pop ax; iret
  emitRealHandlers(a);
}

export { movEax, loadEax, storeEax, store, jump, branch, out };
