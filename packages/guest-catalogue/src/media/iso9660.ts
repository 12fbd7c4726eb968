/**
 * Writes an ISO 9660 file system (ECMA-119) with an El Torito boot record (Phoenix and IBM, "El Torito" Bootable CD-ROM Format
 * Specification 1.0) whose one entry is a file in "no emulation" mode. Names are of interchange level 1: 8.3, upper case.
 * Every date is 1980-01-01, so that the same files give the same bytes. No Rock Ridge, no Joliet.
 */
const SECTOR = 2048;
const SYSTEM_AREA = 16;
const FOLDER_FLAG = 2;
const DATE = [80, 1, 1, 0, 0, 0, 0];

export interface IsoFile {
  /** `ISOLINUX/ISOLINUX.BIN`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface IsoBoot {
  /** The path of the file the BIOS loads. */
  readonly path: string;
  /** Of 512 bytes. */
  readonly sectors: number;
  /** It has a place for a boot information table at offset 8 (genisoimage's -boot-info-table). */
  readonly infoTable: boolean;
}

interface Folder {
  readonly name: string;
  readonly parent: Folder | undefined;
  readonly folders: Folder[];
  readonly files: { readonly name: string; readonly path: string; readonly bytes: Uint8Array; sector: number }[];
  sector: number;
}

export function writeIso(volumeName: string, files: readonly IsoFile[], boot: IsoBoot): Uint8Array {
  const root = treeOf(files);
  const folders = breadthFirst(root);
  // Descriptors: primary, boot record, terminator; then the boot catalogue, two path tables, folders, files.
  const catalogue = SYSTEM_AREA + 3;
  const pathTable = catalogue + 1;
  let next = pathTable + 2;
  for (const folder of folders) folder.sector = next++;
  for (const file of folders.flatMap((folder) => folder.files)) {
    file.sector = next;
    next += Math.ceil(file.bytes.length / SECTOR);
  }
  const image = new Uint8Array(next * SECTOR);
  for (const folder of folders) {
    writeFolder(image, folder);
    for (const { sector, bytes } of folder.files) image.set(bytes, sector * SECTOR);
  }
  const tableBytes = writePathTables(image, folders, pathTable);
  writeDescriptors(image, volumeName, root, pathTable, tableBytes, catalogue);
  const bootFile = folders.flatMap((folder) => folder.files).find(({ path }) => path === boot.path)!;
  writeCatalogue(image, catalogue, bootFile.sector, boot.sectors);
  if (boot.infoTable) writeInfoTable(image, bootFile.sector, bootFile.bytes);
  return image;
}

function treeOf(files: readonly IsoFile[]): Folder {
  const root: Folder = { name: '\0', parent: undefined, folders: [], files: [], sector: 0 };
  for (const { path, bytes } of files) {
    const parts = path.split('/');
    let folder = root;
    for (const name of parts.slice(0, -1)) {
      let inner = folder.folders.find((each) => each.name === name);
      if (inner === undefined)
        folder.folders.push((inner = { name, parent: folder, folders: [], files: [], sector: 0 }));
      folder = inner;
    }
    folder.files.push({ name: parts.at(-1)!, path, bytes, sector: 0 });
  }
  return root;
}

function breadthFirst(root: Folder): Folder[] {
  const list = [root];
  for (const folder of list) list.push(...folder.folders.sort((a, b) => (a.name < b.name ? -1 : 1)));
  return list;
}

/** ECMA-119, 9.1 "Format of a Directory Record"; numbers stand in both byte orders. */
function record(name: string, sector: number, bytes: number, flags: number): Uint8Array {
  const length = 33 + name.length + ((name.length & 1) === 0 ? 1 : 0);
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  view.setUint8(0, length);
  both32(view, 2, sector);
  both32(view, 10, bytes);
  out.set(DATE, 18);
  view.setUint8(25, flags);
  both16(view, 28, 1);
  view.setUint8(32, name.length);
  out.set(Buffer.from(name, 'latin1'), 33);
  return out;
}

function writeFolder(image: Uint8Array, folder: Folder): void {
  const records = [
    ...folder.folders.map((inner) => ({
      name: inner.name,
      bytes: record(inner.name, inner.sector, SECTOR, FOLDER_FLAG),
    })),
    ...folder.files.map(({ name, sector, bytes }) => ({ name, bytes: record(`${name};1`, sector, bytes.length, 0) })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  const all = [
    record('\0', folder.sector, SECTOR, FOLDER_FLAG),
    record('\x01', (folder.parent ?? folder).sector, SECTOR, FOLDER_FLAG),
    ...records.map(({ bytes }) => bytes),
  ];
  let at = folder.sector * SECTOR;
  for (const bytes of all) {
    image.set(bytes, at);
    at += bytes.length;
  }
}

/** ECMA-119, 9.4 "Format of a Path Table Record". Answers how many bytes one has. */
function writePathTables(image: Uint8Array, folders: readonly Folder[], sector: number): number {
  const view = new DataView(image.buffer);
  let at = 0;
  for (const folder of folders) {
    const parent = folders.indexOf(folder.parent ?? folder) + 1;
    for (const [base, little] of [
      [sector * SECTOR, true],
      [(sector + 1) * SECTOR, false],
    ] as const) {
      view.setUint8(base + at, folder.name.length);
      view.setUint32(base + at + 2, folder.sector, little);
      view.setUint16(base + at + 6, parent, little);
      image.set(Buffer.from(folder.name, 'latin1'), base + at + 8);
    }
    at += 8 + folder.name.length + (folder.name.length & 1);
  }
  return at;
}

function writeDescriptors(
  image: Uint8Array,
  volumeName: string,
  root: Folder,
  pathTable: number,
  tableBytes: number,
  catalogue: number,
): void {
  const view = new DataView(image.buffer);
  const text = (at: number, bytes: number, value: string): void =>
    image.set(Buffer.from(value.padEnd(bytes).slice(0, bytes), 'latin1'), at);
  const primary = SYSTEM_AREA * SECTOR;
  for (const [i, type] of [1, 0, 255].entries()) {
    image[primary + i * SECTOR] = type;
    text(primary + i * SECTOR + 1, 5, 'CD001');
    image[primary + i * SECTOR + 6] = 1;
  }
  text(primary + 8, 32, '');
  text(primary + 40, 32, volumeName);
  both32(view, primary + 80, image.length / SECTOR);
  both16(view, primary + 120, 1);
  both16(view, primary + 124, 1);
  both16(view, primary + 128, SECTOR);
  both32(view, primary + 132, tableBytes);
  view.setUint32(primary + 140, pathTable, true);
  view.setUint32(primary + 148, pathTable + 1, false);
  image.set(record('\0', root.sector, SECTOR, FOLDER_FLAG), primary + 156);
  text(primary + 190, 623, '');
  for (const at of [813, 830, 847, 864]) image.set(Buffer.from('1980010100000000\0', 'latin1'), primary + at);
  image[primary + 881] = 1;
  const bootRecord = primary + SECTOR;
  image.set(Buffer.from('EL TORITO SPECIFICATION', 'latin1'), bootRecord + 7);
  view.setUint32(bootRecord + 0x47, catalogue, true);
}

/** El Torito, 2.1 "Validation Entry", 2.2 "Initial/Default Entry". */
function writeCatalogue(image: Uint8Array, catalogue: number, sector: number, sectors: number): void {
  const view = new DataView(image.buffer, catalogue * SECTOR, SECTOR);
  view.setUint8(0, 1);
  view.setUint16(0x1e, 0xaa55, true);
  let sum = 0;
  for (let at = 0; at < 32; at += 2) sum += view.getUint16(at, true);
  view.setUint16(0x1c, -sum & 0xffff, true);
  view.setUint8(0x20, 0x88); // bootable; no emulation, at the usual segment
  view.setUint16(0x26, sectors, true);
  view.setUint32(0x28, sector, true);
}

/** Where the volume is, where the file is, its length, and the sum of its words behind the table. */
function writeInfoTable(image: Uint8Array, sector: number, bytes: Uint8Array): void {
  const view = new DataView(image.buffer, sector * SECTOR, Math.ceil(bytes.length / SECTOR) * SECTOR);
  let sum = 0;
  for (let at = 64; at < bytes.length; at += 4) sum = (sum + view.getUint32(at, true)) >>> 0;
  [SYSTEM_AREA, sector, bytes.length, sum].forEach((value, i) => view.setUint32(8 + 4 * i, value, true));
}

function both16(view: DataView, at: number, value: number): void {
  view.setUint16(at, value, true);
  view.setUint16(at + 2, value, false);
}

function both32(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true);
  view.setUint32(at + 4, value, false);
}
