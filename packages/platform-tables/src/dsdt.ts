/**
 * The DSDT: a PCI host bridge with its windows, the routing of its interrupts through the link devices LNKA-LNKD to PIIX3's
 * PIRQRC registers, the ISA devices that announced themselves, the processor, and soft off. Link devices: ACPI 6.4, 6.2.13
 * "_PRT (PCI Routing Table)" and 19.6 for the operators; identities are those of the PNP registry. PCI functions are found by
 * enumeration and are not in here. No thermal zones, no sleep states but S5, no _OSC, no hot plug.
 */
import type { PirqRouterFact } from '@ringfence/sdk';
import type { TableBytes } from './acpi-table.js';
import { tableAround } from './acpi-table.js';
import * as aml from './aml/encode.js';
import * as resource from './aml/resources.js';
import { pirqOf, type BoardDescription, type PnpDevice } from './board-description.js';

export const PROCESSOR_ID = 0;

const DEVICES_ON_BUS = 32;
const PINS = 4;
const CONFIG_PORTS = 0xcf8;
/** Below it memory that the BIOS gave away lies; above it the APICs do. */
const PCI_MEMORY_BASE = 0x80000000;
const PCI_MEMORY_LAST = 0xfebfffff;
const DISPLAY_MEMORY = [0xa0000, 0xbffff] as const;
const LINKS = ['LNKA', 'LNKB', 'LNKC', 'LNKD'];
const ROUTE_FIELDS = ['PRQA', 'PRQB', 'PRQC', 'PRQD'];
const NOT_ROUTED = 0x80;
const PRESENT_DISABLED = 0x09;
const PRESENT_ENABLED = 0x0b;

export function dsdt(board: BoardDescription): TableBytes {
  const { power, router } = board;
  const terms: aml.Aml[] = [aml.scope('\\_PR', aml.processor('CPU0', PROCESSOR_ID))];
  if (power !== undefined) {
    const type = aml.integer(power.softOff);
    terms.push(aml.define('\\_S5', aml.packageOf(type, type, aml.integer(0), aml.integer(0))));
  }
  const system: aml.Aml[] = [];
  if (board.pciRoot) system.push(hostBridge(board));
  else system.push(...isaDevices(board));
  if (router !== undefined && board.pciRoot) system.push(...linkDevices(router));
  terms.push(aml.scope('\\_SB', ...system));
  // Revision 1: integers have 32 bits.
  return tableAround('DSDT', 1, terms.flat());
}

function hostBridge(board: BoardDescription): aml.Aml {
  const { router, ramBytes } = board;
  const windows = resource.template(
    resource.busNumbers(0, 0xff),
    resource.io(CONFIG_PORTS, 8),
    resource.ioWindow(0, CONFIG_PORTS - 1),
    resource.ioWindow(CONFIG_PORTS + 8, 0xffff),
    resource.memoryWindow(...DISPLAY_MEMORY),
    resource.memoryWindow(Math.max(PCI_MEMORY_BASE, ramBytes), PCI_MEMORY_LAST),
  );
  const terms = [
    aml.define('_HID', aml.eisaId('PNP0A03')),
    aml.define('_UID', aml.integer(0)),
    aml.define('_CRS', windows),
  ];
  if (router === undefined) return aml.device('PCI0', ...terms, ...isaDevices(board));
  const bridge = aml.device(
    'ISA',
    aml.define('_ADR', aml.integer((router.device << 16) | router.fn)),
    aml.operationRegion('PIRQ', aml.REGION_PCI_CONFIG, router.register, PINS),
    aml.byteFields('PIRQ', ...ROUTE_FIELDS),
    ...isaDevices(board),
  );
  return aml.device('PCI0', ...terms, aml.define('_PRT', routingTable()), bridge);
}

/** Every pin of every slot: which PIRQ it is wired to depends on nothing else. */
function routingTable(): aml.Aml {
  const entries: aml.Aml[] = [];
  for (let device = 0; device < DEVICES_ON_BUS; device++) {
    for (let pin = 0; pin < PINS; pin++) {
      // The word FFFFh: all functions of the device.
      const address = aml.integer(((device << 16) | 0xffff) >>> 0);
      const link = aml.name(`\\_SB.${LINKS[pirqOf(device, pin)]}`);
      entries.push(aml.packageOf(address, aml.integer(pin), link, aml.integer(0)));
    }
  }
  return aml.packageOf(...entries);
}

/** A link is a byte of PIRQRC: which request it routes to, or bit 7, not routed. */
function linkDevices({ choices }: PirqRouterFact): aml.Aml[] {
  const status = aml.method(
    'PSTA',
    1,
    aml.when(aml.and(aml.ARG0, aml.integer(NOT_ROUTED)), aml.give(aml.integer(PRESENT_DISABLED))),
    aml.give(aml.integer(PRESENT_ENABLED)),
  );
  const current = aml.method(
    'PCRS',
    1,
    aml.define('PBUF', resource.template(resource.interrupts(0))),
    aml.dwordField(aml.name('PBUF'), resource.INTERRUPT_NUMBER, 'PIRN'),
    aml.when(aml.and(aml.ARG0, aml.integer(NOT_ROUTED)), aml.store(aml.integer(0), aml.name('PIRN'))),
    aml.otherwise(aml.and(aml.ARG0, aml.integer(0x0f), aml.name('PIRN'))),
    aml.give(aml.name('PBUF')),
  );
  const links = LINKS.map((link, i) => {
    const route = aml.name(`\\_SB.PCI0.ISA.${ROUTE_FIELDS[i]}`);
    return aml.device(
      link,
      aml.define('_HID', aml.eisaId('PNP0C0F')),
      aml.define('_UID', aml.integer(i + 1)),
      aml.define('_PRS', resource.template(resource.interrupts(...choices))),
      aml.method('_STA', 0, aml.give(aml.call('PSTA', route))),
      aml.method('_DIS', 0, aml.or(route, aml.integer(NOT_ROUTED), route)),
      aml.method('_CRS', 0, aml.give(aml.call('PCRS', route))),
      aml.method(
        '_SRS',
        1,
        aml.dwordField(aml.ARG0, resource.INTERRUPT_NUMBER, 'PSRN'),
        aml.store(aml.name('PSRN'), route),
      ),
    );
  });
  return [status, current, ...links];
}

function isaDevices({ devices, power, hpet }: BoardDescription): aml.Aml[] {
  const list = devices.map(pnpDevice);
  const reserved: aml.Aml[] = [];
  if (power !== undefined) reserved.push(resource.io(power.base, power.bytes), resource.io(power.smiCommand, 2));
  if (reserved.length > 0) list.push(described('MBRD', 'PNP0C02', reserved));
  if (hpet !== undefined) list.push(described('HPET', 'PNP0103', [resource.memory(hpet.address, 0x400)]));
  return list;
}

function pnpDevice({ fact, resources }: PnpDevice): aml.Aml {
  const ports = Object.entries(resources.ports ?? {}).filter(([range]) => fact.ports?.includes(range) ?? true);
  const irqs = Object.entries(resources.irqs ?? {}).filter(([line]) => fact.irqs?.includes(line) ?? true);
  return described(fact.name, fact.id, [
    ...ports.map(([, { base, count }]) => resource.io(base, count)),
    ...irqs.map(([, irq]) => resource.irq(irq)),
    ...(fact.dma === undefined ? [] : [resource.dma(fact.dma)]),
  ]);
}

function described(name: string, id: string, resources: readonly aml.Aml[]): aml.Aml {
  return aml.device(
    name,
    aml.define('_HID', aml.eisaId(id)),
    ...(resources.length === 0 ? [] : [aml.define('_CRS', resource.template(...resources))]),
  );
}
