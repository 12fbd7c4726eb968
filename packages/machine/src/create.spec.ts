import {
  RingfenceError,
  Tokens,
  inject,
  injectable,
  type Device,
  type GuestExecutor,
  type MachineConfigInput,
  type MachineMemory,
  type MonitorOptions,
  type MonitorPolicy,
  type Part,
  type ShadowCacheStrategy,
} from '@ringfence/sdk';
import { z } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { ToySerial, ToyTimer, toyMachine } from './testing/toy-board.js';
import type { CreateMachineOptions } from './types.js';

function refusal(config: MachineConfigInput, extra: readonly Part[] = [], kernel = new Uint8Array([0x55])) {
  try {
    toyMachine([], config, { kernel: { bytes: kernel, name: 'k' } }, extra);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(RingfenceError);
    expect((error as RingfenceError).fix).toBeTruthy();
    return `${(error as RingfenceError).code}: ${(error as Error).message}`;
  }
}

const made: { options?: MonitorOptions; memory?: MachineMemory; policy?: MonitorPolicy; capacity?: unknown } = {};

@injectable()
class ToyMonitor {
  constructor(
    @inject(Tokens.MonitorOptions) options: MonitorOptions,
    @inject(Tokens.MachineMemory) memory: MachineMemory,
    @inject(Tokens.MonitorPolicy) policy: MonitorPolicy,
    @inject(Tokens.ShadowCacheStrategy) shadow: ShadowCacheStrategy,
  ) {
    Object.assign(made, { options, memory, policy, capacity: (shadow as unknown as ToyShadow).options.capacity });
  }
  create(): GuestExecutor {
    return { setIntr: () => {}, retired: () => 0, loadGuestState: () => {} } as unknown as GuestExecutor;
  }
}
@injectable()
class ToyShadow {
  readonly name = 'lru';
  constructor(@inject(Tokens.Options) readonly options: { readonly capacity: number }) {}
}
class Named {
  readonly name = 'named';
}
const monitorParts: readonly Part[] = [
  { kind: 'monitor', name: 'monitor', summary: '', useClass: ToyMonitor, memoryBytes: 0x10000 },
  { kind: 'policy', name: 'stepper', summary: '', useClass: Named as never },
  {
    kind: 'shadow-cache',
    name: 'tracked-lru',
    summary: '',
    useClass: ToyShadow as never,
    options: z.strictObject({ capacity: z.number().min(8).default(64) }),
  },
  { kind: 'sensitive', name: 'assist', summary: '', useClass: Named as never, assists: ['trap'] },
  { kind: 'sensitive', name: 'scan', summary: '', useClass: Named as never, assists: ['none', 'trap'] },
  { kind: 'protection', name: 'wp-toggle', summary: '', useClass: Named as never },
];

describe('a configuration is refused', () => {
  it.each([
    ['an unknown core', { cpu: { core: 'jitt' } }, /^RF_UNKNOWN_NAME: no core is called "jitt"/],
    ['an unknown model', { cpu: { model: 'p7' } }, /^RF_UNKNOWN_NAME: no model/],
    ['an unknown device', { devices: { floppy: {} } }, /^RF_UNKNOWN_NAME: no device/],
    ['an unknown loader', { loader: 'elf' }, /^RF_UNKNOWN_NAME: no loader/],
    ['bad device options', { devices: { timer: { factor: 'x' } } }, /^RF_BAD_CONFIG: options of device "timer"/],
    [
      'options nobody takes',
      { devices: { serial: { speed: 1 } } },
      /^RF_BAD_CONFIG: device "serial" has no option "speed"/,
    ],
    ['too little memory', { memory: 0 }, /^RF_BAD_MEMORY_SIZE/],
    ['too much memory', { memory: '64G' }, /^RF_BAD_MEMORY_SIZE/],
    ['assist without a monitor', { cpu: { assist: 'trap' } }, /^RF_CONTRADICTION: cpu.assist "trap" without a monitor/],
    ['a monitor that is not there', { monitor: { policy: 'stepper' } }, /^RF_UNKNOWN_NAME/],
  ] as [string, MachineConfigInput, RegExp][])('for %s', (_what, config, expected) => {
    expect(refusal(config)).toMatch(expected);
  });

  it('for a kernel nobody recognises, naming the formats', () => {
    expect(refusal({}, [], new Uint8Array(3))).toMatch(/^RF_KERNEL_NOT_BOOTABLE/);
    expect(refusal({ loader: 'raw' }, [], new Uint8Array(3))).toBeUndefined();
  });

  it("for devices in each other's way", () => {
    const device = (resources: object, more = {}): Part => ({
      kind: 'device',
      name: 'intruder',
      summary: '',
      useClass: ToySerial,
      channel: 'x',
      resources,
      ...more,
    });
    expect(refusal({}, [device({ ports: { p: { base: 0x43, count: 1 } } })])).toMatch(
      /^RF_RESOURCE_CONFLICT: .*"timer" and "intruder" both claim port 0x43/,
    );
    expect(refusal({}, [device({ irqs: { x: 3 } })])).toMatch(/^RF_RESOURCE_CONFLICT: .*both use IRQ 3/);
    expect(refusal({}, [device({}, { provides: ['interrupt-controller'] })])).toMatch(
      /^RF_RESOURCE_CONFLICT: .*interrupt-controller/,
    );
    expect(
      refusal({ devices: { timer: false } }, [device({ ports: { p: { base: 0x43, count: 1 } } })]),
    ).toBeUndefined();
  });

  it('for a device that asks for what nobody provides', () => {
    const part: Part = { kind: 'device', name: 'loose', summary: '', useClass: ToySerial, resources: {} };
    expect(refusal({}, [part])).toMatch(/^RF_PLUGIN_INVALID: device "loose" cannot be made/);
    const line: Part = {
      kind: 'device',
      name: 'lineless',
      summary: '',
      useClass: ToyTimer as unknown as new () => Device,
      options: z.object({}),
      resources: {},
    };
    expect(refusal({}, [line])).toMatch(/^RF_PLUGIN_INVALID: device "lineless" asks for interrupt line "out"/);
  });
});

describe('a device that belongs to some processors', () => {
  const part = (cpuFeature: 'apic' | 'pse'): Part => ({
    kind: 'device',
    name: 'companion',
    summary: '',
    useClass: ToySerial,
    channel: 'x',
    resources: {},
    cpuFeature,
  });

  it('stands beside those only', () => {
    expect(toyMachine([], {}, {}, [part('pse')]).device('companion')).toBeDefined();
    expect(toyMachine([], {}, {}, [part('apic')]).device('companion')).toBeUndefined();
    expect(toyMachine([], { devices: { companion: false } }, {}, [part('apic')]).device('companion')).toBeUndefined();
  });

  it('is refused beside another when the configuration names it', () => {
    expect(refusal({ devices: { companion: {} } }, [part('pse')])).toBeUndefined();
    expect(refusal({ devices: { companion: {} } }, [part('apic')])).toMatch(
      /^RF_CONTRADICTION: device "companion" needs a processor with the feature "apic"/,
    );
  });
});

describe('a device that stands on the board on request', () => {
  const extra: Part = {
    kind: 'device',
    name: 'extra',
    summary: '',
    useClass: ToySerial,
    resources: {},
    channel: 'extra',
    onRequest: true,
  };
  const stands = (config: MachineConfigInput, channels?: CreateMachineOptions['channels']): boolean =>
    toyMachine([], config, { channels }, [extra]).device('extra') !== undefined;

  it('is there when the configuration names it, or when its channel leads somewhere', () => {
    const channel = { send: () => {}, receive: () => -1, onReceive: () => {} };
    expect([stands({}), stands({}, { other: channel })]).toEqual([false, false]);
    expect([stands({ devices: { extra: {} } }), stands({}, { extra: channel })]).toEqual([true, true]);
    expect(stands({ devices: { extra: false } }, { extra: channel })).toBe(false);
  });
});

describe('a monitor', () => {
  it('gets its strategies, with options, and memory of its own', () => {
    toyMachine(
      [],
      { monitor: { policy: 'stepper', shadowCache: { name: 'tracked-lru', capacity: 9 } } },
      {},
      monitorParts,
    );
    expect(made.options).toEqual({ assist: 'trap', rdtsc: 'native' });
    expect(made.policy?.name).toBe('named');
    expect(made.capacity).toBe(9);
    expect(made.memory?.monitorBytes).toBe(0x10000);
  });

  it('refuses an assist its strategy does not work with, and unknown names', () => {
    const monitor = { policy: 'stepper' };
    expect(refusal({ monitor, cpu: { assist: 'none' } }, monitorParts)).toMatch(
      /^RF_CONTRADICTION: .*"assist" does not work with cpu.assist "none"/,
    );
    expect(
      refusal({ monitor: { policy: 'stepper', sensitive: 'scan' }, cpu: { assist: 'none' } }, monitorParts),
    ).toBeUndefined();
    expect(refusal({ monitor: { policy: 'stpper' } }, monitorParts)).toMatch(/^RF_UNKNOWN_NAME: no policy/);
    expect(refusal({ monitor: { policy: 'stepper', protection: 'x' } }, monitorParts)).toMatch(
      /^RF_UNKNOWN_NAME: no protection/,
    );
    expect(
      refusal({ monitor: { policy: 'stepper', shadowCache: { name: 'tracked-lru', capacity: 1 } } }, monitorParts),
    ).toMatch(/^RF_BAD_CONFIG: options of shadow-cache/);
  });
});
