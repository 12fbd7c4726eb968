import { FLAG_IF, EFLAGS, EAX, type ByteChannel } from '@ringfence/sdk';
import { describe, expect, it } from 'vitest';
import { runMachine } from './run.js';
import { Sleeper } from './sleeper.js';
import type { Script } from './testing/scripted-core.js';
import { toyMachine } from './testing/toy-board.js';

const out =
  (port: number, value: number, size = 1): Script[number] =>
  (c) =>
    c.bus.ioWrite(port, size, value);
const sti: Script[number] = (c) => void (c.state[EFLAGS] |= FLAG_IF);
const nop: Script[number] = () => {};
const halt: Script[number] = () => 'halt';
const say = (text: string): Script => [...text].map((char) => out(0x3f8, char.charCodeAt(0)));
const at = (index: number, ...ops: Script): Script =>
  Object.assign(new Array<Script[number]>(index).fill(nop), { ...ops, length: index }).concat(ops);

/** Runs to the end in slices of `size`. */
function finish(machine: ReturnType<typeof toyMachine>, size = 1000) {
  for (let i = 0; i < 1000; i++) if (machine.runSlice(size) === 'ended') return machine.end!;
  throw new Error('no end');
}

describe('endings', () => {
  it.each([
    ['power-off', [nop, out(0xe1, 0)], 0, 2],
    ['reset', [out(0xe0, 0)], 0, 1],
    ['debug-exit', [nop, nop, out(0xe2, 0x10)], 0x21, 3],
    ['triple-fault', [nop, () => 'shutdown' as const], 125, 2],
    ['halted', [halt], 125, 1],
  ] as [string, Script, number, number][])('%s, at the exact instruction', (outcome, script, status, retired) => {
    const machine = toyMachine(script);
    expect(finish(machine)).toMatchObject({ outcome, exitStatus: status });
    expect(machine.retired).toBe(retired);
    expect(machine.runSlice(10)).toBe('ended');
    expect(machine.retired).toBe(retired);
  });

  it('until-serial, with the instruction that sent the last byte', () => {
    const machine = toyMachine([...say('boot ok\n'), nop]);
    machine.watchSerial(/^boot o/m);
    expect(finish(machine)).toMatchObject({ outcome: 'until-serial', exitStatus: 0 });
    expect(machine.retired).toBe(6);
    expect(machine.channelText('serial')).toBe('boot o');
  });

  it('halted, when no timer runs and no input can come, even with interrupts on', () => {
    expect(finish(toyMachine([sti, halt]))).toMatchObject({ outcome: 'halted' });
    const waiting = toyMachine([sti, halt], {}, { awaitsInput: () => true });
    expect(waiting.runSlice(10)).toBe('idle');
  });
});

describe('time', () => {
  it('fires timers at exact instructions, however the run is sliced', () => {
    const script: Script = [out(0x40, 5), ...at(9), out(0xe1, 0)];
    for (const size of [1, 2, 3, 1000]) {
      const machine = toyMachine(script);
      finish(machine, size);
      expect((machine.device('timer') as unknown as { fired: number }).fired).toBe(5);
      expect(machine.retired).toBe(11);
    }
  });

  it('skips sleep up to the next deadline, and wakes by the interrupt', () => {
    // sti; arm; hlt; the handler at 103 (IRQ 3) ends it.
    const script: Script = [sti, out(0x40, 1_000_000, 4), halt, ...at(103).slice(3), out(0xe2, 0)];
    const machine = toyMachine(script);
    expect(finish(machine)).toMatchObject({ outcome: 'debug-exit' });
    expect(machine.retired).toBe(4);
    expect(machine.ticks).toBe(1_000_002);
  });

  it('takes device options from the configuration', () => {
    const machine = toyMachine([out(0x40, 5)], { devices: { timer: { factor: 3 } } });
    machine.runSlice(30);
    expect((machine.device('timer') as unknown as { fired: number }).fired).toBe(15);
  });
});

describe('start', () => {
  it('loads the image, opens A20 whatever the chips say, and fills empty ROM sockets with FF', () => {
    const seen: unknown[] = [];
    const look: Script[number] = ({ init: { space } }) =>
      void seen.push(
        space.read(0x1001, 1),
        space.a20Mask,
        space.read(0xf0000, 4),
        space.read(0xa0000, 1),
        space.read(0x100000, 1),
      );
    toyMachine([look]).runSlice(1);
    expect(seen).toEqual([2, -1, -1, 0xff, 0xff]);
  });
});

describe('state', () => {
  const script: Script = [
    sti,
    (c) => void (c.state[EAX] = 7),
    ({ init }) => init.space.write(0x5000, 4, 0x61),
    out(0x40, 6),
    ...at(20),
    out(0xe1, 0),
  ];

  it('hashes alike for alike runs, and sees memory, registers, devices', () => {
    const hash = (n: number) => {
      const machine = toyMachine(script);
      machine.runSlice(n);
      return machine.stateHash();
    };
    expect(hash(5)).toBe(hash(5));
    const hashes = [1, 2, 3, 4, 10].map(hash);
    expect(new Set(hashes).size).toBe(5);
  });

  it('masks A and D bits in page tables alone', () => {
    const withRoots = (value: number) => {
      const machine = toyMachine([
        ({ init }) => init.space.write(0x5004, 4, value),
        ({ init }) => void init.mmu.roots.add(0x5000),
      ]);
      machine.runSlice(1);
      const plain = machine.stateHash();
      machine.runSlice(1);
      return [plain, machine.stateHash()];
    };
    const [plainA, maskedA] = withRoots(0x00006000);
    const [plainB, maskedB] = withRoots(0x00006060);
    expect(plainA).not.toBe(plainB);
    expect(maskedA).toBe(maskedB);
  });

  it('survives a trip through saveState into another machine', () => {
    const machine = toyMachine(script);
    machine.runSlice(6);
    const saved = structuredClone(machine.saveState());
    const other = toyMachine(script);
    other.loadState(saved);
    expect([other.retired, other.ticks]).toEqual([6, 6]);
    expect(other.stateHash()).toBe(machine.stateHash());
    machine.runSlice(6);
    other.runSlice(6);
    expect(other.stateHash()).toBe(machine.stateHash());
    expect(() => toyMachine([], { memory: '2M' }).loadState(saved)).toThrow(/bytes of memory/);
    expect(() => other.loadState({ version: 1, components: {} })).toThrow(/no state of "memory"/);
  });
});

/** Counts its naps, each as long as it was asked for. */
class CountingSleeper extends Sleeper {
  readonly naps: number[] = [];
  override sleep(milliseconds: number): Promise<boolean> {
    this.naps.push(milliseconds);
    return super.sleep(milliseconds);
  }
}

describe('sleep of the host', () => {
  const after = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

  it('is one nap while only input is awaited, however long', async () => {
    const sleeper = new CountingSleeper();
    const abort = new AbortController();
    const running = runMachine(toyMachine([sti, halt], {}, { awaitsInput: () => true }), {}, abort.signal, sleeper);
    await after(60);
    expect(sleeper.naps).toEqual([Infinity]);
    abort.abort();
    expect(await running).toMatchObject({ outcome: 'interrupted', exitStatus: 130 });
    expect(sleeper.naps).toHaveLength(1);
  });

  it('ends when a channel brings something, and when it will bring no more', async () => {
    let tell = (): void => {};
    let open = true;
    const channel: ByteChannel = { send: () => {}, receive: () => -1, onReceive: (listener) => (tell = listener) };
    const sleeper = new CountingSleeper();
    const machine = toyMachine([sti, halt], {}, { awaitsInput: () => open, channels: { serial: channel } });
    const running = runMachine(machine, {}, undefined, sleeper);
    await after(5);
    tell();
    await after(5);
    expect(sleeper.naps).toEqual([Infinity, Infinity]);
    open = false;
    tell();
    expect(await running).toMatchObject({ outcome: 'halted' });
    expect(sleeper.naps).toHaveLength(2);
  });

  it('is none when a deadline comes: HLT skips to it', async () => {
    const sleeper = new CountingSleeper();
    const script: Script = [sti, out(0x40, 1_000_000_000, 4), halt, ...at(103).slice(3), out(0xe2, 0)];
    const { report } = await runMachine(toyMachine(script, {}, { awaitsInput: () => true }), {}, undefined, sleeper);
    expect(report).toMatchObject({ outcome: 'debug-exit' });
    expect(report.virtualSeconds).toBeGreaterThan(1);
    expect(sleeper.naps).toEqual([]);
  });

  it('paced, does not fall behind by what the host oversleeps, and gathers what is too short to sleep', async () => {
    // A timer tick every virtual millisecond, forty of them; the host oversleeps by ten milliseconds each time.
    let ticks = 0;
    const tick: Script = [
      (c) => {
        if (++ticks === 41) c.bus.ioWrite(0xe2, 1, 0);
        c.bus.ioWrite(0x20, 1, 0);
        c.bus.ioWrite(0x40, 4, 1000);
      },
      halt,
    ];
    const naps: number[] = [];
    class LateSleeper extends Sleeper {
      override async sleep(milliseconds: number): Promise<boolean> {
        naps.push(milliseconds);
        await after(milliseconds + 10);
        return false;
      }
    }
    const script: Script = [sti, out(0x40, 1000, 4), halt, ...at(103).slice(3), ...tick];
    const machine = toyMachine(script, { clock: { hz: 1_000_000 } }, { awaitsInput: () => true, pacesSleep: true });
    const started = performance.now();
    expect(await runMachine(machine, {}, undefined, new LateSleeper())).toMatchObject({ outcome: 'debug-exit' });
    expect(ticks).toBe(41);
    expect(naps.length).toBeGreaterThanOrEqual(2);
    expect(naps.length).toBeLessThanOrEqual(5);
    expect(Math.min(...naps)).toBeGreaterThanOrEqual(2);
    expect(performance.now() - started).toBeLessThan(400);
  });

  it('paced, is as long as virtual time says, ends early for input only, and changes nothing else', async () => {
    const script: Script = [sti, out(0x40, 40_000, 4), halt, ...at(103).slice(3), out(0xe2, 0)];
    const run = async (pacesSleep: boolean) => {
      const sleeper = new CountingSleeper();
      const machine = toyMachine(script, { clock: { hz: 1_000_000 } }, { awaitsInput: () => true, pacesSleep });
      const { report } = await runMachine(machine, {}, undefined, sleeper);
      return { naps: sleeper.naps, retired: report.retired, stateHash: report.stateHash, ticks: machine.ticks };
    };
    const [paced, skipped] = [await run(true), await run(false)];
    expect(paced.naps).toHaveLength(1);
    expect(paced.naps[0]).toBeGreaterThan(39);
    expect(paced.naps[0]).toBeLessThanOrEqual(40);
    expect(paced).toEqual({ ...skipped, naps: paced.naps });
  });
});

describe('runMachine', () => {
  it('stops at an exact instruction', async () => {
    const { report, ...result } = await runMachine(toyMachine([]), { maxInstructions: 123_457 });
    expect(result).toMatchObject({ outcome: 'limit-instructions', exitStatus: 124 });
    expect(report).toMatchObject({
      retired: 123_457,
      serialSha256: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    });
    expect(report.stateHash).toMatch(/^[0-9a-f]{64}$/);
    expect(report.machine).toMatchObject({
      kernel: 'toy.bin',
      monitor: 'none',
      assist: 'none',
      memoryBytes: 1024 * 1024,
    });
  });

  it('stops by the clock, on an abort, and when the guest ends', async () => {
    expect(await runMachine(toyMachine([]), { timeoutSeconds: 0.02 })).toMatchObject({
      outcome: 'limit-time',
      exitStatus: 124,
    });
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 20);
    expect(await runMachine(toyMachine([]), {}, abort.signal)).toMatchObject({
      outcome: 'interrupted',
      exitStatus: 130,
    });
    expect(await runMachine(toyMachine([out(0xe2, 1)]))).toMatchObject({ outcome: 'debug-exit', exitStatus: 3 });
  });

  it('passes bytes out and in, and watches them', async () => {
    const sent: number[] = [];
    const channel: ByteChannel = { send: (byte) => sent.push(byte), receive: () => 0x41, onReceive: () => {} };
    const echo: Script[number] = (c) => c.bus.ioWrite(0x3f8, 1, c.bus.ioRead(0x3f8, 1));
    const run = await runMachine(toyMachine([echo, echo, echo, nop], {}, { channels: { serial: channel } }), {
      untilSerial: 'AAA',
    });
    expect(run.report).toMatchObject({ outcome: 'until-serial', retired: 3, serialBytes: 3 });
    expect(sent).toEqual([0x41, 0x41, 0x41]);
    await expect(runMachine(toyMachine([]), { untilSerial: '(' })).rejects.toMatchObject({ code: 'RF_BAD_USAGE' });
  });

  it('dumps a dead guest, and reports a fault of ours as ours', async () => {
    const dead = await runMachine(toyMachine([() => 'shutdown' as const]));
    expect(dead.dump).toContain('EIP=00000001');
    const broken = await runMachine(
      toyMachine([
        () => {
          throw new Error('bug');
        },
      ]),
    );
    expect(broken).toMatchObject({ outcome: 'internal-error', exitStatus: 70 });
    expect(broken.report.error).toMatchObject({ code: 'RF_INTERNAL', message: 'bug' });
  });
});
