/**
 * The I/O port space: 65 536 ports, dispatched through one table. Accesses wider than a chip takes, or that run past
 * the end of its range, are split in halves, low byte first, as an ISA bus does with a narrow card. Ports nobody claims
 * go to the windows that software moves (PCI), else float high and swallow writes. It knows no chip and no timing.
 */
import { RingfenceError, type AddressWindow, type PortDevice } from '@ringfence/sdk';

interface Claim {
  readonly owner: string;
  readonly range: string;
  readonly base: number;
  readonly end: number;
  readonly width: number;
  readonly device: PortDevice;
}

interface Window {
  readonly owner: string;
  readonly range: string;
  base: number;
  end: number;
  readonly width: number;
  readonly device: PortDevice;
}

export class PortSpace {
  private readonly windows: Window[] = [];
  private readonly claims: Claim[] = [];
  /** Index into `claims` plus one; 0 is nobody. */
  private readonly table = new Uint16Array(0x10000);

  /** Throws RF_RESOURCE_CONFLICT when a port is taken, RF_PLUGIN_INVALID for a range outside the port space. */
  claim(owner: string, range: string, base: number, count: number, width: number, device: PortDevice): void {
    if (!Number.isInteger(base) || !Number.isInteger(count) || base < 0 || count < 1 || base + count > 0x10000) {
      throw new RingfenceError('RF_PLUGIN_INVALID', {
        message: `device "${owner}" claims ports ${base}..${base + count - 1}, which do not exist`,
        value: { base, count },
        fix: 'ports are 0..0xFFFF',
      });
    }
    for (let port = base; port < base + count; port++) {
      if (this.table[port] === 0) continue;
      const other = this.claims[this.table[port] - 1].owner;
      throw new RingfenceError('RF_RESOURCE_CONFLICT', {
        message: `devices "${other}" and "${owner}" both claim port 0x${port.toString(16)}`,
        value: port,
        fix: `leave one out, e.g. devices: { ${owner}: false }`,
      });
    }
    this.claims.push({ owner, range, base, end: base + count, width, device });
    this.table.fill(this.claims.length, base, base + count);
  }

  /** A range that software moves; ports that a chip has claimed are not its. The first window at a port answers. */
  addWindow(owner: string, range: string, count: number, width: number, device: PortDevice): AddressWindow {
    const window: Window = { owner, range, base: -1, end: -1, width, device };
    this.windows.push(window);
    return {
      place: (base) => {
        window.base = base;
        window.end = base < 0 ? -1 : base + count;
      },
    };
  }

  read(port: number, size: number): number {
    const claim = this.at(port);
    if (claim !== undefined) {
      if (size <= claim.width && port + size <= claim.end) {
        const value = claim.device.portRead(claim.range, port - claim.base, size);
        return size === 4 ? value | 0 : size === 2 ? value & 0xffff : value & 0xff;
      }
    }
    if (size === 1) return 0xff;
    const half = size >>> 1;
    const low = this.read(port, half) & (half === 2 ? 0xffff : 0xff);
    const high = this.read((port + half) & 0xffff, half);
    return half === 2 ? low | (high << 16) : low | ((high & 0xff) << 8);
  }

  write(port: number, size: number, value: number): void {
    const claim = this.at(port);
    if (claim !== undefined) {
      if (size <= claim.width && port + size <= claim.end) {
        claim.device.portWrite(
          claim.range,
          port - claim.base,
          size,
          size === 4 ? value | 0 : size === 2 ? value & 0xffff : value & 0xff,
        );
        return;
      }
    }
    if (size === 1) return;
    const half = size >>> 1;
    this.write(port, half, value);
    this.write((port + half) & 0xffff, half, value >>> (half * 8));
  }

  private at(port: number): Claim | Window | undefined {
    const index = this.table[port];
    if (index !== 0) return this.claims[index - 1];
    for (const window of this.windows) if (port >= window.base && port < window.end) return window;
    return undefined;
  }
}
