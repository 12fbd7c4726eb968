/**
 * Saved state. Every component that owns guest-visible state gives it as a named, versioned record of plain data and
 * takes it back; a record of another component or version is refused. Snapshots, replay, lockstep tests and `stateHash`
 * stand on this. Values are JSON-like, plus Uint8Array for bulk data.
 */
import { RingfenceError } from './errors.js';

export type StateValue =
  null | boolean | number | string | Uint8Array | readonly StateValue[] | { readonly [key: string]: StateValue };

/** What one component saved. `component` names the kind of component, `version` the shape of `data`. */
export interface StateRecord {
  readonly component: string;
  readonly version: number;
  readonly data: { readonly [key: string]: StateValue };
}

export interface Stateful {
  saveState(): StateRecord;
  /** Throws RF_BAD_STATE for a record of another component or version; the component is then unchanged. */
  loadState(record: StateRecord): void;
}

/** The data of `record`, once its component and version are checked. */
export function checkedState(record: StateRecord, component: string, version: number): StateRecord['data'] {
  if (record.component !== component || record.version !== version) {
    throw new RingfenceError('RF_BAD_STATE', {
      message: `state of ${record.component} v${record.version} does not fit ${component} v${version}`,
      value: { component: record.component, version: record.version },
      fix: 'load a snapshot made by this version of Ringfence with the same machine configuration',
    });
  }
  return record.data;
}

/** A number field of a state record; RF_BAD_STATE when it is missing or of another type. */
export function stateNumber(data: StateRecord['data'], key: string): number {
  const value = data[key];
  if (typeof value === 'number') return value;
  throw new RingfenceError('RF_BAD_STATE', { message: `state field "${key}" is not a number`, value });
}

/** The number fields called `keys` of a state record; RF_BAD_STATE when one is missing or of another type. */
export function stateNumbers<K extends string>(data: StateRecord['data'], keys: readonly K[]): Record<K, number> {
  const numbers: Partial<Record<K, number>> = {};
  for (const key of keys) numbers[key] = stateNumber(data, key);
  return numbers as Record<K, number>;
}

/** A byte-array field of a state record; RF_BAD_STATE when it is missing, of another type, or not `length` bytes long. */
export function stateBytes(data: StateRecord['data'], key: string, length?: number): Uint8Array {
  const value = data[key];
  if (value instanceof Uint8Array && (length === undefined || value.length === length)) return value;
  throw new RingfenceError('RF_BAD_STATE', {
    message: `state field "${key}" is not a byte array${length === undefined ? '' : ` of ${length} bytes`}`,
    value,
  });
}

/** A nested record of a state record, of a chip within the chip; RF_BAD_STATE when it is missing or of another type. */
export function stateFields(data: StateRecord['data'], key: string): StateRecord['data'] {
  const value = data[key];
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)) {
    return value as StateRecord['data'];
  }
  throw new RingfenceError('RF_BAD_STATE', { message: `state field "${key}" is not a record`, value });
}

/** Feeds a state value into `update` in one canonical order, so that equal states give equal digests. */
export function digestState(value: StateValue, update: (chunk: Uint8Array | string) => void): void {
  if (value instanceof Uint8Array) {
    update(`b${value.length}:`);
    update(value);
  } else if (Array.isArray(value)) {
    update(`a${value.length}:`);
    for (const item of value as readonly StateValue[]) digestState(item, update);
  } else if (value !== null && typeof value === 'object') {
    const record = value as { readonly [key: string]: StateValue };
    const keys = Object.keys(record).sort();
    update(`o${keys.length}:`);
    for (const key of keys) {
      update(`${key}=`);
      digestState(record[key], update);
    }
  } else {
    update(`${JSON.stringify(value)};`);
  }
}
