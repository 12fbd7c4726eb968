/**
 * Loading: finds the loader (named, or the one that recognises the file), lets it check everything, copies what it laid
 * out into guest memory, and starts the guest's processor in the state it asked for. That state reaches the executor
 * as a saved processor state, the same way a snapshot does: bare and monitored starts are one path.
 */
import {
  CPL,
  EIP,
  GDTR_BASE,
  GDTR_LIMIT,
  MachineMemory,
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
  type GuestExecutor,
  type Loader,
  type LoadedImage,
  type MachineConfig,
  type PartRegistry,
  type StateRecord,
} from '@ringfence/sdk';
import { checkedOptions, resolvePart } from './parts.js';
import type { ImageFile } from './types.js';

export interface LoadSetup {
  readonly container: DependencyContainer;
  readonly registry: PartRegistry;
  readonly config: MachineConfig;
  readonly ramBytes: number;
  readonly memory: MachineMemory;
  readonly model: CpuModel;
  readonly assist: Assist;
  readonly executor: GuestExecutor;
  readonly kernel: ImageFile;
  readonly initrd: ImageFile | undefined;
}

export function loadKernel(setup: LoadSetup): void {
  const { loader, options } = chooseLoader(setup);
  const image: LoadedImage = loader.load({
    kernel: setup.kernel.bytes,
    kernelName: setup.kernel.name,
    initrd: setup.initrd?.bytes,
    initrdName: setup.initrd?.name,
    commandLine: setup.config.append,
    ramBytes: setup.ramBytes,
    options,
  });
  for (const { address, bytes } of image.segments) {
    if (address < 0 || address + bytes.length > setup.ramBytes) {
      throw new RingfenceError('RF_INTERNAL', {
        message: `the loader put bytes outside of memory, at 0x${address.toString(16)}`,
        value: address,
      });
    }
    setup.memory.writeBytes(address, bytes);
  }
  setup.executor.loadGuestState(entryRecord(image.entry, setup));
}

function chooseLoader(setup: LoadSetup): { loader: Loader; options: Readonly<Record<string, unknown>> } {
  const { registry, config, kernel, container } = setup;
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
  return processor.saveState();
}
