/**
 * Plugins. A plugin is a named array of parts; a part is a class (or plain data) registered by kind and name. Ours and
 * third parties' look alike. A plugin imports only `@ringfence/sdk`; what it gets at run time comes by constructor
 * injection. A preset is an array of plugins.
 */
import type { InjectionToken } from 'tsyringe';
import type { z } from 'zod';
import type { Device, DeviceFacet, DeviceResources } from './device.js';
import { RingfenceError, unknownName } from './errors.js';
import type { FirmwareFact } from './platform-tables.js';
import type { Loader } from './loader.js';
import type { MmuFactory } from './mmu.js';
import type {
  MonitorFactory,
  MonitorPolicy,
  ProtectionStrategy,
  SensitiveStrategy,
  ShadowCacheStrategy,
} from './monitor.js';
import type { Assist, CpuModel, ProcessorFactory } from './processor.js';

/** The contract's version: plugins declare which they were built for; the part before the second dot must match. */
export const SDK_VERSION = '0.1.0';

type Constructor<T> = new (...args: never[]) => T;

interface PartBase {
  /** Unique within its kind; what configuration and flags say. */
  readonly name: string;
  /** One line for `ringfence plugins`. */
  readonly summary: string;
  /** Checks the part's options before anything runs; absent: the part takes none. */
  readonly options?: z.ZodType<Record<string, unknown>>;
}

export interface CorePart extends PartBase {
  readonly kind: 'core';
  readonly useClass: Constructor<ProcessorFactory>;
  /** Whether the monitor's emulator may be made from it: needs exact single steps. */
  readonly emulator: boolean;
}
export interface MmuPart extends PartBase {
  readonly kind: 'mmu';
  readonly useClass: Constructor<MmuFactory>;
}
export interface ModelPart extends PartBase {
  readonly kind: 'model';
  readonly model: CpuModel;
}
export interface DevicePart extends PartBase {
  readonly kind: 'device';
  readonly useClass: Constructor<Device>;
  readonly resources: DeviceResources;
  readonly provides?: readonly DeviceFacet[];
  /** The name of the byte channel it wants: `serial`, `debugcon`. */
  readonly channel?: string;
  /** True: it stands on the board only when the configuration names it (`devices: { name: {} }`). Default: always. */
  readonly onRequest?: boolean;
  /** It stands on the board only beside a processor with this feature. */
  readonly cpuFeature?: keyof CpuModel['features'];
  /** What firmware tells an operating system of it. */
  readonly firmware?: readonly FirmwareFact[];
}
export interface LoaderPart extends PartBase {
  readonly kind: 'loader';
  readonly useClass: Constructor<Loader>;
  /** Loaders are asked in falling priority whether they recognise a file; a negative one is used only when named. */
  readonly priority: number;
}
export interface MonitorPart extends PartBase {
  readonly kind: 'monitor';
  readonly useClass: Constructor<MonitorFactory>;
  /** Bytes of private memory the monitor needs behind the guest's RAM: a multiple of 4 KiB. */
  readonly memoryBytes: number;
}
export interface PolicyPart extends PartBase {
  readonly kind: 'policy';
  readonly useClass: Constructor<MonitorPolicy>;
}
export interface ShadowCachePart extends PartBase {
  readonly kind: 'shadow-cache';
  readonly useClass: Constructor<ShadowCacheStrategy>;
}
export interface SensitivePart extends PartBase {
  readonly kind: 'sensitive';
  readonly useClass: Constructor<SensitiveStrategy>;
  /** The kinds of processor assistance with which it works; other settings are refused before anything runs. */
  readonly assists: readonly Assist[];
}
export interface ProtectionPart extends PartBase {
  readonly kind: 'protection';
  readonly useClass: Constructor<ProtectionStrategy>;
}

export type Part =
  | CorePart
  | MmuPart
  | ModelPart
  | DevicePart
  | LoaderPart
  | MonitorPart
  | PolicyPart
  | ShadowCachePart
  | SensitivePart
  | ProtectionPart;
export type PartKind = Part['kind'];
export type PartOf<K extends PartKind> = Extract<Part, { kind: K }>;

export const PART_KINDS = [
  'core',
  'model',
  'mmu',
  'device',
  'loader',
  'monitor',
  'policy',
  'shadow-cache',
  'sensitive',
  'protection',
] as const satisfies readonly PartKind[];

export interface Plugin {
  readonly name: string;
  /** The SDK version the plugin was built against. */
  readonly sdk: string;
  readonly parts: readonly Part[];
}

/** Checks a plugin's shape where it is written; the identity function otherwise. */
export function definePlugin(plugin: Plugin): Plugin {
  if (typeof plugin.name !== 'string' || plugin.name === '') {
    throw new RingfenceError('RF_PLUGIN_INVALID', {
      message: 'a plugin needs a name',
      value: plugin.name,
      fix: 'pass definePlugin({ name, sdk, parts })',
    });
  }
  if (!Array.isArray(plugin.parts) || plugin.parts.length === 0) {
    throw new RingfenceError('RF_PLUGIN_INVALID', {
      message: `plugin ${plugin.name} brings no parts`,
      value: plugin.parts,
      fix: 'list at least one part',
    });
  }
  return plugin;
}

/** Every part known to a composition root, by kind and name. */
export class PartRegistry {
  private readonly parts = new Map<PartKind, Map<string, { part: Part; plugin: string }>>();

  /** Throws RF_PLUGIN_SDK_MISMATCH, RF_PLUGIN_INVALID or RF_PLUGIN_DUPLICATE. */
  add(plugin: Plugin): void {
    definePlugin(plugin);
    if (majorMinor(plugin.sdk) !== majorMinor(SDK_VERSION)) {
      throw new RingfenceError('RF_PLUGIN_SDK_MISMATCH', {
        message: `plugin ${plugin.name} was built for sdk ${plugin.sdk}, this is ${SDK_VERSION}`,
        value: plugin.sdk,
        fix: `install a version of ${plugin.name} for sdk ${majorMinor(SDK_VERSION)}`,
      });
    }
    for (const part of plugin.parts) {
      if (!PART_KINDS.includes(part.kind) || typeof part.name !== 'string' || part.name === '') {
        throw new RingfenceError('RF_PLUGIN_INVALID', {
          message: `plugin ${plugin.name} has a part of kind ${String(part.kind)} named ${String(part.name)}`,
          value: part,
          fix: `kinds are ${PART_KINDS.join(', ')}; names are non-empty`,
        });
      }
      const byName = this.kind(part.kind);
      const other = byName.get(part.name);
      if (other !== undefined) {
        throw new RingfenceError('RF_PLUGIN_DUPLICATE', {
          message: `${part.kind} "${part.name}" comes from both ${other.plugin} and ${plugin.name}`,
          value: part.name,
          fix: 'load only one of the two plugins',
        });
      }
      byName.set(part.name, { part, plugin: plugin.name });
    }
  }

  /** Throws RF_UNKNOWN_NAME with the names that exist. */
  get<K extends PartKind>(kind: K, name: string): PartOf<K> {
    const found = this.kind(kind).get(name);
    if (found === undefined) throw unknownName(kind, name, this.names(kind));
    return found.part as PartOf<K>;
  }

  names(kind: PartKind): string[] {
    return [...this.kind(kind).keys()];
  }

  list<K extends PartKind>(kind: K): PartOf<K>[] {
    return [...this.kind(kind).values()].map((entry) => entry.part as PartOf<K>);
  }

  /** The name of the plugin that brought a part. */
  pluginOf(kind: PartKind, name: string): string | undefined {
    return this.kind(kind).get(name)?.plugin;
  }

  private kind(kind: PartKind): Map<string, { part: Part; plugin: string }> {
    let byName = this.parts.get(kind);
    if (byName === undefined) {
      byName = new Map<string, { part: Part; plugin: string }>();
      this.parts.set(kind, byName);
    }
    return byName;
  }
}

function majorMinor(version: string): string {
  return String(version)
    .replace(/^[\^~]/, '')
    .split('.')
    .slice(0, 2)
    .join('.');
}

export type { InjectionToken };
