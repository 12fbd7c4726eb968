import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { DebugExit, debugExit } from './index.js';

describe('DebugExit', () => {
  it('hands over the value written, whatever its size', () => {
    const kit = makeDeviceKit();
    const exit = new DebugExit(kit.system);
    exit.portWrite('status', 0, 1, 0x10);
    exit.portWrite('status', 0, 2, 0x1234);
    exit.portWrite('status', 0, 4, -1);
    expect(kit.system.log).toEqual(['debug-exit 16', 'debug-exit 4660', 'debug-exit 4294967295']);
  });
});

deviceContract('debug-exit', { make: (kit) => new DebugExit(kit.system), resources: debugExit.resources });
