/**
 * The facts that chips announce, sorted: what the table builders ask for. Contradictions (two I/O APICs, two devices of one
 * name) are refused here, before any table is built.
 */
import {
  RingfenceError,
  type AcpiPowerFact,
  type CpuModel,
  type DeviceResources,
  type FirmwareFact,
  type HpetFact,
  type IoApicFact,
  type LocalApicFact,
  type PirqRouterFact,
  type PlacedFact,
  type PnpFact,
  type ResetPortFact,
} from '@ringfence/sdk';

export interface PnpDevice {
  readonly fact: PnpFact;
  readonly resources: DeviceResources;
}

export interface BoardDescription {
  readonly ramBytes: number;
  readonly model: Pick<CpuModel, 'family' | 'model' | 'stepping' | 'features'>;
  readonly power?: AcpiPowerFact;
  readonly localApic?: LocalApicFact;
  readonly ioApic?: IoApicFact;
  readonly hpet?: HpetFact;
  readonly pciRoot: boolean;
  readonly router?: PirqRouterFact;
  readonly resetPort?: ResetPortFact;
  readonly devices: readonly PnpDevice[];
}

/** Throws RF_RESOURCE_CONFLICT. */
export function describeBoard(
  facts: readonly PlacedFact[],
  ramBytes: number,
  model: BoardDescription['model'],
): BoardDescription {
  const only = <K extends FirmwareFact['kind']>(kind: K): Extract<FirmwareFact, { kind: K }> | undefined => {
    const found = facts.filter(({ fact }) => fact.kind === kind);
    if (found.length > 1) throw conflict(kind, `${kind} of which the tables can describe one`, found);
    return found[0]?.fact as Extract<FirmwareFact, { kind: K }> | undefined;
  };
  const devices: PnpDevice[] = [];
  for (const { fact, resources } of facts) if (fact.kind === 'pnp') devices.push({ fact, resources });
  for (const { fact } of devices) {
    const sharers = facts.filter((other) => other.fact.kind === 'pnp' && other.fact.name === fact.name);
    if (sharers.length > 1) throw conflict(fact.name, `device named ${fact.name} in the ACPI namespace`, sharers);
  }
  return {
    ramBytes,
    model,
    power: only('acpi-power'),
    localApic: only('local-apic'),
    ioApic: only('io-apic'),
    hpet: only('hpet'),
    pciRoot: only('pci-root') !== undefined,
    router: only('pirq-router'),
    resetPort: only('reset-port'),
    devices,
  };
}

/** A processor's signature as CPUID gives it, and as both kinds of tables want it. */
export function processorSignature({ family, model, stepping }: BoardDescription['model']): number {
  return ((model >>> 4) << 16) | ((family & 0xf) << 8) | ((model & 0xf) << 4) | stepping;
}

/** PIRQA# is 0: how a board of this chip set wires pin `pin` (0 is INTA#) of a slot. */
export function pirqOf(device: number, pin: number): number {
  return (device + pin - 1) & 3;
}

function conflict(value: string, what: string, found: readonly PlacedFact[]): RingfenceError {
  const [one, other] = found.map(({ part }) => part);
  return new RingfenceError('RF_RESOURCE_CONFLICT', {
    message: `devices "${one}" and "${other}" both bring a ${what}`,
    value,
    fix: `leave one out, e.g. devices: { ${other}: false }`,
  });
}
