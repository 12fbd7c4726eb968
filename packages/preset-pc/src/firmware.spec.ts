/**
 * A ROM of a few instructions on the whole PC, bare and monitored: the reset vector, code in the high copy, RAM laid over
 * the low one by PAM, and a reset after which the machine starts from ROM again.
 */
import { createMachine } from '@ringfence/machine';
import { parseMachineConfig, type MachineConfigInput } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { createRegistry } from './index.js';

/** 64 KiB with `code` at F000:0000, to which the reset vector jumps. */
function rom(code: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(0x10000).fill(0xf4);
  bytes.set(code);
  bytes.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0);
  return bytes;
}

function run(code: readonly number[], config: MachineConfigInput = {}) {
  const machine = createMachine({
    config: parseMachineConfig({ memory: '2M', firmware: {}, ...config }),
    registry: createRegistry(),
    firmware: { bios: { bytes: rom(code), name: 'rom' } },
  });
  for (let i = 0; i < 100 && machine.runSlice(1000) !== 'ended'; i++);
  return { end: machine.end, retired: machine.retired, hash: machine.stateHash() };
}

const out = (port: number, value: number): number[] => [0xba, port & 0xff, port >> 8, 0xb0, value, 0xee];
const outLong = (port: number, value: number): number[] => [
  ...[0xba, port & 0xff, port >> 8, 0x66, 0xb8],
  ...[value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24, 0x66, 0xef],
];
const EXIT = (value: number): number[] => out(0xf4, value);

const monitors: MachineConfigInput['monitor'][] = ['none', { policy: 'full-emulation' }, { policy: 'step-through' }];

describe('firmware', () => {
  it.each(monitors)('starts at the reset vector under %j', (monitor) => {
    const { end, retired } = run(EXIT(2), { monitor });
    expect(end).toMatchObject({ outcome: 'debug-exit', exitStatus: 5 });
    expect(retired).toBe(4);
  });

  // MOV AL,[CS:0] of what PAM makes RAM after a write of 7, then the same without PAM: ROM again.
  const shadow = [
    ...outLong(0xcf8, 0x80000058),
    ...out(0xcfd, 0x30), // PAM0: F0000h reads and writes RAM
    ...[0x0e, 0x1f], // PUSH CS, POP DS
    ...[0xc6, 0x06, 0x00, 0x20, 0x07], // MOV BYTE [2000h],7
    ...[0xa0, 0x00, 0x20, 0x88, 0xc3], // MOV AL,[2000h]; MOV BL,AL
    ...out(0xcfd, 0x00),
    ...[0x3a, 0x1e, 0x00, 0x20], // CMP BL,[2000h]: F4h in ROM
    ...[0x74, 0x07, 0x88, 0xd8], // JE to the HLTs; MOV AL,BL
    ...[0xba, 0xf4, 0x00, 0xee],
  ];

  it('may lay RAM over its low copy and take it away', () => {
    // RAM there holds no code of ours: the ROM copies itself first, as a BIOS does.
    const copy = [
      ...outLong(0xcf8, 0x80000058),
      ...out(0xcfd, 0x20), // reads ROM, writes RAM
      ...[0x0e, 0x1f, 0x0e, 0x07, 0x31, 0xf6, 0x31, 0xff, 0xb9, 0x00, 0x01, 0xfc, 0xf3, 0xa4], // REP MOVSB, 256 bytes
    ];
    const results = monitors.map((monitor) => run([...copy, ...shadow], { monitor }));
    expect(results[0].end).toMatchObject({ outcome: 'debug-exit', exitStatus: 15 });
    for (const result of results) expect(result).toEqual(results[0]);
  });

  it('starts from ROM again after a reset, with memory as it was', () => {
    // A byte at 0:500 counts the starts; the third ends the run, the others reset by CF9h.
    const code = [
      ...[0x31, 0xc0, 0x8e, 0xd8, 0xfe, 0x06, 0x00, 0x05], // XOR AX,AX; MOV DS,AX; INC BYTE [500h]
      ...[0x80, 0x3e, 0x00, 0x05, 0x03, 0x75, 0x06], // CMP BYTE [500h],3; JNE +6
      ...EXIT(3),
      ...out(0xcf9, 0x06),
    ];
    const results = monitors.map((monitor) => run(code, { monitor, onReset: 'restart' }));
    expect(results[0].end).toMatchObject({ outcome: 'debug-exit', exitStatus: 7 });
    for (const result of results) expect(result).toEqual(results[0]);
    expect(run(code).end).toMatchObject({ outcome: 'reset' });
  });
});
