import { deviceContract, makeDeviceKit } from '@ringfence/testkit';
import { describe, expect, it } from 'vitest';
import { DebugConsole, debugcon } from './index.js';

describe('DebugConsole', () => {
  it('sends what is written and answers E9h', () => {
    const kit = makeDeviceKit();
    const console = new DebugConsole(kit.channel);
    for (const c of 'ok') console.portWrite('data', 0, 1, c.charCodeAt(0));
    expect(kit.channel.text()).toBe('ok');
    expect(console.portRead('data', 0, 1)).toBe(0xe9);
  });
});

deviceContract('debugcon', { make: (kit) => new DebugConsole(kit.channel), resources: debugcon.resources });
