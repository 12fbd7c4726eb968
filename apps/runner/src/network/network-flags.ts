/**
 * `--net user[,open][,loopback][,mac=M][,card=C]`, `--forward tcp:HOST:GUEST`, `--serve /PATH=FILE`, `--host NAME=ADDRESS` as a configuration's
 * `network`. Text in, plain data out; what a value may be, the configuration's schema says.
 */
import { type MachineConfigInput, RingfenceError } from '@ringfence/sdk';

type NetworkInput = NonNullable<MachineConfigInput['network']>;

export interface NetworkFlags {
  readonly net?: string;
  readonly forward?: readonly string[];
  readonly serve?: readonly string[];
  readonly host?: readonly string[];
}

/** `base` with the flags laid over it; undefined: no network. */
export function networkFlags(base: NetworkInput | undefined, flags: NetworkFlags): NetworkInput | undefined {
  const { net, forward, serve, host } = flags;
  const further = [forward && '--forward', serve && '--serve', host && '--host'].filter((flag) => flag !== undefined);
  if (net === undefined && further.length === 0) return base;
  if (net === 'none') {
    if (further.length === 0) return undefined;
    throw new RingfenceError('RF_CONTRADICTION', {
      message: `${further[0]} with --net none says nothing`,
      value: net,
      fix: 'leave --net out, or write --net user',
    });
  }
  const network: NetworkInput = { ...base, ...(net === undefined ? {} : parseNet(net)) };
  if (forward !== undefined) network.forwards = [...(base?.forwards ?? []), ...forward.map(parseForward)];
  if (serve !== undefined) network.serve = { ...base?.serve, ...Object.fromEntries(serve.map(parseServe)) };
  if (host !== undefined) network.hosts = { ...base?.hosts, ...Object.fromEntries(host.map(parseHost)) };
  return network;
}

function parseNet(text: string): NetworkInput {
  const [kind, ...words] = text.split(',');
  if (kind !== 'user') throw badNet(text);
  const network: NetworkInput = {};
  for (const word of words) {
    const at = word.indexOf('=');
    const [key, value] = at < 0 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
    if (key === 'open' && value === undefined) network.host = 'allow';
    else if (key === 'loopback' && value === undefined) network.loopback = 'allow';
    else if (key === 'mac' && value) network.mac = value;
    else if (key === 'card' && value) network.card = value;
    else throw badNet(text);
  }
  return network;
}

function parseForward(text: string): NonNullable<NetworkInput['forwards']>[number] {
  const match = /^(?:(tcp|udp):)?(\d{1,5}):(\d{1,5})$/.exec(text);
  if (match !== null) {
    return { protocol: (match[1] ?? 'tcp') as 'tcp' | 'udp', hostPort: Number(match[2]), guestPort: Number(match[3]) };
  }
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `--forward "${text}" is not PROTOCOL:HOSTPORT:GUESTPORT`,
    value: text,
    fix: 'write e.g. --forward tcp:2222:22',
  });
}

/** Without a path a file is served by its own name. */
function parseServe(text: string): [path: string, file: string] {
  const match = /^(\/[^=]*)=(.+)$/.exec(text);
  if (match !== null) return [match[1], match[2]];
  const name = /([^/\\]+)$/.exec(text)?.[1];
  if (name !== undefined) return [`/${name}`, text];
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `--serve "${text}" names no file`,
    value: text,
    fix: 'write e.g. --serve test.sh, or --serve /path=test.sh',
  });
}

function parseHost(text: string): [name: string, addresses: string[]] {
  const match = /^([^=]+)=(.+)$/.exec(text);
  if (match !== null) return [match[1], match[2].split(',')];
  throw new RingfenceError('RF_BAD_USAGE', {
    message: `--host "${text}" is not NAME=ADDRESS`,
    value: text,
    fix: 'write e.g. --host files.example=10.0.2.2',
  });
}

function badNet(text: string): RingfenceError {
  return new RingfenceError('RF_BAD_USAGE', {
    message: `--net "${text}" is neither none nor user[,open][,loopback][,mac=M][,card=C]`,
    value: text,
    fix: "write --net user for a network inside the process, --net user,open to reach the host's",
  });
}
