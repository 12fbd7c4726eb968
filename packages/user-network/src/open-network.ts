/**
 * From the `network` of a configuration to a network that waits for its clock: checks names and addresses, has the served
 * files read by whoever may read files, and refuses what contradicts itself. Throws before anything runs.
 */
import { RingfenceError, parseMac, type Clock, type NetworkConfig } from '@ringfence/sdk';
import { isHostName } from './dns.js';
import type { HostNetwork } from './host-network.js';
import { parseIpv4, parseIpv6 } from './internet.js';
import type { ServedFiles } from './services.js';
import { UserNetwork } from './user-network.js';

export interface NetworkSurroundings {
  /** The content of a file; throws a typed error when it cannot be had. */
  readonly readFile: (path: string) => Uint8Array;
  /** Makes the way out; called only when the configuration opens it. Absent: there is none to be had, nor a way in. */
  readonly openHost?: () => HostNetwork;
}

/** Undefined: no network. Throws RF_BAD_CONFIG, RF_CONTRADICTION, and what `readFile` throws. */
export function openNetwork(
  config: NetworkConfig | undefined,
  around: NetworkSurroundings,
): ((clock: Clock) => UserNetwork) | undefined {
  if (config === undefined || config.card === 'none') return undefined;
  for (const [name, addresses] of Object.entries(config.hosts)) checkHost(name, addresses);
  checkOpening(config);
  checkForwards(config, around);
  const serve: ServedFiles = new Map(Object.entries(config.serve).map(([path, file]) => [path, around.readFile(file)]));
  const host = config.host === 'allow' ? wayOut(around) : undefined;
  const options = {
    mac: parseMac(config.mac),
    hosts: config.hosts,
    serve,
    host,
    loopback: config.loopback === 'allow',
    forwards: config.forwards.length > 0,
  };
  return (clock) => new UserNetwork(clock, options);
}

function checkHost(name: string, addresses: string | readonly string[]): void {
  if (!isHostName(name))
    throw bad(`network.hosts: "${name}" is not a host name`, name, 'use letters, digits, - and dots');
  for (const address of typeof addresses === 'string' ? [addresses] : addresses) {
    if (parseIpv4(address) !== undefined || parseIpv6(address) !== undefined) continue;
    throw bad(`network.hosts.${name}: "${address}" is not an address`, address, 'write e.g. 10.0.2.2 or fd00::2');
  }
}

function checkOpening({ host, loopback }: NetworkConfig): void {
  if (loopback === 'deny' || host === 'allow') return;
  throw new RingfenceError('RF_CONTRADICTION', {
    message: "network.loopback is allow, and the way to the host's network is shut",
    value: loopback,
    fix: 'say host: allow too, or leave loopback out',
  });
}

function wayOut({ openHost }: NetworkSurroundings): HostNetwork {
  if (openHost !== undefined) return openHost();
  throw shut('host');
}

function shut(field: string): RingfenceError {
  return new RingfenceError('RF_CONTRADICTION', {
    message: `network.${field} opens the host's network, from which this command keeps its guests`,
    value: field,
    fix: `leave ${field} out, or use \`ringfence run\``,
  });
}

function checkForwards({ forwards }: NetworkConfig, { openHost }: NetworkSurroundings): void {
  if (forwards.length > 0 && openHost === undefined) throw shut('forwards');
  const seen = new Set<string>();
  for (const { protocol, hostPort } of forwards) {
    const key = `${protocol} port ${hostPort}`;
    if (seen.has(key)) {
      throw new RingfenceError('RF_RESOURCE_CONFLICT', {
        message: `network.forwards: ${key} of the host is to lead to two places`,
        value: hostPort,
        fix: 'give each forward a host port of its own',
      });
    }
    seen.add(key);
  }
}

function bad(message: string, value: unknown, fix: string): RingfenceError {
  return new RingfenceError('RF_BAD_CONFIG', { message, value, fix });
}
