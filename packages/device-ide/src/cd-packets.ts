/**
 * The packets of a CD-ROM drive (SFF-8020i chapter 10 "Packet Commands for CD-ROM Devices"; MMC-3 for GET CONFIGURATION,
 * GET EVENT STATUS NOTIFICATION and READ DISC INFORMATION): a packet in, data, sectors to read, or sense out.
 * It moves nothing; the drive does. Answers are cut to the allocation length of the packet.
 */

export const CD_SECTOR = 2048;

const SENSE_NOT_READY = 0x02;
export const SENSE_MEDIUM = 0x03;
const SENSE_ILLEGAL = 0x05;
const SENSE_ATTENTION = 0x06;

const ASC_BAD_OPCODE = 0x2000;
const ASC_OUT_OF_RANGE = 0x2100;
const ASC_BAD_FIELD = 0x2400;
const ASC_RESET = 0x2900;
const ASC_NO_MEDIUM = 0x3a00;
const ASC_LOCKED = 0x5302;

const LEAD_OUT = 0xaa;

export interface CdState {
  readonly sectors: number;
  sense: number;
  asc: number;
  ejected: number;
  locked: number;
  attention: number;
}

export interface PacketAnswer {
  readonly sense: number;
  readonly asc: number;
  readonly data?: Uint8Array;
  /** Sectors to read from `lba`. */
  readonly read?: number;
  readonly lba?: number;
}

const GOOD: PacketAnswer = { sense: 0, asc: 0 };
const refusal = (sense: number, asc: number): PacketAnswer => ({ sense, asc });
const data = (bytes: readonly number[] | Uint8Array, allocation: number): PacketAnswer => ({
  ...GOOD,
  data: Uint8Array.from(bytes).subarray(0, allocation),
});

/** Packets that are answered whatever the drive has to tell, and leave that for later. */
const CALM = new Set([0x03, 0x12, 0x46, 0x4a]);
const NEEDS_DISC = new Set([0x00, 0x25, 0x28, 0x2b, 0x43, 0x51, 0xa8]);

export function answer(cd: CdState, packet: Uint8Array): PacketAnswer {
  const opcode = packet[0];
  if (cd.attention !== 0 && !CALM.has(opcode)) {
    cd.attention = 0;
    return refusal(SENSE_ATTENTION, ASC_RESET);
  }
  if (cd.ejected !== 0 && NEEDS_DISC.has(opcode)) return refusal(SENSE_NOT_READY, ASC_NO_MEDIUM);
  const word = (at: number): number => (packet[at] << 8) | packet[at + 1];
  const long = (at: number): number => ((word(at) << 16) | word(at + 2)) >>> 0;
  switch (opcode) {
    case 0x00: // TEST UNIT READY
      return GOOD;
    case 0x03: // REQUEST SENSE
      return requestSense(cd, packet[4]);
    case 0x12: // INQUIRY
      return (packet[1] & 1) !== 0 ? refusal(SENSE_ILLEGAL, ASC_BAD_FIELD) : data(INQUIRY, packet[4]);
    case 0x1b: // START STOP UNIT
      return startStop(cd, packet[4]);
    case 0x1e: // PREVENT ALLOW MEDIUM REMOVAL
      cd.locked = packet[4] & 1;
      return GOOD;
    case 0x25: // READ CD-ROM CAPACITY
      return data([...bytes32(cd.sectors - 1), ...bytes32(CD_SECTOR)], 8);
    case 0x28: // READ (10)
      return read(cd, long(2), word(7));
    case 0xa8: // READ (12)
      return read(cd, long(2), long(6));
    case 0x2b: // SEEK
      return long(2) < cd.sectors ? GOOD : refusal(SENSE_ILLEGAL, ASC_OUT_OF_RANGE);
    case 0x43: // READ TOC/PMA/ATIP
      return readToc(cd, packet, word(7));
    case 0x46: // GET CONFIGURATION
      return data(configuration(cd), word(7));
    case 0x4a: // GET EVENT STATUS NOTIFICATION
      return (packet[1] & 1) === 0
        ? refusal(SENSE_ILLEGAL, ASC_BAD_FIELD)
        : data((packet[4] & 0x10) === 0 ? [0, 2, 0x80, 0x10] : [0, 6, 0x04, 0x10, 0, discHere(cd), 0, 0], word(7));
    case 0x51: // READ DISC INFORMATION: complete, one session, one track
      return data([0, 32, 0x0e, 1, 1, 1, 1, ...new Array<number>(27).fill(0)], word(7));
    case 0x5a: // MODE SENSE (10)
      return modeSense(cd, packet[2], word(7));
    case 0xbd: // MECHANISM STATUS
      return data([0, 0, 0, 0, 0, 1, 0, 0], word(8));
    default:
      return refusal(SENSE_ILLEGAL, ASC_BAD_OPCODE);
  }
}

const text = (value: string, length: number): number[] => [...value.padEnd(length)].map((c) => c.charCodeAt(0));
const bytes32 = (value: number): number[] => [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
const discHere = (cd: CdState): number => (cd.ejected !== 0 ? 0x01 : 0x02);

const INQUIRY = [
  0x05, // CD-ROM
  0x80, // removable
  0x00,
  0x21, // SFF-8020i, ATAPI
  31,
  0,
  0,
  0,
  ...text('RINGFNCE', 8),
  ...text('CD-ROM', 16),
  ...text('1.0', 4),
];

function requestSense(cd: CdState, allocation: number): PacketAnswer {
  const attention = cd.attention !== 0;
  const key = attention ? SENSE_ATTENTION : cd.sense;
  const asc = attention ? ASC_RESET : cd.asc;
  if (attention) cd.attention = 0;
  return data([0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc >>> 8, asc & 0xff, 0, 0, 0, 0], allocation);
}

function startStop(cd: CdState, action: number): PacketAnswer {
  if ((action & 2) === 0) return GOOD; // spins up or down
  if ((action & 1) !== 0) cd.ejected = 0;
  else if (cd.locked !== 0) return refusal(SENSE_ILLEGAL, ASC_LOCKED);
  else cd.ejected = 1;
  return GOOD;
}

function read(cd: CdState, lba: number, sectors: number): PacketAnswer {
  if (lba + sectors > cd.sectors) return refusal(SENSE_ILLEGAL, ASC_OUT_OF_RANGE);
  return { ...GOOD, read: sectors, lba };
}

function readToc(cd: CdState, packet: Uint8Array, allocation: number): PacketAnswer {
  const msf = (packet[1] & 2) !== 0;
  const address = (lba: number): number[] => {
    if (!msf) return bytes32(lba);
    const frames = lba + 150;
    return [0, Math.floor(frames / 4500), Math.floor(frames / 75) % 60, frames % 75];
  };
  // MMC's format field, or for older hosts the control byte's high bits.
  const format = (packet[2] & 0x0f) !== 0 ? packet[2] & 0x0f : packet[9] >>> 6;
  const track = (number: number, lba: number): number[] => [0, 0x14, number, 0, ...address(lba)];
  if (format === 1) return data([0, 10, 1, 1, ...track(1, 0)], allocation);
  if (format === 2) {
    const point = (number: number, pmsf: readonly number[]): number[] => [1, 0x14, 0, number, 0, 0, 0, ...pmsf];
    const rows = [
      ...point(0xa0, [0, 1, 0, 0]),
      ...point(0xa1, [0, 1, 0, 0]),
      ...point(0xa2, address(cd.sectors)),
      ...point(1, address(0)),
    ];
    return data([0, rows.length + 2, 1, 1, ...rows], allocation);
  }
  if (format !== 0) return refusal(SENSE_ILLEGAL, ASC_BAD_FIELD);
  const first = packet[6];
  if (first > 1 && first !== LEAD_OUT) return refusal(SENSE_ILLEGAL, ASC_BAD_FIELD);
  const rows = [...(first <= 1 ? track(1, 0) : []), ...track(LEAD_OUT, cd.sectors)];
  return data([0, rows.length + 2, 1, 1, ...rows], allocation);
}

/** Profile list, core and random-readable features of a CD-ROM drive. */
function configuration(cd: CdState): number[] {
  const present = cd.ejected === 0 ? 1 : 0;
  const features = [
    ...[0, 0, 0x03, 4, 0, 0x08, present, 0], // profile list: CD-ROM
    ...[0, 1, 0x03, 4, ...bytes32(2)], // core: ATAPI
    ...[0, 3, 0x03, 4, 0x29, 0, 0, 0], // removable: tray, eject, lock
  ];
  return [...bytes32(features.length + 4), 0, 0, 0, present * 0x08, ...features];
}

function modeSense(cd: CdState, page: number, allocation: number): PacketAnswer {
  const pages: Readonly<Record<number, readonly number[]>> = {
    0x01: [0x01, 6, 0, 5, 0, 0, 0, 0], // read error recovery
    0x2a: [
      0x2a, 18, 0, 0, 0x71, 0x60, 0x29 | (cd.locked << 1), 0,
      0x02, 0xc2, 0, 2, 0x02, 0, 0x02, 0xc2, 0, 0, 0, 0,
    ], // capabilities: tray, lock, 4x
  }; // prettier-ignore
  const wanted = page & 0x3f;
  if ((page & 0xc0) === 0xc0) return refusal(SENSE_ILLEGAL, 0x3900); // saved values
  const list = wanted === 0x3f ? Object.values(pages).flat() : pages[wanted];
  if (list === undefined) return refusal(SENSE_ILLEGAL, ASC_BAD_FIELD);
  const medium = cd.ejected !== 0 ? 0x70 : 0x01; // door open; or a data disc
  return data([0, list.length + 6, medium, 0, 0, 0, 0, 0, ...list], allocation);
}
