/**
 * Puts the devices on the board: every registered device part that the configuration does not leave out, each made in a
 * child container with its capabilities. Interrupt controllers and buses come first, because others attach to them.
 */
import {
  RingfenceError,
  Tokens,
  type ByteChannel,
  type CpuModel,
  type DependencyContainer,
  type Device,
  type DeviceFacet,
  type DmaTransfer,
  type FloatErrorLogic,
  type InterruptController,
  type IoApic,
  type IrqLines,
  type IsaDma,
  type LocalApic,
  type MachineConfig,
  type MmioHandler,
  type PartOf,
  type PartRegistry,
  type PhysicalSpace,
  type PciBus,
  type PlatformTables,
  type PortDevice,
} from '@ringfence/sdk';
import type { Board } from './board.js';
import { resolvePart } from './parts.js';

const NO_TRANSFER: DmaTransfer = { bytes: 0, terminalCount: false };
/** What a chip finds on a board without DMA controllers. */
const NO_DMA: IsaDma = { channel: () => ({ toMemory: () => NO_TRANSFER, fromMemory: () => NO_TRANSFER }) };
const NO_TABLES: PlatformTables = { placed: () => [], files: () => [] };

export interface PlacedDevice {
  readonly part: PartOf<'device'>;
  readonly device: Device;
}

export interface DeviceSetup {
  readonly container: DependencyContainer;
  readonly registry: PartRegistry;
  readonly config: MachineConfig;
  readonly board: Board;
  readonly space: PhysicalSpace;
  readonly channel: (name: string) => ByteChannel;
  /** Whether a channel leads anywhere. */
  readonly connected: (name: string) => boolean;
}

export function createDevices(setup: DeviceSetup): PlacedDevice[] {
  const { container, registry, config, board } = setup;
  for (const name of Object.keys(config.devices)) registry.get('device', name);
  const card = networkCard(config, registry);
  const requested = ({ name, channel }: PartOf<'device'>): boolean =>
    name === card || (channel !== undefined && setup.connected(channel));
  const parts = registry
    .list('device')
    .filter((part) => (config.devices[part.name] ?? (part.onRequest !== true || requested(part))) !== false)
    .filter((part) => fitsProcessor(part, container.resolve(Tokens.CpuModel), config));
  const first: readonly DeviceFacet[] = [
    'local-apic',
    'io-apic',
    'interrupt-controller',
    'pci-bus',
    'isa-dma',
    'platform-tables',
  ];
  const rank = ({ provides }: PartOf<'device'>) => {
    const found = first.findIndex((facet) => provides?.includes(facet));
    return found < 0 ? first.length : found;
  };
  parts.sort((a, b) => rank(a) - rank(b)); // stable: the preset's order otherwise

  const facts = parts.flatMap(({ name, resources, firmware }) =>
    (firmware ?? []).map((fact) => ({ fact, part: name, resources })),
  );
  container.register(Tokens.FirmwareFacts, { useValue: { list: () => facts } });
  container.register(Tokens.PlatformTables, { useValue: NO_TABLES });
  container.register(Tokens.IsaDma, { useValue: NO_DMA });

  const irqOwners = new Map<number, string>();
  const facetOwners = new Map<string, string>();
  const placed: PlacedDevice[] = [];
  for (const part of parts) {
    for (const facet of part.provides ?? []) claimOnce(facetOwners, facet, part.name, `provide the ${facet}`);
    for (const irq of Object.values(part.resources.irqs ?? {})) claimOnce(irqOwners, irq, part.name, `use IRQ ${irq}`);
    const options = config.devices[part.name] || {};
    const device = resolvePart<Device>(container, part, options, (child) => {
      child.register(Tokens.IrqLines, { useValue: irqLines(part, board) });
      if (part.channel !== undefined) child.register(Tokens.ByteChannel, { useValue: setup.channel(part.channel) });
    });
    if (part.provides?.includes('interrupt-controller'))
      board.interrupts.controller = device as unknown as InterruptController;
    if (part.provides?.includes('local-apic')) board.interrupts.localApic = device as unknown as LocalApic;
    if (part.provides?.includes('io-apic')) board.interrupts.ioApic = device as unknown as IoApic;
    if (part.provides?.includes('float-error')) board.floatErrorLogic = device as unknown as FloatErrorLogic;
    if (part.provides?.includes('isa-dma'))
      container.register(Tokens.IsaDma, { useValue: device as unknown as IsaDma });
    if (part.provides?.includes('pci-bus'))
      container.register(Tokens.PciBus, { useValue: device as unknown as PciBus });
    if (part.provides?.includes('platform-tables'))
      container.register(Tokens.PlatformTables, { useValue: device as unknown as PlatformTables });
    for (const [range, { base, count, width }] of Object.entries(part.resources.ports ?? {})) {
      board.ports.claim(part.name, range, base, count, width ?? 1, device as unknown as PortDevice);
    }
    const mmio = part.resources.mmio;
    if (mmio !== undefined) setup.space.mapMmio(mmio.base, mmio.bytes, device as unknown as MmioHandler);
    placed.push({ part, device });
  }
  return placed;
}

/** The part that the configuration's network names as its card. */
function networkCard({ network }: MachineConfig, registry: PartRegistry): string | undefined {
  if (network === undefined || network.card === 'none') return undefined;
  return registry.get('device', network.card).name;
}

/** A part of the processor's kind only; RF_CONTRADICTION when the configuration asks for one that cannot be. */
function fitsProcessor({ name, cpuFeature }: PartOf<'device'>, model: CpuModel, config: MachineConfig): boolean {
  if (cpuFeature === undefined || model.features[cpuFeature]) return true;
  if (config.devices[name] === undefined) return false;
  throw new RingfenceError('RF_CONTRADICTION', {
    message: `device "${name}" needs a processor with the feature "${cpuFeature}", which the model "${model.name}" lacks`,
    value: model.name,
    fix: `use another --model, or leave "${name}" out of devices`,
  });
}

function irqLines(part: PartOf<'device'>, board: Board): IrqLines {
  return {
    line(name) {
      const irq = part.resources.irqs?.[name];
      if (irq !== undefined) return board.irqLine(irq);
      throw new RingfenceError('RF_PLUGIN_INVALID', {
        message: `device "${part.name}" asks for interrupt line "${name}", which it does not declare`,
        value: name,
        fix: `add it to the part's resources.irqs`,
      });
    },
  };
}

function claimOnce<T>(owners: Map<T, string>, what: T, owner: string, verb: string): void {
  const other = owners.get(what);
  if (other !== undefined) {
    throw new RingfenceError('RF_RESOURCE_CONFLICT', {
      message: `devices "${other}" and "${owner}" both ${verb}`,
      value: what,
      fix: `leave one out, e.g. devices: { ${owner}: false }`,
    });
  }
  owners.set(what, owner);
}
