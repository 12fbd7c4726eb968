/**
 * Chooses who executes the guest: a bare processor in slot 0, or the configured monitor, which gets every contract it
 * may ask for by token and builds its own hardware.
 */
import {
  Tokens,
  splitNamed,
  unknownName,
  type Assist,
  type CpuModel,
  type DependencyContainer,
  type GuestExecutor,
  type InjectionToken,
  type MachineConfig,
  type MachineMemory,
  type MonitorConfig,
  type MonitorFactory,
  type NamedPart,
  type PartRegistry,
  type PhysicalSpace,
  type ProcessorFactory,
} from '@ringfence/sdk';
import { BareExecutor } from './bare-executor.js';
import type { Board } from './board.js';
import { resolvePart } from './parts.js';

export interface ExecutorSetup {
  readonly container: DependencyContainer;
  readonly registry: PartRegistry;
  readonly config: MachineConfig;
  readonly monitor: MonitorConfig | undefined;
  readonly assist: Assist;
  readonly model: CpuModel;
  readonly memory: MachineMemory;
  readonly space: PhysicalSpace;
  readonly board: Board;
}

export function createExecutor(setup: ExecutorSetup): GuestExecutor {
  const { container, registry, config, monitor, assist, model, memory, space, board } = setup;
  const core = resolvePart<ProcessorFactory>(container, registry.get('core', config.cpu.core), {});
  container.register(Tokens.HardwareCore, { useValue: core });
  container.register(Tokens.EmulatorCore, { useValue: emulatorCore(setup, core) });
  if (monitor === undefined) {
    const mmu = container.resolve(Tokens.MmuFactory).create({ memory, space, slot: 0, features: model.features });
    return new BareExecutor(core.create({ memory, space, mmu, bus: board, slot: 0, model, assist }));
  }
  container.register(Tokens.MonitorOptions, { useValue: { assist, rdtsc: monitor.rdtsc ?? 'native' } });
  strategy(setup, 'policy', monitor.policy, Tokens.MonitorPolicy);
  strategy(setup, 'shadow-cache', monitor.shadowCache, Tokens.ShadowCacheStrategy);
  strategy(setup, 'sensitive', monitor.sensitive, Tokens.SensitiveStrategy);
  strategy(setup, 'protection', monitor.protection, Tokens.ProtectionStrategy);
  return resolvePart<MonitorFactory>(container, registry.get('monitor', 'monitor'), {}).create();
}

/** Each strategy in a child container of its own; the object is then there for the monitor. */
function strategy<T>(
  setup: ExecutorSetup,
  kind: 'policy' | 'shadow-cache' | 'sensitive' | 'protection',
  named: NamedPart,
  token: InjectionToken<T>,
): void {
  const { name, options } = splitNamed(named);
  const part = setup.registry.get(kind, name);
  setup.container.register(token, { useValue: resolvePart<T>(setup.container, part, options) });
}

/** The reference for single steps: the configured core if it can, else the first registered one that can. */
function emulatorCore(setup: ExecutorSetup, configured: ProcessorFactory): ProcessorFactory {
  if (setup.registry.get('core', setup.config.cpu.core).emulator) return configured;
  const part = setup.registry.list('core').find((candidate) => candidate.emulator);
  if (part === undefined) throw unknownName('core that can single-step', '(any)', []);
  return resolvePart<ProcessorFactory>(setup.container, part, {});
}
