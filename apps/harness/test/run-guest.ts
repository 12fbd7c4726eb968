/**
 * Runs one guest on the real machine in this process, for specs that look closer than a suite does: every serial byte,
 * the whole report.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { openDrives } from '@ringfence/disk-image';
import { openNetwork } from '@ringfence/user-network';
import { createMachine, runMachine, type RunReport } from '@ringfence/machine';
import { createRegistry } from '@ringfence/preset-pc';
import { type MachineConfigInput, parseMachineConfig, type Plugin } from '@ringfence/sdk';

export const root = resolve(import.meta.dirname, '../../..');
export const guestImage = (name: string): string => resolve(root, `guests/images/${name}.elf`);

export interface GuestRun {
  readonly status: number;
  readonly report: RunReport;
  readonly serial: Uint8Array;
  readonly screen: string | undefined;
  readonly dump: string | undefined;
}

export async function runGuest(
  kernel: string,
  options: Omit<MachineConfigInput, 'kernel'>,
  plugins: readonly Plugin[] = [],
): Promise<GuestRun> {
  const config = parseMachineConfig({ ...options, kernel });
  const sent: number[] = [];
  const serial = { send: (byte: number) => void sent.push(byte), receive: () => -1, onReceive: () => {} };
  const machine = createMachine({
    config,
    registry: createRegistry(plugins),
    kernel: { bytes: readFileSync(kernel), name: kernel },
    initrd: config.initrd === undefined ? undefined : { bytes: readFileSync(config.initrd), name: config.initrd },
    channels: { serial },
    drives: openDrives(config.drives),
    network: openNetwork(config.network, { readFile: readFileSync }),
  });
  const { exitStatus, report, dump } = await runMachine(machine, config.limits);
  return { status: exitStatus, report, serial: Uint8Array.from(sent), screen: machine.screen(), dump };
}
