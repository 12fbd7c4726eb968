/**
 * Ctrl-A commands on a raw terminal, as QEMU has them with -nographic: every key goes to the guest, also Ctrl-C, save for
 * Ctrl-A and the key after it. Bytes in, bytes out; what a command does is the caller's business. A command may be split
 * over two pieces of input.
 */

export interface EscapeActions {
  /** Bytes for the guest. */
  pass(bytes: Uint8Array): void;
  /** Ctrl-A x. */
  quit(): void;
  /** Ctrl-A h or Ctrl-A ?. */
  help(): void;
}

const CTRL_A = 0x01;

export const ESCAPE_HELP = [
  'Ctrl-A h       this help',
  'Ctrl-A x       end the run',
  'Ctrl-A Ctrl-A  send Ctrl-A to the guest',
] as const;

export class EscapeKeys {
  private escaped = false;

  constructor(private readonly actions: EscapeActions) {}

  feed(bytes: Uint8Array): void {
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      if (!this.escaped) {
        if (byte !== CTRL_A) continue;
        this.pass(bytes, from, at);
        this.escaped = true;
        from = at + 1;
        continue;
      }
      this.escaped = false;
      // Ctrl-A Ctrl-A, or Ctrl-A a, is a Ctrl-A: with the hand still on Ctrl or off it.
      if (byte === CTRL_A || byte === 0x61) this.actions.pass(Uint8Array.of(CTRL_A));
      else if (byte === 0x78) return this.actions.quit();
      else if (byte === 0x68 || byte === 0x3f) this.actions.help();
      // Any other key is swallowed with its Ctrl-A.
      from = at + 1;
    }
    if (!this.escaped) this.pass(bytes, from, bytes.length);
  }

  private pass(bytes: Uint8Array, from: number, to: number): void {
    if (to > from) this.actions.pass(bytes.subarray(from, to));
  }
}
