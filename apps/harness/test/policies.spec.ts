/**
 * The policies do what they say, by count, on the real machine: step-through takes two exits a structure write and emulates
 * no user instruction; full emulation takes one; data-swap swaps private bytes out and in for in-place tables.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import type { Assist, MonitorReport } from '@ringfence/sdk';
import { guestImage, runGuest } from './run-guest.js';

const POLICIES = ['step-through', 'data-swap', 'full-emulation'] as const;
type Policy = (typeof POLICIES)[number];

async function figures(guest: string): Promise<Record<Policy, MonitorReport>> {
  const runs = POLICIES.map(async (policy) => {
    const { status, report, serial } = await runGuest(guestImage(guest), {
      memory: '16M',
      monitor: { policy, shadowCache: 'rebuild' },
      limits: { maxInstructions: 100_000_000 },
    });
    expect(status, Buffer.from(serial).toString('latin1')).toBe(33);
    return [policy, report.monitor!] as const;
  });
  return Object.fromEntries(await Promise.all(runs)) as Record<Policy, MonitorReport>;
}

const byReason = (monitor: MonitorReport, reason: string): number => monitor.exits.byReason[reason] ?? 0;
/** What a policy had the emulator do; what no policy can avoid (an unholdable segment state) is counted under `state-...`. */
const emulatedForPolicy = (monitor: MonitorReport): string[] =>
  Object.keys(monitor.userEmulations).filter((why) => !why.startsWith('state-') && monitor.userEmulations[why] > 0);

describe('page-table writes (rotate)', () => {
  let all: Record<Policy, MonitorReport>;
  beforeAll(async () => void (all = await figures('rotate')));

  it('are the same number of structure writes for every policy', () => {
    const writes = POLICIES.map((policy) => byReason(all[policy], 'structure-write'));
    expect(writes[0]).toBeGreaterThan(1000);
    expect(new Set(writes).size).toBe(1);
  });

  it('cost step-through two exits each, and no emulation', () => {
    const monitor = all['step-through'];
    const writes = byReason(monitor, 'structure-write');
    expect(monitor.steps).toBe(writes);
    expect(byReason(monitor, 'single-step')).toBe(writes);
    expect(emulatedForPolicy(monitor)).toEqual([]);
  });

  it('cost full emulation one exit each, and no step', () => {
    const monitor = all['full-emulation'];
    const writes = byReason(monitor, 'structure-write');
    expect(monitor.steps).toBe(0);
    expect(monitor.userEmulations.structure).toBe(writes);
    expect(all['step-through'].exits.total - monitor.exits.total).toBe(writes);
    expect(monitor.emulations - all['step-through'].emulations).toBe(writes);
  });
});

describe('tables that share a page with data (descriptors)', () => {
  let all: Record<Policy, MonitorReport>;
  beforeAll(async () => void (all = await figures('descriptors')));

  it('are swapped by data-swap only, out and in', () => {
    expect(all['data-swap'].swaps).toBeGreaterThan(100);
    expect(all['data-swap'].swaps).toBeLessThanOrEqual(all['data-swap'].steps);
    expect([all['step-through'].swaps, all['full-emulation'].swaps]).toEqual([0, 0]);
  });

  it('are emulated by full-emulation only', () => {
    expect(emulatedForPolicy(all['step-through'])).toEqual([]);
    expect(emulatedForPolicy(all['data-swap'])).toEqual([]);
    expect(emulatedForPolicy(all['full-emulation'])).toEqual(['structure']);
  });
});

describe('the flags of a deprivileged kernel (interrupts)', () => {
  const FLAG_INSTRUCTIONS = ['cli', 'sti', 'pushf', 'popf'];

  it('exit each with `trap`, and with `vif` only where more than IF is meant or an interrupt waits', async () => {
    const exits = async (assist: Assist): Promise<number> => {
      const { status, report } = await runGuest(guestImage('interrupts'), {
        memory: '16M',
        cpu: { assist },
        monitor: { policy: 'full-emulation' },
      });
      expect(status).toBe(33);
      return FLAG_INSTRUCTIONS.reduce((sum, name) => sum + byReason(report.monitor!, `instruction-${name}`), 0);
    };
    const [trap, vif] = [await exits('trap'), await exits('vif')];
    expect(trap).toBeGreaterThan(8000);
    expect(vif).toBeLessThan(50);
    // It sets TF, NT and IOPL, and enables interrupts while one waits.
    expect(vif).toBeGreaterThan(10);
  });
});

describe('the time stamp counter (hello)', () => {
  const run = (rdtsc: 'native' | 'trap') =>
    runGuest(guestImage('hello'), { memory: '16M', monitor: { policy: 'step-through', rdtsc } });

  it('is read by the guest itself, or by an exit each time, and tells the same', async () => {
    const [native, trapped] = [await run('native'), await run('trap')];
    expect([native.status, trapped.status]).toEqual([33, 33]);
    expect(byReason(native.report.monitor!, 'instruction-rdtsc')).toBe(0);
    // Two readings of main's and the last one of every guest.
    expect(byReason(trapped.report.monitor!, 'instruction-rdtsc')).toBe(3);
    for (const field of ['retired', 'stateHash', 'serialSha256'] as const) {
      expect(trapped.report[field], field).toBe(native.report[field]);
    }
  });
});

describe('string instructions on video memory (vga)', () => {
  it('are emulated to their end in one exit', async () => {
    const monitor = { policy: 'step-through', shadowCache: 'rebuild' };
    const { status, report } = await runGuest(guestImage('vga'), { memory: '16M', monitor });
    expect(status).toBe(33);
    const iterations = report.monitor!.userEmulations.device;
    expect(iterations).toBeGreaterThan(50_000);
    expect(byReason(report.monitor!, 'device')).toBeLessThan(iterations / 3);
  });
});
