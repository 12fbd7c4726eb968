/**
 * The machine's public face: what a composition root passes in and gets back. Everything here is plain data or a plain
 * interface; `createMachine` (create.ts) makes one, `runMachine` (run.ts) drives it to an end.
 */
import type {
  ByteChannel,
  Clock,
  Device,
  Drive,
  ErrorCode,
  GuestObserver,
  GuestView,
  MachineConfig,
  MonitorReport,
  Network,
  PartRegistry,
  PixelFrame,
  ScreenFrame,
  SharedFolder,
  StateRecord,
} from '@ringfence/sdk';

export interface ImageFile {
  readonly bytes: Uint8Array;
  /** For messages and the report. */
  readonly name: string;
}

export interface FirmwareImages {
  readonly bios: ImageFile;
  readonly vgaBios?: ImageFile;
}

export interface CreateMachineOptions {
  readonly config: MachineConfig;
  readonly registry: PartRegistry;
  /** May be absent when there is firmware, which then boots from a drive. */
  readonly kernel?: ImageFile;
  readonly firmware?: FirmwareImages;
  readonly initrd?: ImageFile;
  /** Drives with their storage opened; what the guest writes to them is part of the machine's state. */
  readonly drives?: readonly Drive[];
  /** Folders of the host, opened. They are outside inputs: no part of the machine's state. */
  readonly shares?: readonly SharedFolder[];
  /** The network at the end of the card's cable, made with the machine's clock; its state is part of the machine's. */
  readonly network?: (clock: Clock) => Network;
  /**
   * The outside ends of the byte channels by name (`serial`, `debugcon`, `virtio-console`); a missing one is a loose end, and
   * a device that stands on the board on request only is there when its channel is given.
   */
  readonly channels?: Readonly<Record<string, ByteChannel>>;
  /**
   * Whether a channel may still bring bytes while the guest sleeps (a terminal). If not, a guest asleep in HLT with no
   * timer running can never wake and the run ends as `halted`. Asked whenever it matters; a channel whose answer changes
   * calls its listener. Default: never.
   */
  readonly awaitsInput?: () => boolean;
  /**
   * While input is awaited, a guest in HLT sleeps as long as virtual time says instead of skipping to its next deadline:
   * for a person at a terminal. Instructions and deadlines are the same either way, until input comes. Default false.
   */
  readonly pacesSleep?: boolean;
  /** Told of each reset that starts the machine again (`onReset: restart`), before it does. */
  readonly onReset?: (event: ResetEvent) => void;
}

/** The guest asked for a reset, or its processor shut down. */
export interface ResetEvent {
  readonly reason: string;
  /** Guest instructions retired since power-on, and how many resets there were with this one. */
  readonly retired: number;
  readonly resets: number;
  /** Registers and stack: present when it was a triple fault. */
  readonly dump?: string;
}

/** How a run ended. */
export type Outcome =
  | 'power-off'
  | 'debug-exit'
  | 'until-serial'
  | 'reset'
  | 'limit-instructions'
  | 'limit-time'
  | 'halted'
  | 'triple-fault'
  | 'interrupted'
  | 'internal-error';

/** How the guest itself (or a fault of ours) ended the run; stays once set. */
export interface MachineEnd {
  readonly outcome:
    'power-off' | 'debug-exit' | 'until-serial' | 'reset' | 'halted' | 'triple-fault' | 'internal-error';
  /** Exit status for the command line. */
  readonly exitStatus: number;
  /** One line for people: who asked for the reset, why it cannot wake, ... */
  readonly detail?: string;
}

/**
 * What a slice came to. `budget`: go on. `idle`: the guest sleeps until input comes (only with `awaitsInput`). `asleep`: it
 * sleeps until input comes or `machine.sleepTicks` are over (only with `pacesSleep`): let time pass, tell the machine with
 * `passTime`, go on. `ended`: `machine.end` says how.
 */
export type SliceOutcome = 'budget' | 'idle' | 'asleep' | 'ended';

export interface SavedMachine {
  readonly version: 1;
  /** By component name: `clock`, `board`, `memory`, `shadow-ram`, `roots`, `processor`, `device:<name>`, `drive:<place>`, `network`. */
  readonly components: Readonly<Record<string, StateRecord>>;
}

export interface Machine {
  readonly config: MachineConfig;
  /** Guest instructions retired since power-on. */
  readonly retired: number;
  /** Virtual time in ticks: retired instructions plus ticks slept. */
  readonly ticks: number;
  /** Times the guest was started again by a reset. */
  readonly resets: number;
  readonly end: MachineEnd | undefined;
  /** Bytes the guest has sent on a channel since power-on, decoded as Latin-1 on demand; the last 64 KiB are kept. */
  channelText(name: string): string;
  /** Runs at most `maxInstructions` guest instructions, synchronously. Throws only for faults of ours. */
  runSlice(maxInstructions: number): SliceOutcome;
  /** Asks the guest to shut down, as the button of the case does; false on a board without one. What comes of it is the guest's affair. */
  pressPowerButton(): boolean;
  /** The NMI button: a pulse on the board's NMI wire, between two instructions. The RTC's mask may hold it back. */
  nmi(): void;
  /** Ticks from now to the next deadline, or Infinity. */
  readonly sleepTicks: number;
  /** Has a guest in HLT sleep so many ticks, at most to its next deadline. */
  passTime(ticks: number): void;
  /** Calls `wake` when a channel has brought something; one at a time. */
  onInput(wake: () => void): void;
  /** Ends the run at the instruction whose byte makes the serial output match. */
  watchSerial(pattern: RegExp): void;
  /** The guest's screen as text, or undefined without a display device. */
  screen(): string | undefined;
  /** The guest's screen as a picture, or undefined when there is none to be had. */
  frame(): ScreenFrame | undefined;
  /** The guest's screen as pixels, in text modes too, or undefined when there is none to be had. */
  picture(): PixelFrame | undefined;
  /** A device by its part's name, or undefined. */
  device(name: string): Device | undefined;
  monitorReport(): MonitorReport | undefined;
  /** SHA-256 over guest RAM (A and D bits of page tables masked), processor and devices. */
  stateHash(): string;
  /** SHA-256 over every byte the guest sent on the `serial` channel. */
  serialSha256(): string;
  /** Registers and stack for people. */
  dump(): string;
  /** The guest for someone who looks on. */
  readonly view: GuestView;
  /** Has `observer` told of events and device accesses from now on; undefined: nobody. One at a time. */
  observe(observer: GuestObserver | undefined): void;
  saveState(): SavedMachine;
  /** Throws RF_BAD_STATE for a state of another machine. */
  loadState(saved: SavedMachine): void;
}

export interface RunLimits {
  /** Exact. */
  readonly maxInstructions?: number;
  readonly timeoutSeconds?: number;
  /** Regular expression source (flag m) over the serial output. */
  readonly untilSerial?: string;
}

export interface RunReport {
  readonly outcome: Outcome;
  readonly exitStatus: number;
  readonly detail?: string;
  readonly retired: number;
  /** Times the guest was started again by a reset (`onReset: restart`). */
  readonly resets: number;
  /** Virtual time at the end, in seconds: instructions and sleep at `clock.hz`. */
  readonly virtualSeconds: number;
  readonly wallSeconds: number;
  readonly instructionsPerSecond: number;
  readonly serialBytes: number;
  readonly serialSha256: string;
  readonly stateHash: string;
  readonly monitor?: MonitorReport;
  readonly machine: {
    /** Empty when firmware boots from a drive. */
    readonly kernel: string;
    readonly firmware?: string;
    readonly memoryBytes: number;
    readonly core: string;
    readonly model: string;
    readonly assist: string;
    readonly monitor: string;
  };
  /** Present when the outcome is `internal-error`. */
  readonly error?: { readonly code: ErrorCode | 'RF_INTERNAL'; readonly message: string; readonly stack?: string };
}

export interface RunResult {
  readonly outcome: Outcome;
  /** 0, the guest's own status, 124 for a limit, 125 for a dead guest, 130 interrupted, 70 a fault of ours. */
  readonly exitStatus: number;
  readonly report: RunReport;
  /** Registers and stack: present when the guest died or we did. */
  readonly dump?: string;
}
