/**
 * Writes a FAT16 file system (Microsoft, "FAT: General Overview of On-Disk Format" 1.03) of given size with given files.
 * Names are 8.3 and upper case, paths are made of them with slashes; every date is 1980-01-01, so that the same files give
 * the same bytes. The volume needs 4085 to 65524 clusters: about 8 MiB to 128 MiB.
 */
import { RingfenceError } from '@ringfence/sdk';

const SECTOR = 512;
const CLUSTER_SECTORS = 4;
const CLUSTER = SECTOR * CLUSTER_SECTORS;
const RESERVED = 1;
const FATS = 2;
const ROOT_ENTRIES = 512;
const ENTRY = 32;
const FIRST_DATE = 0x0021;
const ATTRIBUTE_FOLDER = 0x10;
const ATTRIBUTE_ARCHIVE = 0x20;
const LAST = 0xffff;

export interface FatFile {
  /** `BOOT/GRUB/GRUB.CFG`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

interface Folder {
  readonly entries: {
    readonly name: string;
    readonly attribute: number;
    readonly cluster: number;
    readonly size: number;
  }[];
  readonly folders: Map<string, Folder>;
}

/** `hiddenSectors`: how many lie before it on the disk. Throws RF_INTERNAL when the files do not fit. */
export function writeFat16(sectors: number, hiddenSectors: number, files: readonly FatFile[]): Uint8Array {
  const volume = new Uint8Array(sectors * SECTOR);
  const view = new DataView(volume.buffer);
  // Each FAT sector describes 256 clusters.
  const perFat = Math.ceil((sectors - RESERVED) / (256 * CLUSTER_SECTORS));
  const rootAt = (RESERVED + FATS * perFat) * SECTOR;
  const dataAt = rootAt + ROOT_ENTRIES * ENTRY;
  const clusters = Math.floor((volume.length - dataAt) / CLUSTER);
  if (clusters < 4085 || clusters > 65524) throw misfit(`a FAT16 volume cannot have ${clusters} clusters`);
  bootSector(volume, view, sectors, hiddenSectors, perFat);

  const fat = new Uint16Array(clusters + 2);
  fat.set([0xfff8, LAST]);
  let next = 2;
  const store = (bytes: Uint8Array): number => {
    const count = Math.ceil(bytes.length / CLUSTER);
    if (count === 0) return 0;
    if (next + count > fat.length) throw misfit('the files do not fit into the volume');
    const first = next;
    volume.set(bytes, dataAt + (first - 2) * CLUSTER);
    for (let i = 0; i < count; i++) fat[next++] = i === count - 1 ? LAST : next;
    return first;
  };

  const root: Folder = { entries: [], folders: new Map() };
  for (const { path, bytes } of files) {
    const parts = path.split('/');
    let folder = root;
    for (const part of parts.slice(0, -1)) {
      let inner = folder.folders.get(part);
      if (inner === undefined) folder.folders.set(part, (inner = { entries: [], folders: new Map() }));
      folder = inner;
    }
    folder.entries.push({
      name: shortName(parts.at(-1)!),
      attribute: ATTRIBUTE_ARCHIVE,
      cluster: store(bytes),
      size: bytes.length,
    });
  }
  const writeFolder = (folder: Folder, parent: number): Uint8Array => {
    const own = next;
    // A folder of ours fits one cluster; its place is taken before its inner folders take theirs.
    const isRoot = folder === root;
    if (!isRoot) store(new Uint8Array(CLUSTER));
    const list = isRoot
      ? []
      : [
          { name: '.          ', attribute: ATTRIBUTE_FOLDER, cluster: own, size: 0 },
          { name: '..         ', attribute: ATTRIBUTE_FOLDER, cluster: parent, size: 0 },
        ];
    for (const [name, inner] of folder.folders) {
      list.push({ name: shortName(name), attribute: ATTRIBUTE_FOLDER, cluster: next, size: 0 });
      writeFolder(inner, isRoot ? 0 : own);
    }
    list.push(...folder.entries);
    if (list.length * ENTRY > CLUSTER) throw misfit('a folder has too many files');
    const bytes = new Uint8Array(list.length * ENTRY);
    list.forEach((entry, i) => directoryEntry(bytes, i * ENTRY, entry));
    volume.set(bytes, isRoot ? rootAt : dataAt + (own - 2) * CLUSTER);
    return bytes;
  };
  writeFolder(root, 0);
  for (let copy = 0; copy < FATS; copy++) {
    const at = (RESERVED + copy * perFat) * SECTOR;
    fat.forEach((value, i) => view.setUint16(at + 2 * i, value, true));
  }
  return volume;
}

function bootSector(volume: Uint8Array, view: DataView, sectors: number, hidden: number, perFat: number): void {
  volume.set([0xeb, 0x3c, 0x90]);
  volume.set(Buffer.from('RINGFENC'), 3);
  view.setUint16(11, SECTOR, true);
  view.setUint8(13, CLUSTER_SECTORS);
  view.setUint16(14, RESERVED, true);
  view.setUint8(16, FATS);
  view.setUint16(17, ROOT_ENTRIES, true);
  view.setUint16(19, sectors < 0x10000 ? sectors : 0, true);
  view.setUint8(21, 0xf8); // a fixed disk
  view.setUint16(22, perFat, true);
  view.setUint16(24, 63, true);
  view.setUint16(26, 16, true);
  view.setUint32(28, hidden, true);
  view.setUint32(32, sectors < 0x10000 ? 0 : sectors, true);
  view.setUint8(36, 0x80);
  view.setUint8(38, 0x29); // serial number, label and type follow
  view.setUint32(39, 0x52464e43, true);
  volume.set(Buffer.from('RINGFENCE  FAT16   '), 43);
  view.setUint16(510, 0xaa55, true);
}

function directoryEntry(bytes: Uint8Array, at: number, entry: Folder['entries'][number]): void {
  const view = new DataView(bytes.buffer, at, ENTRY);
  bytes.set(Buffer.from(entry.name, 'latin1'), at);
  view.setUint8(11, entry.attribute);
  view.setUint16(16, FIRST_DATE, true);
  view.setUint16(18, FIRST_DATE, true);
  view.setUint16(24, FIRST_DATE, true);
  view.setUint16(26, entry.cluster, true);
  view.setUint32(28, entry.size, true);
}

function shortName(name: string): string {
  const [base, extension = ''] = name.split('.');
  if (!/^[A-Z0-9_-]{1,8}(\.[A-Z0-9_-]{1,3})?$/.test(name)) throw misfit(`${name} is not a name of 8.3 capital letters`);
  return base.padEnd(8) + extension.padEnd(3);
}

function misfit(message: string): RingfenceError {
  return new RingfenceError('RF_INTERNAL', { message });
}
