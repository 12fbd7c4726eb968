/**
 * The tables of the whole PC: they lie in the guest's memory, name the chips on this very board, come back after a reset, and
 * stay away when the configuration says so. And the power button, which ACPI's registers make a guest's affair.
 */
import { createMachine, type Machine } from '@ringfence/machine';
import {
  EBDA_BASE,
  EBDA_END,
  PHYS_BASE,
  parseMachineConfig,
  type MachineConfigInput,
  type MachineMemory,
  type PortDevice,
} from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { createRegistry } from './index.js';

interface Insides {
  readonly parts: { readonly memory: MachineMemory; readonly start: () => void };
}

function board(config: MachineConfigInput = {}): Machine & Insides {
  const machine = createMachine({
    config: parseMachineConfig({ memory: '2M', loader: 'flat', ...config }),
    registry: createRegistry(),
    kernel: { bytes: new Uint8Array([0xf4]), name: 'hlt.bin' },
  });
  return machine as Machine & Insides;
}

/** C0000h-FFFFFh as text. */
function rom(machine: Insides): string {
  const { u8 } = machine.parts.memory;
  return Buffer.from(u8.buffer, u8.byteOffset + PHYS_BASE + 0xc0000, 0x40000).toString('latin1');
}

const SIGNATURES = ['RSD PTR ', '_MP_', '$PIR', 'FACP', 'APIC', 'DSDT', 'RSDT', 'XSDT'];

describe('the tables of the PC', () => {
  it('are all there', () => {
    const text = rom(board());
    for (const signature of SIGNATURES) expect(text.includes(signature), signature).toBe(true);
    for (const name of [
      'PCI0',
      'LNKD',
      'COM1',
      'KBD_',
      'MOU_',
      'RTC_',
      'PIC_',
      'TMR_',
      'SPKR',
      'FPU_',
      'DMAC',
      'FDC_',
    ]) {
      expect(text.includes(name), name).toBe(true);
    }
  });

  it('can be built with every device there is', () => {
    const registry = createRegistry();
    const facts = registry.list('device').flatMap(({ firmware }) => firmware ?? []);
    const names = facts.flatMap((fact) => (fact.kind === 'pnp' ? [fact.name] : []));
    expect(new Set(names).size).toBe(names.length);
  });

  it('leave out what is not on the board', () => {
    const text = rom(board({ devices: { uart16550: false, ioapic: false } }));
    expect(text).not.toContain('COM1');
    expect(text).not.toContain('_MP_');
    expect(text).toContain('RSD PTR ');
    expect(rom(board({ devices: { 'piix4-pm': false } }))).not.toContain('RSD PTR ');
  });

  it('are not there at all when the configuration says so, each kind or all', () => {
    expect(rom(board({ devices: { 'platform-tables': false } }))).toBe('\xff'.repeat(0x40000));
    const text = rom(board({ devices: { 'platform-tables': { acpi: false } } }));
    expect(text).not.toContain('RSD PTR ');
    expect(text).toContain('_MP_');
  });

  it('come back after a reset, whatever the guest did to them', () => {
    const machine = board();
    const before = rom(machine);
    const host = machine.device('pci-host')! as unknown as PortDevice;
    host.portWrite('address', 0, 4, 0x80000058 | 0);
    host.portWrite('data', 1, 1, 0x30); // PAM0: RAM over the BIOS area
    machine.parts.memory.u8.fill(0, PHYS_BASE + 0xf0000, PHYS_BASE + 0x100000);
    machine.parts.memory.u8.fill(0, PHYS_BASE + EBDA_BASE, PHYS_BASE + EBDA_END);
    machine.parts.start();
    expect(rom(machine)).toBe(before);
    const facs = machine.parts.memory.u8.subarray(PHYS_BASE + EBDA_BASE + 0x40);
    expect(String.fromCharCode(...facs.subarray(0, 4))).toBe('FACS');
  });
});

describe('the power button', () => {
  it('sets its status bit, and is missed on a board without it', () => {
    const machine = board();
    const status = (): number => (machine.device('piix4-pm')!.saveState().data.registers as Uint8Array)[1];
    expect(status()).toBe(0);
    let woken = 0;
    machine.onInput(() => woken++);
    expect(machine.pressPowerButton()).toBe(true);
    expect(status()).toBe(0x01);
    expect(woken).toBe(1);
    expect(board({ devices: { 'piix4-pm': false } }).pressPowerButton()).toBe(false);
  });
});
