/**
 * The PCI side of QEMU's standard VGA (QEMU, docs/specs/standard-vga): function 02.0, 1234h:1111h. Base address 0 is video
 * memory in order, prefetchable; base address 2 has the VGA's ports 3C0h-3DFh at 400h and the DISPI registers at 500h; the
 * expansion ROM is the video BIOS, if there is one. The legacy ports and A0000h-BFFFFh answer whatever the command register
 * says. No EDID block at 0, no endianness register at 604h.
 */
import {
  type AddressWindows,
  type MmioHandler,
  PCI_COMMAND_IO,
  PCI_COMMAND_MEMORY,
  type PciBus,
  PciConfig,
  type PortDevice,
} from '@ringfence/sdk';
import { DISPI_REGISTERS, type Dispi } from './dispi.js';
import { VIDEO_MEMORY_BYTES, type VideoMemory } from './video-memory.js';

const SLOT = 2;
const REGISTERS_BYTES = 0x1000;
const PORTS_AT = 0x400;
const PORTS_END = 0x420;
const DISPI_AT = 0x500;
const DISPI_END = DISPI_AT + 2 * DISPI_REGISTERS;

export class VgaPci {
  readonly config: PciConfig;

  constructor(
    bus: PciBus,
    windows: AddressWindows,
    memory: VideoMemory,
    dispi: Dispi,
    ports: PortDevice,
    bios: Uint8Array | undefined,
  ) {
    this.config = new PciConfig(
      {
        name: 'standard VGA',
        vendor: 0x1234,
        device: 0x1111,
        revision: 2,
        classCode: 0x030000,
        commandWritable: PCI_COMMAND_IO | PCI_COMMAND_MEMORY,
        bars: [
          { index: 0, kind: 'memory', bytes: VIDEO_MEMORY_BYTES, prefetchable: true, handler: framebuffer(memory) },
          { index: 2, kind: 'memory', bytes: REGISTERS_BYTES, handler: new RegisterWindow(dispi, ports) },
        ],
        rom: bios,
      },
      windows,
    );
    bus.attach(SLOT, 0, this.config);
  }
}

/** Video memory in order, whatever mode is set. An access lies in one page, and so in one chunk of it. */
function framebuffer({ bytes, view, touched }: VideoMemory): MmioHandler {
  return {
    mmioRead: (offset, size) =>
      size === 4 ? view.getInt32(offset, true) : size === 2 ? view.getUint16(offset, true) : bytes[offset],
    mmioWrite: (offset, size, value) => {
      touched[offset >>> 16] = 1;
      if (size === 4) view.setInt32(offset, value, true);
      else if (size === 2) view.setInt16(offset, value, true);
      else bytes[offset] = value;
    },
  };
}

class RegisterWindow implements MmioHandler {
  constructor(
    private readonly dispi: Dispi,
    private readonly ports: PortDevice,
  ) {}

  mmioRead(offset: number, size: number): number {
    let value = 0;
    if (offset >= DISPI_AT && offset < DISPI_END) {
      for (let i = 0; i < size; i += 2) value |= this.dispiRead(offset + i) << (8 * i);
      return (offset & 1) !== 0 ? value >>> 8 : value;
    }
    for (let i = 0; i < size; i++) value |= this.portRead(offset + i) << (8 * i);
    return value;
  }

  mmioWrite(offset: number, size: number, value: number): void {
    if (offset >= DISPI_AT && offset < DISPI_END) {
      for (let i = 0; i < size; i += 2) this.dispiWrite(offset + i, (value >>> (8 * i)) & (size === 1 ? 0xff : 0xffff));
      return;
    }
    for (let i = 0; i < size; i++) this.portWrite(offset + i, (value >>> (8 * i)) & 0xff);
  }

  private dispiRead(offset: number): number {
    if (offset >= DISPI_END) return 0xffff;
    const { index } = this.dispi;
    this.dispi.index = (offset - DISPI_AT) >>> 1;
    const value = this.dispi.read();
    this.dispi.index = index;
    return value;
  }

  private dispiWrite(offset: number, value: number): void {
    if (offset >= DISPI_END) return;
    const { index } = this.dispi;
    this.dispi.index = (offset - DISPI_AT) >>> 1;
    this.dispi.write(value);
    this.dispi.index = index;
  }

  private portRead(offset: number): number {
    const [range, at] = portAt(offset);
    return range === '' ? 0xff : this.ports.portRead(range, at, 1);
  }

  private portWrite(offset: number, byte: number): void {
    const [range, at] = portAt(offset);
    if (range !== '') this.ports.portWrite(range, at, 1, byte);
  }
}

/** The port range and offset behind an offset of the window. */
function portAt(offset: number): [range: string, at: number] {
  const port = offset - PORTS_AT;
  if (port < 0 || offset >= PORTS_END) return ['', 0];
  if (port < 0x10) return ['common', port];
  if (port === 0x14 || port === 0x15) return ['color', port - 0x14];
  return port === 0x1a ? ['colorStatus', 0] : ['', 0];
}
