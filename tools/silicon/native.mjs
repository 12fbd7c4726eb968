/**
 * Client of native/executor.c: builds it with gcc into .cache, starts it, sends cases in batches, reads outcomes. Linux on x86-64
 * with gcc only; `nativeUnavailable()` says why not elsewhere. What a case and an outcome are, and what lies where:
 * packages/cpu/src/testing/user-environment.ts (`UserCase`, `UserOutcome`, AREAS, LDT_ENTRIES, ldtSelector).
 *
 *   const native = await NativeExecutor.start();            // builds on demand, installs base memory and the LDT
 *   const outcomes = await native.run(cases);               // UserCase[] -> UserOutcome[], in order, any number of cases
 *   await native.stop();
 *
 * A case: { code: Uint8Array, codeAt: linear, regs: u32[8] (encoding order), eip (offset in CS), eflags, seg: u16[6] (ES CS SS
 * DS FS GS), patches: [{ at: linear, bytes }], fx?: 512 bytes }. The bytes around `code` are INT3: falling out of the code ends
 * the case as { kind: 'trap', vector: 3, eip: behind the INT3 }. A syscall, or a far jump to selector 33h, must not be asked for.
 * If the executor dies, it is started again and the case that killed it answers { kind: 'died' }.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { AREAS, LDT_ENTRIES, baseMemory } from '../../packages/cpu/dist/testing/user-environment.js';

const SOURCE = fileURLToPath(new URL('native/executor.c', import.meta.url));
const CACHE = fileURLToPath(new URL('../../.cache/silicon/', import.meta.url));
const FLAGS = [
  ...['-O2', '-Wall', '-ffreestanding', '-nostdlib', '-static', '-fPIE', '-no-pie', '-fno-stack-protector'],
  ...['-fcf-protection=none', '-Wl,-Ttext-segment=0x200000000000', '-Wl,-z,noexecstack'],
];
const KINDS = ['trap', 'hang', 'setup', 'syscall'];
/** struct testcase without what follows it. */
const CASE_HEAD = 68;
/** Cases per exchange: enough to hide the pipe, small enough to keep memory and a restart cheap. */
const BATCH = 2048;

/** Builds the executor unless this very source was built before; answers its path. */
export function buildExecutor() {
  const source = readFileSync(SOURCE);
  const name = createHash('sha256').update(source).update(FLAGS.join(' ')).digest('hex').slice(0, 16);
  const program = `${CACHE}executor-${name}`;
  if (!existsSync(program)) {
    mkdirSync(CACHE, { recursive: true });
    const fresh = `${program}.${process.pid}`;
    execFileSync('gcc', [...FLAGS, '-o', fresh, SOURCE], { stdio: ['ignore', 'ignore', 'pipe'] });
    renameSync(fresh, program);
  }
  return program;
}

/** What a recording says of the processor it was made on. */
export function processorName() {
  const text = readFileSync('/proc/cpuinfo', 'latin1');
  const field = (name) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(text)?.[1] ?? '?';
  return `${field('model name')}, family ${field('cpu family')} model ${field('model')} stepping ${field('stepping')}`;
}

const padded = (bytes) => (bytes + 3) & ~3;

function caseBytes(c) {
  let bytes = CASE_HEAD + (c.fx ? 512 : 0) + padded(c.code.length);
  for (const patch of c.patches) bytes += 8 + padded(patch.bytes.length);
  return bytes;
}

/** Writes one case record at `at`; answers where it ends. */
function encode(view, bytes, at, c) {
  view.setUint32(at, 1, true);
  view.setUint32(at + 4, caseBytes(c), true);
  at += 8;
  const head = [c.fx ? 1 : 0, c.codeAt, c.code.length, c.patches.length, c.eip, c.eflags];
  for (const value of head) {
    view.setUint32(at, value >>> 0, true);
    at += 4;
  }
  for (let i = 0; i < 8; i++) view.setUint32(at + i * 4, c.regs[i] >>> 0, true);
  for (let i = 0; i < 6; i++) view.setUint16(at + 32 + i * 2, c.seg[i], true);
  // struct testcase: 24 + 32 + 12 bytes
  at += 44;
  if (c.fx) {
    bytes.set(c.fx, at);
    at += 512;
  }
  for (const patch of c.patches) {
    view.setUint32(at, patch.at, true);
    view.setUint32(at + 4, patch.bytes.length, true);
    bytes.set(patch.bytes, at + 8);
    at += 8 + padded(patch.bytes.length);
  }
  bytes.set(c.code, at);
  return at + padded(c.code.length);
}

function decode(buffer, at) {
  const u32 = (i) => buffer.readUInt32LE(at + i * 4);
  const regs = new Uint32Array(8);
  for (let i = 0; i < 8; i++) regs[i] = u32(7 + i);
  const seg = new Uint16Array(6);
  for (let i = 0; i < 6; i++) seg[i] = buffer.readUInt16LE(at + 60 + i * 2);
  const changes = new Uint32Array(u32(146) * 2);
  for (let i = 0; i < changes.length; i++) changes[i] = u32(147 + i);
  const fx = new Uint8Array(512);
  fx.set(buffer.subarray(at + 72, at + 584));
  return {
    kind: KINDS[u32(1)],
    vector: u32(2),
    errorCode: u32(3),
    cr2: u32(4),
    eip: u32(5),
    eflags: u32(6),
    regs,
    seg,
    fx,
    changes,
  };
}

function record(type, body) {
  const out = Buffer.alloc(8 + padded(body.length));
  out.writeUInt32LE(type, 0);
  out.writeUInt32LE(padded(body.length), 4);
  out.set(body, 8);
  return out;
}

/** struct user_desc of modify_ldt(2). */
function userDescriptor(index, entry) {
  const out = Buffer.alloc(16);
  out.writeUInt32LE(index, 0);
  out.writeUInt32LE(entry.base, 4);
  out.writeUInt32LE(entry.limit, 8);
  const bits =
    (entry.wide ? 1 : 0) |
    (entry.contents << 1) |
    (entry.restricted ? 8 : 0) |
    (entry.pages ? 0x10 : 0) |
    (entry.present ? 0 : 0x20);
  out.writeUInt32LE(bits, 12);
  return out;
}

const ldtRecords = () =>
  LDT_ENTRIES.flatMap((entry, index) => (entry === undefined ? [] : [record(4, userDescriptor(index, entry))]));

/** Why native execution cannot work here, or undefined if it can: tried out, with the LDT that cases need. */
export function nativeUnavailable() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'needs Linux on x86-64';
  let program;
  try {
    program = buildExecutor();
  } catch (error) {
    return `gcc cannot build the executor: ${String(error.stderr ?? error.message).split('\n')[0]}`;
  }
  const { stdout, stderr } = spawnSync(program, {
    input: Buffer.concat([...ldtRecords(), record(2, Buffer.alloc(0))]),
  });
  if (stdout === null || stdout.length === 0) return `the executor does not start: ${stderr}`;
  return stdout.every((byte) => byte === 0) ? undefined : 'the kernel refuses modify_ldt';
}

export class NativeExecutor {
  #program;
  #child;
  #chunks = [];
  #held = 0;
  #wake;
  #dead = false;
  #complaint = '';
  restarts = 0;

  static async start() {
    const it = new NativeExecutor();
    it.#program = buildExecutor();
    await it.#spawn();
    return it;
  }

  async #spawn() {
    this.#dead = false;
    this.#chunks = [];
    this.#held = 0;
    const child = spawn(this.#program, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child = child;
    child.stdout.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#held += chunk.length;
      this.#wake?.();
    });
    child.stderr.on('data', (chunk) => (this.#complaint += chunk));
    // What cannot be written any more shows as the child's end.
    child.stdin.on('error', () => {});
    child.on('close', () => {
      if (this.#child !== child) return;
      this.#dead = true;
      this.#wake?.();
    });
    const memory = baseMemory();
    let from = 0;
    for (const area of AREAS) {
      const head = Buffer.alloc(4);
      head.writeUInt32LE(area.at);
      child.stdin.write(record(3, Buffer.concat([head, memory.subarray(from, from + area.bytes)])));
      from += area.bytes;
    }
    const descriptors = ldtRecords();
    for (const each of descriptors) child.stdin.write(each);
    const entries = descriptors.length;
    child.stdin.write(record(2, Buffer.alloc(0)));
    const answers = await this.#take(entries * 4);
    if (answers === undefined) throw new Error(`the executor does not start: ${this.#complaint}`);
    for (let i = 0; i < entries; i++) {
      const code = answers.readInt32LE(i * 4);
      if (code !== 0) throw new Error(`modify_ldt refused entry ${i}: errno ${-code}`);
    }
  }

  /** The next `count` bytes of output, or undefined if the executor ended before. */
  async #take(count) {
    while (this.#held < count) {
      if (this.#dead) return undefined;
      await new Promise((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    const all = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    const rest = all.subarray(count);
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#held = rest.length;
    return all.subarray(0, count);
  }

  async run(cases) {
    const outcomes = [];
    while (outcomes.length < cases.length) {
      const batch = cases.slice(outcomes.length, outcomes.length + BATCH);
      let size = 8;
      for (const c of batch) size += 8 + caseBytes(c);
      const buffer = Buffer.alloc(size);
      const view = new DataView(buffer.buffer, buffer.byteOffset, size);
      let at = 0;
      for (const c of batch) at = encode(view, buffer, at, c);
      view.setUint32(at, 2, true);
      this.#child.stdin.write(buffer);
      for (let i = 0; i < batch.length; i++) {
        const head = await this.#take(4);
        const body = head === undefined ? undefined : await this.#take(head.readUInt32LE(0) - 4);
        if (body === undefined) {
          // Output is flushed per batch: find the deadly case by running what is left one at a time.
          const complaint = this.#complaint;
          await this.#restart();
          if (batch.length === 1) {
            outcomes.push({ kind: 'died', reason: complaint });
          } else {
            for (const c of batch.slice(i)) outcomes.push(...(await this.run([c])));
          }
          break;
        }
        outcomes.push(decode(Buffer.concat([head, body]), 0));
      }
    }
    return outcomes;
  }

  async #restart() {
    this.restarts++;
    this.#complaint = '';
    await this.#spawn();
  }

  async stop() {
    const child = this.#child;
    const ended = new Promise((resolve) => child.on('close', resolve));
    child.stdin.end();
    await ended;
  }
}
