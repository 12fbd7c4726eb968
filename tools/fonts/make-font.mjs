// Makes the font of text modes, packages/device-vga/src/generated/spleen-8x16.ts, from a PC screen font of version 1
// (.psfu, gzipped or not) with a Unicode table: the 256 characters of code page 437, 16 bytes each. The font is Spleen 8x16
// of Debian's package fonts-spleen (BSD-2-Clause):
//   apt-get download fonts-spleen && dpkg-deb -x fonts-spleen_*.deb x
//   node tools/fonts/make-font.mjs x/usr/share/consolefonts/spleen-8x16.psfu.gz
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { root } from '../workspace/packages.mjs';

const HEADER_BYTES = 4;
const HEIGHT = 16;
const MODE_512 = 1;
const MODE_HAS_TABLE = 2;
const SEQUENCE = 0xfffe;
const END_OF_CHARACTER = 0xffff;

const file = readFileSync(process.argv[2]);
const psf = file[0] === 0x1f && file[1] === 0x8b ? gunzipSync(file) : file;
if (psf.readUInt16BE(0) !== 0x3604 || psf[3] !== HEIGHT || (psf[2] & MODE_HAS_TABLE) === 0) {
  throw new Error('not an 8x16 PSF 1 font with a Unicode table');
}
const count = (psf[2] & MODE_512) !== 0 ? 512 : 256;
const glyphOf = new Map();
let at = HEADER_BYTES + count * HEIGHT;
for (let glyph = 0; glyph < count; glyph++) {
  let single = true;
  for (; psf.readUInt16LE(at) !== END_OF_CHARACTER; at += 2) {
    const unit = psf.readUInt16LE(at);
    if (unit === SEQUENCE) single = false;
    else if (single) glyphOf.set(String.fromCharCode(unit), glyph);
  }
  at += 2;
}

const source = readFileSync(join(root, 'packages/device-vga/src/registers.ts'), 'utf8');
const table = /CODE_PAGE_437 =(.*■ ');/s.exec(source)[1];
const characters = [...Function(`return (${table})`)()];
const glyphs = Buffer.alloc(256 * HEIGHT);
// What the font lacks is a hollow box.
const BOX = [0, 0, 0x7e, ...Array(10).fill(0x42), 0x7e, 0, 0];
const missing = [];
characters.forEach((character, code) => {
  const glyph = glyphOf.get(character);
  if (glyph === undefined) {
    missing.push(character);
    glyphs.set(BOX, code * HEIGHT);
  } else psf.copy(glyphs, code * HEIGHT, HEADER_BYTES + glyph * HEIGHT, HEADER_BYTES + (glyph + 1) * HEIGHT);
});
if (missing.length > 0) console.log(`without a glyph, a box: ${missing.join(' ')}`);
const copyright = `// Spleen 8x16, the characters of code page 437. Made by tools/fonts/make-font.mjs; see guests/PROVENANCE.md.
// Copyright (c) 2018-2020 Frederic Cambus. BSD-2-Clause: redistribution and use, with or without modification, are
// permitted provided that source and binary forms keep this notice and the following disclaimer. THIS SOFTWARE IS
// PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES ARE DISCLAIMED. IN NO
// EVENT SHALL THEY BE LIABLE FOR ANY DAMAGES ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE.
`;
const lines = glyphs
  .toString('base64')
  .match(/.{1,112}/g)
  .map((line) => `  '${line}'`);
writeFileSync(
  join(root, 'packages/device-vga/src/generated/spleen-8x16.ts'),
  `${copyright}export const SPLEEN_8X16 =\n${lines.join(' +\n')};\n`,
);
