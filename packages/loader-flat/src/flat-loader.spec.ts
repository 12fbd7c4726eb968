import { AR_DB, CR0_PE, CS, ESP, PartRegistry, SS, parseMachineConfig, type LoadRequest } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { plugin } from './index.js';
import { FlatLoader, flatOptions } from './flat-loader.js';

const loader = new FlatLoader();
const code = new Uint8Array([0xf4, 0xeb, 0xfd]);
function load(options: Record<string, unknown>, more: Partial<LoadRequest> = {}) {
  return loader.load({
    kernel: code,
    kernelName: 'k.bin',
    commandLine: '',
    ramBytes: 0x200000,
    options: flatOptions.parse(options),
    ...more,
  });
}

describe('flat images', () => {
  it('start at 1M in flat protected mode by default', () => {
    const { segments, entry } = load({});
    expect(entry.eip).toBe(0x100000);
    expect(entry.cr0 & CR0_PE).toBe(CR0_PE);
    expect(entry.segments[CS]).toMatchObject({ selector: 0x10, base: 0, limit: 0xffffffff });
    expect(entry.segments[CS]!.access & AR_DB).toBe(AR_DB);
    expect(entry.segments[SS]).toMatchObject({ selector: 0x18 });
    expect(segments.map((s) => s.address)).toEqual([0x600, 0x100000]);
    const gdt = new DataView(segments[0].bytes.buffer);
    expect(gdt.getBigUint64(0x10, true)).toBe(0x00cf9b000000ffffn);
    expect(gdt.getBigUint64(0x18, true)).toBe(0x00cf93000000ffffn);
  });

  it('put the GDT out of the way', () => {
    expect(load({ address: 0x610 }).segments[0].address).toBe(0x9f000);
  });

  it('start in real mode where a BIOS would', () => {
    const { segments, entry } = load({ address: '0x7c00', mode: 'real' });
    expect(segments).toEqual([{ address: 0x7c00, bytes: code }]);
    expect(entry.eip).toBe(0x7c00);
    expect(entry.registers[ESP]).toBe(0x7c00);
    expect(entry.segments[CS]).toMatchObject({ selector: 0, base: 0, limit: 0xffff });
    const high = load({ address: 0x20008, mode: 'real' }).entry;
    expect([high.segments[CS]!.selector, high.segments[CS]!.base, high.eip]).toEqual([0x2000, 0x20000, 8]);
  });

  it('are refused with a code and a fix when they cannot start', () => {
    const code_ = (run: () => unknown) => {
      try {
        run();
      } catch (error) {
        expect((error as { fix?: string }).fix).toBeTruthy();
        return (error as { code?: string }).code;
      }
      return undefined;
    };
    expect(code_(() => load({}, { kernel: new Uint8Array(0) }))).toBe('RF_KERNEL_NOT_BOOTABLE');
    expect(code_(() => load({ address: 0x1ffffe }))).toBe('RF_KERNEL_TOO_LARGE');
    expect(code_(() => load({ address: 0x9ffff }))).toBe('RF_KERNEL_TOO_LARGE');
    expect(code_(() => load({ entry: 0x100003 }))).toBe('RF_BAD_CONFIG');
    expect(code_(() => load({ mode: 'real' }))).toBe('RF_CONTRADICTION');
    expect(code_(() => load({}, { initrd: code }))).toBe('RF_CONTRADICTION');
    expect(() => flatOptions.parse({ address: 'here' })).toThrow();
  });

  it('are never recognised, only named', () => {
    expect(loader.recognises()).toBe(false);
    const registry = new PartRegistry();
    registry.add(plugin);
    expect(registry.get('loader', 'flat').priority).toBeLessThan(0);
    expect(parseMachineConfig({ loader: { name: 'flat', address: 0x7c00 } }).loader).toEqual({
      name: 'flat',
      address: 0x7c00,
    });
  });
});
