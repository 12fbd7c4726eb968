/**
 * The PC preset: the array of plugins that makes a PC, its kernels' loaders and its monitor, one a line.
 * A new part of ours is a package and a line here; a third party's plugin goes into `createRegistry(extra)`.
 */
import { PartRegistry, type Plugin } from '@ringfence/sdk';
import { plugin as cpu } from '@ringfence/cpu';
import { plugin as debugExit } from '@ringfence/device-debug-exit';
import { plugin as debugcon } from '@ringfence/device-debugcon';
import { plugin as dma8237 } from '@ringfence/device-dma8237';
import { plugin as ferr } from '@ringfence/device-ferr';
import { plugin as floppy } from '@ringfence/device-floppy';
import { plugin as fwCfg } from '@ringfence/device-fw-cfg';
import { plugin as hpet } from '@ringfence/device-hpet';
import { plugin as i8042 } from '@ringfence/device-i8042';
import { plugin as ide } from '@ringfence/device-ide';
import { plugin as ioapic } from '@ringfence/device-ioapic';
import { plugin as lapic } from '@ringfence/device-lapic';
import { plugin as pciHost } from '@ringfence/device-pci-host';
import { plugin as pic8259 } from '@ringfence/device-pic8259';
import { plugin as piix3 } from '@ringfence/device-piix3';
import { plugin as piix4Pm } from '@ringfence/device-piix4-pm';
import { plugin as pit8254 } from '@ringfence/device-pit8254';
import { plugin as rtc } from '@ringfence/device-rtc';
import { plugin as sysctl } from '@ringfence/device-sysctl';
import { plugin as uart16550 } from '@ringfence/device-uart16550';
import { plugin as vga } from '@ringfence/device-vga';
import { plugin as virtio9p } from '@ringfence/device-virtio-9p';
import { plugin as virtioBlk } from '@ringfence/device-virtio-blk';
import { plugin as virtioConsole } from '@ringfence/device-virtio-console';
import { plugin as virtioRng } from '@ringfence/device-virtio-rng';
import { plugin as virtioNet } from '@ringfence/device-virtio-net';
import { plugin as loaderFlat } from '@ringfence/loader-flat';
import { plugin as loaderLinux } from '@ringfence/loader-linux';
import { plugin as loaderMultiboot } from '@ringfence/loader-multiboot';
import { plugin as mmu } from '@ringfence/mmu';
import { plugin as monitor } from '@ringfence/monitor';
import { plugin as platformTables } from '@ringfence/platform-tables';
import { plugin as policyDataSwap } from '@ringfence/policy-data-swap';
import { plugin as policyFullEmulation } from '@ringfence/policy-full-emulation';
import { plugin as policyStepThrough } from '@ringfence/policy-step-through';
import { plugin as protectionPdbrReload } from '@ringfence/protection-pdbr-reload';
import { plugin as protectionWpToggle } from '@ringfence/protection-wp-toggle';
import { plugin as sensitiveAssist } from '@ringfence/sensitive-assist';
import { plugin as shadowRebuild } from '@ringfence/shadow-rebuild';
import { plugin as shadowTrackedLru } from '@ringfence/shadow-tracked-lru';

export const pcPreset: readonly Plugin[] = [
  cpu,
  mmu,
  lapic,
  ioapic,
  pic8259,
  pit8254,
  uart16550,
  rtc,
  i8042,
  dma8237,
  floppy,
  vga,
  debugcon,
  debugExit,
  pciHost,
  piix3,
  piix4Pm,
  ide,
  sysctl,
  ferr,
  hpet,
  platformTables,
  virtioBlk,
  virtioConsole,
  virtioRng,
  virtio9p,
  virtioNet,
  fwCfg,
  loaderLinux,
  loaderMultiboot,
  loaderFlat,
  monitor,
  policyStepThrough,
  policyDataSwap,
  policyFullEmulation,
  shadowRebuild,
  shadowTrackedLru,
  sensitiveAssist,
  protectionWpToggle,
  protectionPdbrReload,
];

/** A registry with the preset and then `extra`. Throws RF_PLUGIN_* for a plugin that does not fit. */
export function createRegistry(extra: readonly Plugin[] = []): PartRegistry {
  const registry = new PartRegistry();
  for (const plugin of [...pcPreset, ...extra]) registry.add(plugin);
  return registry;
}
