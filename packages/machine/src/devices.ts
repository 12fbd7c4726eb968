/**
 * Puts the devices on the board: every registered device part that the configuration does not leave out, each made in a
 * child container with its capabilities. Interrupt controllers and buses come first, because others attach to them.
 */
import {
  RingfenceError,
  Tokens,
  type ByteChannel,
  type DependencyContainer,
  type Device,
  type FloatErrorLogic,
  type InterruptController,
  type IrqLines,
  type MachineConfig,
  type MmioHandler,
  type PartOf,
  type PartRegistry,
  type PhysicalSpace,
  type PciBus,
  type PortDevice,
} from '@ringfence/sdk';
import type { Board } from './board.js';
import { resolvePart } from './parts.js';

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
}

export function createDevices(setup: DeviceSetup): PlacedDevice[] {
  const { container, registry, config, board } = setup;
  for (const name of Object.keys(config.devices)) registry.get('device', name);
  const parts = registry
    .list('device')
    .filter(({ name, onRequest }) => (config.devices[name] ?? onRequest !== true) !== false);
  const rank = (part: PartOf<'device'>) =>
    part.provides?.includes('interrupt-controller') ? 0 : part.provides?.includes('pci-bus') ? 1 : 2;
  parts.sort((a, b) => rank(a) - rank(b)); // stable: the preset's order otherwise

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
    if (part.provides?.includes('interrupt-controller')) board.controller = device as unknown as InterruptController;
    if (part.provides?.includes('float-error')) board.floatErrorLogic = device as unknown as FloatErrorLogic;
    if (part.provides?.includes('pci-bus'))
      container.register(Tokens.PciBus, { useValue: device as unknown as PciBus });
    for (const [range, { base, count, width }] of Object.entries(part.resources.ports ?? {})) {
      board.ports.claim(part.name, range, base, count, width ?? 1, device as unknown as PortDevice);
    }
    const mmio = part.resources.mmio;
    if (mmio !== undefined) setup.space.mapMmio(mmio.base, mmio.bytes, device as unknown as MmioHandler);
    placed.push({ part, device });
  }
  return placed;
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
