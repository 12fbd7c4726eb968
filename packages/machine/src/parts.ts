/**
 * Resolving parts: checks a part's options with its own schema, gives each part a child container of its own, and turns
 * whatever a foreign constructor throws into a typed error that names the part.
 */
import {
  RingfenceError,
  Tokens,
  unknownName,
  type DependencyContainer,
  type InjectionToken,
  type Part,
  type PartKind,
  type PartOf,
  type PartRegistry,
} from '@ringfence/sdk';

/** The first registered part of a kind of which a machine has exactly one. */
export function firstPart<K extends PartKind>(registry: PartRegistry, kind: K): PartOf<K> {
  const [part] = registry.list(kind);
  if (part === undefined) throw unknownName(kind, '(any)', []);
  return part;
}

/** The part's options, checked and with defaults filled in. Throws RF_BAD_CONFIG. */
export function checkedOptions(
  part: Part,
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (part.options === undefined) {
    const [extra] = Object.keys(given);
    if (extra === undefined) return {};
    throw new RingfenceError('RF_BAD_CONFIG', {
      message: `${part.kind} "${part.name}" has no option "${extra}"`,
      value: given,
      fix: `leave the options of ${part.name} out`,
    });
  }
  const result = part.options.safeParse(given);
  if (result.success) return result.data;
  const what = result.error.issues.map((i) => `${i.path.join('.') || '(options)'}: ${i.message}`).join('; ');
  throw new RingfenceError('RF_BAD_CONFIG', {
    message: `options of ${part.kind} "${part.name}" are not valid: ${what}`,
    value: given,
    fix: `see "ringfence plugins" for what ${part.name} is`,
  });
}

/**
 * Makes the part's object in a child container holding its options and what `provide` adds.
 * Errors of the part's own that are not typed become RF_PLUGIN_INVALID.
 */
export function resolvePart<T>(
  container: DependencyContainer,
  part: Part & { readonly useClass: unknown },
  options: Readonly<Record<string, unknown>>,
  provide: (child: DependencyContainer) => void = () => {},
): T {
  const child = container.createChildContainer();
  child.register(Tokens.Options, { useValue: checkedOptions(part, options) });
  provide(child);
  try {
    return child.resolve(part.useClass as InjectionToken<T>);
  } catch (cause) {
    const inner = cause instanceof RingfenceError ? cause : undefined;
    if (inner !== undefined) throw inner;
    throw new RingfenceError('RF_PLUGIN_INVALID', {
      message: `${part.kind} "${part.name}" cannot be made: ${cause instanceof Error ? cause.message.replace(/\s+/g, ' ') : String(cause)}`,
      value: part.name,
      fix: 'check what its constructor asks for, and that the parts that provide it are not left out',
      cause,
    });
  }
}
