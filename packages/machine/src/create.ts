/**
 * Builds a machine from a configuration and a registry: the one place where parts meet. Everything a user can get wrong
 * (names, options, contradictions, files) is refused here with a typed error, before a single instruction runs.
 */
import {
  DEFAULT_MAC,
  PhysicalSpace,
  RingfenceError,
  Tokens,
  MachineMemory,
  createContainer,
  looseCable,
  parseMemorySize,
  splitNamed,
  type AddressWindows,
  type Assist,
  type CpuModel,
  type MmuFactory,
  type MonitorConfig,
  type PartRegistry,
} from '@ringfence/sdk';
import { Board } from './board.js';
import { ChannelTap } from './channel-tap.js';
import { createDevices } from './devices.js';
import { BoardDma } from './dma.js';
import { createExecutor } from './executors.js';
import { mapFirmware } from './firmware.js';
import { planStart } from './load.js';
import { PcMachine } from './machine.js';
import { mapGuestMemory } from './memory-map.js';
import { firstPart, resolvePart } from './parts.js';
import { BoardShadowRam } from './shadow-ram.js';
import type { CreateMachineOptions, Machine } from './types.js';

/** Throws RF_* errors of blame `usage` for whatever the user has to put right. */
export function createMachine(options: CreateMachineOptions): Machine {
  const { config, registry } = options;
  const ramBytes = parseMemorySize(config.memory);
  const monitor = config.monitor === 'none' ? undefined : config.monitor;
  const assist = chooseAssist(config.cpu.assist, monitor, registry);
  const model = registry.get('model', config.cpu.model).model;
  if (monitor !== undefined) checkModel(model, registry);
  registry.get('core', config.cpu.core);
  const mmuPart = firstPart(registry, 'mmu');
  const monitorBytes = monitor === undefined ? 0 : registry.get('monitor', 'monitor').memoryBytes;

  const memory = new MachineMemory(ramBytes, monitorBytes);
  const space = new PhysicalSpace(memory);
  mapGuestMemory(space, ramBytes);
  const board = new Board(config.clock.hz, space);
  const dma = new BoardDma(space);
  const shadowRam = new BoardShadowRam(space);
  const drives = options.drives ?? [];

  const container = createContainer();
  container.register(Tokens.MachineMemory, { useValue: memory });
  container.register(Tokens.GuestSpace, { useValue: space });
  container.register(Tokens.GuestBus, { useValue: board });
  container.register(Tokens.CpuModel, { useValue: model });
  container.register(Tokens.Clock, { useValue: board.scheduler });
  container.register(Tokens.SystemControl, { useValue: board.control });
  container.register(Tokens.IntrPin, { useValue: board.interrupts.intrPin });
  container.register(Tokens.ApicBus, { useValue: board.interrupts.apicBus });
  container.register(Tokens.ProcessorPins, { useValue: board.interrupts.pins });
  container.register(Tokens.NmiGate, { useValue: board.interrupts.nmiGate });
  container.register(Tokens.BoardInfo, {
    useValue: { ramBytes, epochSeconds: Math.floor(Date.parse(config.clock.epoch) / 1000) },
  });
  container.register(Tokens.AddressWindows, { useValue: addressWindows(board, space) });
  container.register(Tokens.DmaMemory, { useValue: dma });
  container.register(Tokens.ShadowRam, { useValue: shadowRam });
  container.register(Tokens.IrqInputs, { useValue: { input: (irq) => board.irqLine(irq) } });
  const network = options.network?.(board.scheduler);
  container.register(Tokens.NetworkLink, { useValue: network ?? looseCable(DEFAULT_MAC) });
  container.register(Tokens.DriveBay, { useValue: { drives: (on) => drives.filter((d) => d.interface === on) } });
  container.register(Tokens.SharedFolders, { useValue: { list: () => options.shares ?? [] } });
  container.register(Tokens.MmuFactory, { useValue: resolvePart<MmuFactory>(container, mmuPart, {}) });

  const { kernel, initrd } = options;
  const firmware = options.firmware;
  const plan = planStart({
    ...{ container, registry, config, ramBytes, memory, model, assist, kernel, initrd, firmware },
    firmwareFiles: () => container.resolve(Tokens.PlatformTables).files(),
  });
  container.register(Tokens.FirmwareInfo, { useValue: plan.firmware });
  if (firmware !== undefined) mapFirmware(space, firmware.bios);

  const taps = new Map<string, ChannelTap>();
  const tap = (name: string): ChannelTap => {
    let found = taps.get(name);
    if (found === undefined) taps.set(name, (found = new ChannelTap(options.channels?.[name])));
    return found;
  };
  tap('serial');
  const connected = (name: string): boolean => options.channels?.[name] !== undefined;
  const devices = createDevices({ container, registry, config, board, space, channel: tap, connected });
  const executor = createExecutor({ container, registry, config, monitor, assist, model, memory, space, board });
  board.connect(executor);
  dma.executor = executor;
  const start = (): void => {
    for (const { device } of devices) device.reset();
    if (firmware === undefined) for (const { device } of devices) device.handOver?.();
    // Whatever the chips' reset values say, a boot loader has opened the gate before any kernel of ours starts, and
    // firmware's first instruction is fetched from above it.
    board.control.setA20(true);
    plan.start(executor);
  };
  start();
  return new PcMachine({
    config,
    assist,
    ramBytes,
    kernelName: kernel?.name ?? '',
    firmwareName: firmware?.bios.name,
    awaitsInput: options.awaitsInput ?? (() => false),
    pacesSleep: options.pacesSleep ?? false,
    memory,
    space,
    board,
    executor,
    devices,
    shadowRam,
    drives,
    network,
    taps,
    start,
    onReset: options.onReset ?? (() => {}),
  });
}

function addressWindows(board: Board, space: PhysicalSpace): AddressWindows {
  return {
    ports: (owner, range, count, width, device) => board.ports.addWindow(owner, range, count, width, device),
    memory: (bytes, handler) => space.addWindow(bytes, handler),
  };
}

/** The monitor's pages are kept by CR0.WP, and x87 errors reach it through CR0.NE: both came with the 486. */
function checkModel(model: CpuModel, registry: PartRegistry): void {
  if (model.isa >= 4) return;
  const able = registry.list('model').filter((part) => part.model.isa >= 4);
  throw new RingfenceError('RF_CONTRADICTION', {
    message: `a monitor cannot run on the processor model "${model.name}": it has no CR0.WP`,
    value: model.name,
    fix: `use --model ${able.map((part) => part.name).join(', ')}, or run without --monitor`,
  });
}

function chooseAssist(asked: Assist | undefined, monitor: MonitorConfig | undefined, registry: PartRegistry): Assist {
  if (monitor === undefined) {
    if (asked === undefined || asked === 'none') return 'none';
    throw new RingfenceError('RF_CONTRADICTION', {
      message: `cpu.assist "${asked}" without a monitor: assist helps a monitor`,
      value: asked,
      fix: 'run with --monitor or leave --assist out',
    });
  }
  const { name } = splitNamed(monitor.sensitive);
  const { assists } = registry.get('sensitive', name);
  const assist = asked ?? assists[0];
  if (!assists.includes(assist)) {
    throw new RingfenceError('RF_CONTRADICTION', {
      message: `the sensitive-instruction strategy "${name}" does not work with cpu.assist "${assist}"`,
      value: assist,
      fix: `use --assist ${assists.join(' or --assist ')}, or another --sensitive`,
    });
  }
  return assist;
}
