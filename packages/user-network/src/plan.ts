/**
 * Who has which address on the network inside the process: 10.0.2.0/24 with the gateway and the name server where users of
 * QEMU's user network expect them. Hardware addresses are 52:55 and the four bytes of the address.
 */
import { put32 } from './internet.js';

export const NETWORK = 0x0a00_0200;
export const NETMASK = 0xffff_ff00;
/** Router, and the host of all services but DNS. */
export const GATEWAY = 0x0a00_0202;
export const NAME_SERVER = 0x0a00_0203;
/** The first address that DHCP gives. */
export const FIRST_LEASE = 0x0a00_020f;
export const LEASES = 16;
export const SUBNET_BROADCAST = 0x0a00_02ff;
export const BROADCAST = 0xffff_ffff;
export const DOMAIN = 'ringfence.internal';
export const MTU = 1500;

export function onNetwork(address: number): boolean {
  return (address & NETMASK) >>> 0 === NETWORK;
}

/** Whether an address is one of the two stations of ours. */
export function isOurs(address: number): boolean {
  return address === GATEWAY || address === NAME_SERVER;
}

export function isBroadcast(address: number): boolean {
  return address === BROADCAST || address === SUBNET_BROADCAST;
}

/** The hardware address of a station of ours. */
export function stationMac(address: number): Uint8Array {
  const mac = Uint8Array.of(0x52, 0x55, 0, 0, 0, 0);
  put32(mac, 2, address);
  return mac;
}
