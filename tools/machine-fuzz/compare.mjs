/**
 * Runs a generated program bare and monitored and compares the ends: outcome, retired count, serial output, state hash.
 * Which built packages do it is the caller's choice (`parts`): the fuzzer's command uses dist, a spec what it imports.
 */
const POLICIES = ['step-through', 'data-swap', 'full-emulation'];
const CACHES = ['rebuild', 'tracked-lru', { name: 'tracked-lru', capacity: 8 }];
const PROTECTIONS = ['wp-toggle', 'pdbr-reload'];
const ASSISTS = ['trap', 'vif'];

export const COMBINATIONS = POLICIES.flatMap((policy) =>
  CACHES.flatMap((shadowCache) =>
    PROTECTIONS.flatMap((protection) => ASSISTS.map((assist) => ({ policy, shadowCache, protection, assist }))),
  ),
);

/** A program needs some instructions before it has handlers. */
const NMI_FROM = 1000;

/** Instructions after which a program that has not ended is compared as it stands. */
export const BUDGET = 150_000;

export function combinationName({ policy, shadowCache, protection, assist }) {
  const cache = typeof shadowCache === 'string' ? shadowCache : `${shadowCache.name}:${shadowCache.capacity}`;
  return `${policy} ${cache} ${protection} ${assist}`;
}

/** `combination`: one of those above, or `none`. */
export function start(parts, program, combination) {
  const { assist, ...monitor } = combination === 'none' ? {} : combination;
  const config = parts.parseMachineConfig({
    memory: '2M',
    serial: 'none',
    loader: { name: 'flat', address: program.address, entry: program.entry },
    cpu: { model: program.model, ...(assist === undefined ? {} : { assist }) },
    monitor: combination === 'none' ? 'none' : monitor,
  });
  return parts.createMachine({
    config,
    registry: (parts.registry ??= parts.createRegistry([])),
    kernel: { bytes: program.bytes, name: `seed ${program.seed}` },
  });
}

/**
 * `slice`: how often the run is held and looked at, which must change nothing. `nmiEvery`: how often somebody presses the NMI
 * button, which must change the same in every run.
 */
export function finish(machine, { budget = BUDGET, slice = budget, nmiEvery = Infinity } = {}) {
  let error;
  let pressAt = NMI_FROM + nmiEvery;
  try {
    for (let from = -1; machine.retired < budget;) {
      // How far into such a loop a slice ends is nobody's promise: its state says nothing.
      if (machine.retired === from) {
        return { outcome: 'barren', retired: machine.retired, serial: machine.serialSha256(), state: '' };
      }
      from = machine.retired;
      const left = Math.min(budget, pressAt) - machine.retired;
      if (machine.runSlice(Math.min(slice, left)) === 'ended') break;
      if (slice < budget) machine.stateHash();
      if (machine.retired >= pressAt) {
        machine.nmi();
        pressAt += nmiEvery;
      }
    }
  } catch (caught) {
    error = caught;
  }
  if (error !== undefined)
    return { outcome: 'internal-error', detail: String(error.stack ?? error), retired: machine.retired };
  return {
    outcome: machine.end?.outcome ?? 'budget',
    retired: machine.retired,
    serial: machine.serialSha256(),
    state: machine.stateHash(),
  };
}

export function differs(a, b) {
  return ['outcome', 'retired', 'serial', 'state'].find((field) => a[field] !== b[field]);
}

/** The bare end, and each combination that ends otherwise. */
export function compare(parts, program, combinations, { observe, sliced = false, nmiEvery } = {}) {
  const machine = start(parts, program, 'none');
  observe?.(machine);
  const bare = finish(machine, { nmiEvery });
  const failures = [];
  const reports = [];
  for (const [i, combination] of combinations.entries()) {
    const monitored = start(parts, program, combination);
    const ended = finish(monitored, { nmiEvery, ...(sliced && i === 0 ? { slice: 997 } : {}) });
    const field = bare.outcome === 'internal-error' ? 'outcome' : differs(bare, ended);
    if (field !== undefined) failures.push({ combination, field, bare, ended });
    if (ended.outcome !== 'internal-error') reports.push(monitored.monitorReport());
  }
  return { bare, machine, failures, reports };
}
