/**
 * Who writes down what the board is: the tables of ACPI, the MultiProcessor Specification and `$PIR`, from the facts that the
 * chips announce. Without firmware they lie where a BIOS leaves them, in the ROM at F0000h and, FACS, in the extended BIOS data
 * area, which memory maps already call reserved. Firmware gets ACPI's as files and makes the other two itself. It is no chip: it
 * has no registers and no state.
 */
import {
  type BoardInfo,
  type CpuModel,
  type Device,
  EBDA_BASE,
  type FirmwareFacts,
  type FirmwareFile,
  type LoadSegment,
  type PlatformTables,
  RingfenceError,
  type StateRecord,
  Tokens,
  checkedState,
  inject,
  injectable,
  z,
} from '@ringfence/sdk';
import { FACS_FILE, acpiFiles } from './acpi.js';
import { describeBoard, type BoardDescription } from './board-description.js';
import { mpTable } from './mp-table.js';
import { pirTable } from './pir-table.js';
import { linkerFiles, placeFiles } from './table-files.js';

const COMPONENT = 'platform-tables';
const VERSION = 1;

const ROM_SEGMENT = 0xf0000;
/** The last paragraph of ROM is the reset vector's. */
const ROM_END = 0xffff0;
/** Behind the first paragraphs of the EBDA, whose first byte is its size. */
const FACS_AT = EBDA_BASE + 0x40;
const PARAGRAPH = 16;

export const platformTablesOptions = z.strictObject({
  acpi: z.boolean().default(true),
  mp: z.boolean().default(true),
  pir: z.boolean().default(true),
});

@injectable()
export class BoardTables implements Device, PlatformTables {
  private readonly options: z.infer<typeof platformTablesOptions>;

  constructor(
    @inject(Tokens.FirmwareFacts) private readonly facts: FirmwareFacts,
    @inject(Tokens.BoardInfo) private readonly board: BoardInfo,
    @inject(Tokens.CpuModel) private readonly model: CpuModel,
    @inject(Tokens.Options) options: Readonly<Record<string, unknown>>,
  ) {
    this.options = platformTablesOptions.parse(options);
  }

  placed(): readonly LoadSegment[] {
    const board = this.describe();
    const segments: LoadSegment[] = [];
    let next = ROM_SEGMENT;
    const put = (bytes: Uint8Array, alignment: number): number => {
      const address = Math.ceil(next / alignment) * alignment;
      next = address + bytes.length;
      if (next > ROM_END) {
        throw new RingfenceError('RF_INTERNAL', {
          message: `the platform tables end at 0x${next.toString(16)}, behind the BIOS area`,
          value: next,
        });
      }
      return address;
    };
    const mp = this.options.mp ? mpTable(board, put(mpTable(board, 0), PARAGRAPH)) : new Uint8Array(0);
    if (mp.length > 0) segments.push({ address: next - mp.length, bytes: mp });
    const pir = this.options.pir ? pirTable(board) : new Uint8Array(0);
    if (pir.length > 0) segments.push({ address: put(pir, PARAGRAPH), bytes: pir });
    const files = this.options.acpi ? acpiFiles(board) : [];
    const addresses = new Map(
      files.map(({ name, bytes, alignment }) => [name, name === FACS_FILE ? FACS_AT : put(bytes, alignment)]),
    );
    return [...segments, ...placeFiles(files, addresses)];
  }

  files(): readonly FirmwareFile[] {
    const files = this.options.acpi ? acpiFiles(this.describe()) : [];
    return files.length === 0 ? [] : linkerFiles(files);
  }

  reset(): void {}

  saveState(): StateRecord {
    return { component: COMPONENT, version: VERSION, data: {} };
  }

  loadState(record: StateRecord): void {
    checkedState(record, COMPONENT, VERSION);
  }

  private describe(): BoardDescription {
    return describeBoard(this.facts.list(), this.board.ramBytes, this.model);
  }
}
