/** The network inside the process, and what an application needs to open it to the host's. */
export type { HostAddresses } from './dns.js';
export { isHostName } from './dns.js';
export type { ForwardedStream, HostDatagrams, HostNetwork, HostStream, StreamEvents } from './host-network.js';
export { parseIpv4, parseIpv6 } from './internet.js';
export type { ServedFiles } from './services.js';
export { openNetwork, type NetworkSurroundings } from './open-network.js';
export { UserNetwork, type UserNetworkOptions } from './user-network.js';
