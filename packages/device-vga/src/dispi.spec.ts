/** The Bochs VBE registers: what they read, what a mode is brought to, banks; and the PCI function around them. */
import { describe, expect, it } from 'vitest';
import { A0000, PLANAR, setUp } from './testing/set-up.js';

const [XRES, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET, MEMORY] = [
  1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
];

describe('the DISPI registers', () => {
  it('say what there is', () => {
    const { dispi, dispiRead } = setUp();
    expect([dispiRead(0), dispiRead(MEMORY), dispiRead(11)]).toEqual([0xb0c5, 256, 0]);
    dispi(0, 0xb0c2);
    dispi(0, 0x1234);
    dispi(MEMORY, 1);
    expect([dispiRead(0), dispiRead(MEMORY)]).toEqual([0xb0c2, 256]);
    dispi(ENABLE, 2);
    expect([XRES, YRES, BPP].map(dispiRead)).toEqual([2560, 1600, 32]);
    dispi(ENABLE, 0);
    expect([XRES, YRES, BPP].map(dispiRead)).toEqual([0, 0, 0]);
  });

  it('bring a mode to what video memory holds', () => {
    const { linear, dispi, dispiRead } = setUp();
    linear(643, 0, 7);
    expect([XRES, YRES, BPP, VIRT_WIDTH, VIRT_HEIGHT].map(dispiRead)).toEqual([640, 1, 8, 640, 26214]);
    linear(0xffff, 0xffff, 32);
    expect([XRES, YRES].map(dispiRead)).toEqual([2560, 1600]);
    dispi(VIRT_WIDTH, 0xffff);
    expect([YRES, VIRT_WIDTH, VIRT_HEIGHT].map(dispiRead)).toEqual([256, 0x3ff8, 256]);
    dispi(Y_OFFSET, 5);
    dispi(X_OFFSET, 0xffff);
    expect([X_OFFSET, Y_OFFSET].map(dispiRead)).toEqual([0, 0]);
    dispi(VIRT_WIDTH, 2560);
    dispi(X_OFFSET, 5);
    expect([X_OFFSET, YRES].map(dispiRead)).toEqual([5, 256]);
  });

  it('clear what will be shown, unless told not to', () => {
    const { linear, window } = setUp();
    const lfb = window(0);
    lfb.mmioWrite(0x1000, 4, 0x11111111);
    lfb.mmioWrite(0x400000, 4, 0x22222222);
    linear(640, 480, 8, 0x80);
    expect(lfb.mmioRead(0x1000, 4)).toBe(0x11111111);
    linear(640, 480, 8);
    expect([lfb.mmioRead(0x1000, 4), lfb.mmioRead(0x400000, 4)]).toEqual([0, 0x22222222]);
  });

  it('move the bank behind A0000h, in planes too, and give the VGA back as it was', () => {
    const { linear, dispi, dispiRead, window, write, read, screen, sequencer } = setUp();
    linear(640, 480, 32);
    dispi(BANK, 300); // of 256
    expect(dispiRead(BANK)).toBe(44);
    write(A0000 + 0xfffc, 0x12345678, 4);
    expect(window(0).mmioRead((45 << 16) - 4, 4)).toBe(0x12345678);
    expect(read(A0000 + 0x10000)).toBe(0xff);
    linear(640, 480, 4);
    sequencer(2, 0x0f);
    dispi(BANK, 1);
    write(A0000, 0x55);
    expect(window(0).mmioRead(0x40000, 4)).toBe(0x55555555);
    dispi(ENABLE, 0);
    expect(dispiRead(BANK)).toBe(0);
    expect(screen.frame()).toMatchObject({ kind: 'text', columns: 80 });
  });

  it('can be written a byte at a time, and have a second data port', () => {
    const { screen } = setUp();
    screen.portWrite('dispi', 0, 1, XRES);
    screen.portWrite('dispi', 2, 2, 0x1234);
    expect(screen.portRead('dispi', 1, 2)).toBe(0x1234);
    expect([screen.portRead('dispi', 0, 2), screen.portRead('dispi', 1, 1)]).toEqual([XRES, 0x34]);
  });
});

describe('the PCI function', () => {
  it('is 1234h:1111h, a VGA with 16 MiB of memory and 4 KiB of registers', () => {
    const { kit } = setUp();
    expect(kit.pci.configRead('2.0', 0)).toBe(0x11111234);
    expect(kit.pci.configRead('2.0', 8) >>> 8).toBe(0x030000);
    for (const bar of [0x10, 0x18, 0x30]) kit.pci.configWrite('2.0', bar, 0xffffffff);
    const sizes = [0x10, 0x18, 0x30].map((bar) => kit.pci.configRead('2.0', bar) >>> 0);
    expect(sizes).toEqual([0xff000008, 0xfffff000, 0]);
  });

  it('places its windows by the command register', () => {
    const { kit } = setUp();
    kit.pci.configWrite('2.0', 0x10, 0xe0000000);
    kit.pci.configWrite('2.0', 0x18, 0xf0000000);
    expect(kit.windows.list.map(({ base }) => base)).toEqual([-1, -1]);
    kit.pci.configWrite('2.0', 4, 2, 2);
    expect(kit.windows.list.map(({ bytes, base }) => [bytes, base])).toEqual([
      [1 << 24, 0xe0000000],
      [0x1000, 0xf0000000],
    ]);
  });

  it('has the VGA ports and the DISPI registers in memory', () => {
    const { window, dispiRead, screen } = setUp();
    const registers = window(1);
    registers.mmioWrite(0x502, 2, 800);
    registers.mmioWrite(0x504, 4, 0x0010_0258); // YRES and BPP at once
    expect([XRES, YRES, BPP].map(dispiRead)).toEqual([800, 600, 16]);
    expect([registers.mmioRead(0x500, 2), registers.mmioRead(0x504, 4), registers.mmioRead(0x503, 1)]).toEqual([
      0xb0c5,
      0x0010_0258,
      800 >> 8,
    ]);
    registers.mmioWrite(0x404, 2, 0x0b02); // 3C4h, 3C5h: map mask
    expect(screen.portRead('common', 5, 1)).toBe(0x0b);
    registers.mmioWrite(0x414, 1, 0x0f);
    registers.mmioWrite(0x415, 1, 0x77);
    expect([registers.mmioRead(0x415, 1), registers.mmioRead(0x41a, 1) & 0xf6]).toEqual([0x77, 0]);
    expect([registers.mmioRead(0, 4), registers.mmioRead(0x410, 1), registers.mmioRead(0x600, 4)]).toEqual([
      -1, 0xff, -1,
    ]);
  });

  it('has video memory in order, and the planes are its first 256 KiB', () => {
    const { set, write, window } = setUp();
    set(PLANAR);
    write(A0000 + 3, 0x77);
    expect(window(0).mmioRead(12, 4)).toBe(0x77777777);
    window(0).mmioWrite(0xfffffd, 2, 0xabcd);
    expect([window(0).mmioRead(0xfffffd, 1), window(0).mmioRead(0xfffffd, 2)]).toEqual([0xcd, 0xabcd]);
  });

  it('serves a video BIOS as its expansion ROM, once enabled', () => {
    const vgaBios = Uint8Array.of(0x55, 0xaa, 6, ...Array<number>(3069).fill(7));
    vgaBios.set([0x1c, 0], 0x18);
    vgaBios.set(Buffer.from('PCIR'), 0x1c);
    const { kit, window } = setUp({ vgaBios });
    kit.pci.configWrite('2.0', 0x30, 0xfffffffe);
    expect(kit.pci.configRead('2.0', 0x30)).toBe(-4096);
    kit.pci.configWrite('2.0', 4, 2, 2);
    kit.pci.configWrite('2.0', 0x30, 0xf1000000);
    expect(kit.windows.list[2].base).toBe(-1);
    kit.pci.configWrite('2.0', 0x30, 0xf1000001);
    expect(kit.windows.list[2]).toMatchObject({ base: 0xf1000000, bytes: 4096 });
    expect([window(2).mmioRead(0, 4), window(2).mmioRead(0xbfe, 4)]).toEqual([0x0706aa55, -0xf8f9 | 0]);
    window(2).mmioWrite(0, 1, 0);
    expect(window(2).mmioRead(0, 2)).toBe(0xaa55);
  });

  it('leaves a video BIOS that is for no PCI function to whoever else has it', () => {
    const { kit } = setUp({ vgaBios: Uint8Array.of(0x55, 0xaa, 6, ...Array<number>(3069).fill(7)) });
    kit.pci.configWrite('2.0', 0x30, 0xfffffffe);
    expect(kit.pci.configRead('2.0', 0x30)).toBe(0);
  });

  it('is absent without a PCI bus, and the rest works', async () => {
    const { Vga } = await import('./index.js');
    const { kit } = setUp();
    const alone = new Vga(kit.clock);
    alone.handOver();
    alone.portWrite('dispi', 0, 2, 0);
    expect(alone.portRead('dispi', 1, 2)).toBe(0xb0c5);
    const other = new Vga(kit.clock);
    other.loadState(alone.saveState());
    expect(other.text()).toBe('\n'.repeat(24));
  });
});

describe('saved state', () => {
  it('holds what is used of video memory, and travels', () => {
    const { screen, linear, window } = setUp();
    linear(800, 600, 32);
    window(0).mmioWrite(0x123456, 4, 0x01020304);
    window(0).mmioWrite(0x654321, 4, 0); // written, and nothing
    const saved = screen.saveState();
    expect(Object.keys(saved.data.memory as object)).toEqual(['18']);
    const other = setUp();
    other.screen.loadState(saved);
    expect(other.screen.saveState()).toEqual(saved);
    expect(other.screen.picture()).toEqual(screen.picture());
  });

  it.each<[string, object]>([
    [
      'a mode larger than memory',
      { dispi: Uint8Array.from([0xc5, 0xb0, 0, 0x10, 0, 0x10, 32, 0, 1, ...Array<number>(13).fill(0)]) },
    ],
    ['chunks that do not exist', { memory: { 256: new Uint8Array(65536) } }],
    ['chunks of another size', { memory: { 0: new Uint8Array(5) } }],
  ])('is refused with %s', (_name, data) => {
    const { screen } = setUp();
    const saved = screen.saveState();
    expect(() => screen.loadState({ ...saved, data: { ...saved.data, ...(data as typeof saved.data) } })).toThrow(
      expect.objectContaining({ code: 'RF_BAD_STATE' }) as Error,
    );
    expect(screen.saveState()).toEqual(saved);
  });
});
