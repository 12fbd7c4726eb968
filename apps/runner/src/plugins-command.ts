/**
 * `ringfence plugins`: every registered part by kind, one line each, or as JSON.
 */
import { PART_KINDS, type PartKind, type PartRegistry } from '@ringfence/sdk';

export interface PartListing {
  readonly kind: PartKind;
  readonly name: string;
  readonly summary: string;
  readonly plugin: string;
}

export function listParts(registry: PartRegistry): PartListing[] {
  return PART_KINDS.flatMap((kind) =>
    registry
      .list(kind)
      .map(({ name, summary }) => ({ kind, name, summary, plugin: registry.pluginOf(kind, name) ?? '' }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  );
}

/** One line a part: kind, name, what it is, and the plugin that brought it. */
export function formatParts(parts: readonly PartListing[]): string {
  const width = (pick: (part: PartListing) => string): number => Math.max(0, ...parts.map((part) => pick(part).length));
  const kind = width((part) => part.kind);
  const name = width((part) => part.name);
  return parts
    .map((part) => `${part.kind.padEnd(kind)}  ${part.name.padEnd(name)}  ${part.summary}  [${part.plugin}]\n`)
    .join('');
}
