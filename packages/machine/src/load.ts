/**
 * How a guest starts: finds the loader (named, or the one that recognises the file), lets it check everything, copies what it
 * laid out into guest memory, and starts the guest's processor in the state it asked for; or, with firmware, in the state
 * after RESET#. That state reaches the executor as a saved processor state, the same way a snapshot does: bare and
 * monitored starts are one path.
 */
import {
  CPL,
  EIP,
  GDTR_BASE,
  GDTR_LIMIT,
  MachineMemory,
  NO_FIRMWARE,
  PAGE_SIZE,
  PhysicalSpace,
  RingfenceError,
  SEG,
  SEG_ACCESS,
  SEG_BASE,
  SEG_LIMIT,
  SEG_SELECTOR,
  SEG_WORDS,
  Tokens,
  splitNamed,
  type Assist,
  type CpuModel,
  type DependencyContainer,
  type EntryState,
  type FirmwareInfo,
  type FirmwareKernel,
  type GuestExecutor,
  type Loader,
  type LoadRequest,
  type LoadedImage,
  type MachineConfig,
  type PartRegistry,
  type Processor,
  type StateRecord,
} from '@ringfence/sdk';
import { EXTENDED_BASE } from './memory-map.js';
import { checkFirmware, firmwareInfo } from './firmware.js';
import { checkedOptions, resolvePart } from './parts.js';
import type { FirmwareImages, ImageFile } from './types.js';

export interface LoadSetup {
  readonly container: DependencyContainer;
  readonly registry: PartRegistry;
  readonly config: MachineConfig;
  readonly ramBytes: number;
  readonly memory: MachineMemory;
  readonly model: CpuModel;
  readonly assist: Assist;
  readonly kernel: ImageFile | undefined;
  readonly initrd: ImageFile | undefined;
  readonly firmware: FirmwareImages | undefined;
  readonly firmwareFiles: FirmwareInfo['files'];
}

/** How the guest starts, checked to the end: nothing in it can fail any more for what the user gave. */
export interface StartPlan {
  readonly firmware: FirmwareInfo;
  /**
   * Puts memory and the guest's processor into their start state: at power-on, and again after a reset. Memory that no
   * loader fills stays as it is, as on a PC. Preconditions: the devices have been reset.
   */
  start(executor: GuestExecutor): void;
}

/** Throws RF_* errors of blame `usage` for whatever is wrong with kernel, initrd and firmware. */
export function planStart(setup: LoadSetup): StartPlan {
  const { kernel, initrd, firmware, config } = setup;
  if (kernel === undefined && initrd !== undefined) {
    throw new RingfenceError('RF_CONTRADICTION', {
      message: 'an initrd without a kernel',
      value: initrd.name,
      fix: 'name the kernel too, or leave the initrd out',
    });
  }
  if (firmware === undefined && config.firmware !== undefined) {
    throw new RingfenceError('RF_FIRMWARE_NOT_FOUND', {
      message: 'the configuration asks for firmware, and its images were not handed over',
      value: config.firmware.bios,
      fix: 'pass `firmware` to createMachine, or leave it out of the configuration',
    });
  }
  if (firmware === undefined) {
    if (kernel !== undefined) return planKernel(setup, kernel);
    throw new RingfenceError('RF_BAD_USAGE', {
      message: 'no kernel was given, and no firmware that could boot from a drive',
      fix: 'pass --kernel FILE or --guest NAME, or --bios seabios and a drive',
    });
  }
  checkFirmware(firmware);
  const realMode = kernel === undefined ? undefined : kernelFor(setup, kernel);
  return {
    firmware: firmwareInfo(config.firmware, firmware, realMode, setup.firmwareFiles),
    start: (executor) => executor.loadGuestState(resetRecord(setup)),
  };
}

function planKernel(setup: LoadSetup, kernel: ImageFile): StartPlan {
  const { loader, options } = chooseLoader(setup, kernel);
  const image: LoadedImage = loader.load(requestOf(setup, kernel, options));
  for (const { address, bytes } of image.segments) {
    if (address < 0 || address + bytes.length > setup.ramBytes) {
      throw new RingfenceError('RF_INTERNAL', {
        message: `the loader put bytes outside of memory, at 0x${address.toString(16)}`,
        value: address,
      });
    }
  }
  return {
    firmware: NO_FIRMWARE,
    start: (executor) => {
      // Before the kernel: one that is loaded over a table wanted the memory more.
      const tables = setup.ramBytes < EXTENDED_BASE ? [] : setup.container.resolve(Tokens.PlatformTables).placed();
      for (const { address, bytes } of tables) setup.memory.writeBytes(address, bytes);
      for (const { address, bytes } of image.segments) setup.memory.writeBytes(address, bytes);
      executor.loadGuestState(entryRecord(image.entry, setup));
    },
  };
}

/** The kernel as firmware gets it. Throws RF_CONTRADICTION for a format that firmware cannot start. */
function kernelFor(setup: LoadSetup, kernel: ImageFile): FirmwareKernel {
  const { loader, options } = chooseLoader(setup, kernel);
  if (loader.forFirmware !== undefined) return loader.forFirmware(requestOf(setup, kernel, options));
  throw new RingfenceError('RF_CONTRADICTION', {
    message: `firmware cannot start ${kernel.name}: its format has no real-mode entry`,
    value: kernel.name,
    fix: 'leave the firmware out, give a bzImage, or boot from a drive',
  });
}

function requestOf(setup: LoadSetup, kernel: ImageFile, options: Readonly<Record<string, unknown>>): LoadRequest {
  return {
    kernel: kernel.bytes,
    kernelName: kernel.name,
    initrd: setup.initrd?.bytes,
    initrdName: setup.initrd?.name,
    commandLine: setup.config.append,
    ramBytes: setup.ramBytes,
    options,
  };
}

function chooseLoader(
  setup: LoadSetup,
  kernel: ImageFile,
): { loader: Loader; options: Readonly<Record<string, unknown>> } {
  const { registry, config, container } = setup;
  if (config.loader !== undefined) {
    const { name, options } = splitNamed(config.loader);
    const part = registry.get('loader', name);
    return { loader: resolvePart<Loader>(container, part, options), options: checkedOptions(part, options) };
  }
  const parts = registry.list('loader').filter((part) => part.priority >= 0);
  parts.sort((a, b) => b.priority - a.priority);
  for (const part of parts) {
    const loader = resolvePart<Loader>(container, part, {});
    if (loader.recognises(kernel.bytes)) return { loader, options: checkedOptions(part, {}) };
  }
  throw new RingfenceError('RF_KERNEL_NOT_BOOTABLE', {
    message: `${kernel.name} is not a kernel that we can boot (${kernel.bytes.length} bytes)`,
    value: kernel.name,
    fix: `give a file of one of these formats: ${parts.map((p) => p.summary).join('; ')}; or name a loader for raw code, e.g. loader: { name: flat, address: 0x7c00 }`,
  });
}

/** The entry state as a processor of this model would save it: made on a scratch processor with a page of memory. */
function entryRecord(entry: EntryState, setup: LoadSetup): StateRecord {
  const processor = scratchProcessor(setup);
  setEntry(processor, entry);
  return processor.saveState();
}

/** The state after RESET#, from which firmware starts. */
function resetRecord(setup: LoadSetup): StateRecord {
  return scratchProcessor(setup).saveState();
}

function scratchProcessor(setup: LoadSetup): Processor {
  const memory = new MachineMemory(PAGE_SIZE);
  const space = new PhysicalSpace(memory);
  space.mapRam(0, PAGE_SIZE);
  const mmu = setup.container
    .resolve(Tokens.MmuFactory)
    .create({ memory, space, slot: 0, features: setup.model.features });
  const bus = { ioRead: () => -1, ioWrite: () => {}, acknowledge: () => 0xff, floatError: () => false, now: () => 0 };
  const core = setup.container.resolve(Tokens.EmulatorCore);
  const processor = core.create({ memory, space, mmu, bus, slot: 0, model: setup.model, assist: setup.assist });
  processor.reset();
  return processor;
}

function setEntry(processor: Processor, entry: EntryState): void {
  processor.writeCr0(entry.cr0);
  const { state } = processor;
  for (const [register, value] of Object.entries(entry.registers)) state[Number(register)] = value!;
  for (const [index, segment] of Object.entries(entry.segments)) {
    const at = SEG + Number(index) * SEG_WORDS;
    state[at + SEG_SELECTOR] = segment!.selector;
    state[at + SEG_BASE] = segment!.base;
    state[at + SEG_LIMIT] = segment!.limit;
    state[at + SEG_ACCESS] = segment!.access;
  }
  state[CPL] = 0;
  state[EIP] = entry.eip;
  if (entry.gdt !== undefined) {
    state[GDTR_BASE] = entry.gdt.base;
    state[GDTR_LIMIT] = entry.gdt.limit;
  }
  processor.setEflags(entry.eflags);
  processor.stateChanged();
}
