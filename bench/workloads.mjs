/**
 * What compare.mjs measures: loops of hand-put code for bench/guest.mjs, each a different part of the interpreter. Ended
 * by ESI or ECX counting down.
 */
import { le32 } from './guest.mjs';

const DATA = 0x200000;

export const workloads = {
  /** Ten instructions, one load and one store: the loop of interpreter.mjs. */
  integer: {
    setup: [0xbe, ...le32(DATA), 0xb9, ...le32(12_000_000), 0x31, 0xdb, 0x31, 0xd2], // esi, ecx, ebx = 0, edx = 0
    // prettier-ignore
    body: [
      ...[0x8b, 0x04, 0x9e], //                   mov eax, [esi + ebx*4]
      ...[0x01, 0xc8], //                         add eax, ecx
      ...[0x31, 0xd0], //                         xor eax, edx
      ...[0x89, 0x84, 0x9e, ...le32(0x1000)], //  mov [esi + ebx*4 + 0x1000], eax
      ...[0x8d, 0x14, 0x42], //                   lea edx, [edx + eax*2]
      ...[0xc1, 0xc2, 0x05], //                   rol edx, 5
      ...[0x43], //                               inc ebx
      ...[0x81, 0xe3, ...le32(0x3ff)], //         and ebx, 0x3ff
    ],
    decrement: [0x49], //                         dec ecx
  },
  /** Calls, pushes, pops and branches that go both ways. */
  branches: {
    setup: [0xbe, ...le32(2_000_000), 0xbc, ...le32(DATA + 0x8000), 0x31, 0xc0], // esi, esp, eax = 0
    // prettier-ignore
    body: [
      ...[0x69, 0xc0, ...le32(1103515245)], //    imul eax, eax, 1103515245
      ...[0x05, ...le32(12345)], //               add eax, 12345
      ...[0xa9, ...le32(0x10000)], //             test eax, 10000h
      ...[0x74, 0x03], //                         jz +3
      ...[0x83, 0xc3, 0x07], //                   add ebx, 7
      ...[0x50], //                               push eax
      ...[0xe8, ...le32(2)], //                   call over the jump
      ...[0xeb, 0x05], //                         jmp past the routine
      ...[0x31, 0xc3], //                         xor ebx, eax
      ...[0xd1, 0xcb], //                         ror ebx, 1
      ...[0xc3], //                               ret
      ...[0x5a], //                               pop edx
      ...[0x39, 0xd3], //                         cmp ebx, edx
      ...[0x0f, 0x92, 0xc1], //                   setb cl
      ...[0x78, 0x01], //                         js +1
      ...[0x47], //                               inc edi
    ],
    decrement: [0x4e], //                         dec esi
  },
  /** Byte and word accesses, read-modify-writes, flags that are read. */
  memory: {
    setup: [0xbe, ...le32(3_000_000), 0xbb, ...le32(DATA)], // esi, ebx
    // prettier-ignore
    body: [
      ...[0x66, 0x8b, 0x03], //                   mov ax, [ebx]
      ...[0x00, 0x43, 0x05], //                   add [ebx + 5], al
      ...[0x83, 0x53, 0x08, 0x01], //             adc dword [ebx + 8], 1
      ...[0x0f, 0xb6, 0x53, 0x06], //             movzx edx, byte [ebx + 6]
      ...[0x66, 0x29, 0x13], //                   sub [ebx], dx
      ...[0x1b, 0x43, 0x0c], //                   sbb eax, [ebx + 12]
      ...[0x89, 0x43, 0x10], //                   mov [ebx + 16], eax
      ...[0xff, 0x43, 0x14], //                   inc dword [ebx + 20]
    ],
    decrement: [0x4e], //                         dec esi
  },
  /** REP MOVSD and STOSB of a few hundred bytes. */
  strings: {
    setup: [0xbd, ...le32(1_500_000), 0xfc], // ebp, cld
    // prettier-ignore
    body: [
      ...[0xbe, ...le32(DATA), 0xbf, ...le32(DATA + 0x2000), 0xb9, ...le32(100), 0xf3, 0xa5], // rep movsd
      ...[0xbf, ...le32(DATA + 0x4000), 0xb9, ...le32(300), 0xf3, 0xaa], //                      rep stosb
    ],
    decrement: [0x4d], //                         dec ebp
  },
  /** x87: load, multiply, add, store. */
  x87: {
    setup: [0xbe, ...le32(600_000), 0xbb, ...le32(DATA), 0xdb, 0xe3, 0xd9, 0xe8, 0xdd, 0x1b], // esi, ebx, fninit, fld1, fstp [ebx]
    // prettier-ignore
    body: [
      ...[0xdd, 0x03], //                         fld qword [ebx]
      ...[0xd9, 0xeb], //                         fldpi
      ...[0xde, 0xc9], //                         fmulp
      ...[0xd9, 0xe8], //                         fld1
      ...[0xde, 0xf9], //                         fdivp
      ...[0xd9, 0xe8], //                         fld1
      ...[0xde, 0xc1], //                         faddp
      ...[0xdd, 0x1b], //                         fstp qword [ebx]
    ],
    decrement: [0x4e], //                         dec esi
  },
};
