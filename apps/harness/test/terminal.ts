/**
 * Turns the bytes of a serial line into what a person at a VT100 terminal would see, for specs of guests that draw a
 * screen. The emulation is xterm.js's own, without a display.
 */
import xterm from '@xterm/headless';

const COLUMNS = 80;
const ROWS = 25;

/** The visible lines after all of `bytes`, trailing blanks removed. */
export async function screenOf(bytes: Uint8Array): Promise<string[]> {
  const terminal = new xterm.Terminal({ cols: COLUMNS, rows: ROWS, scrollback: 0, allowProposedApi: true });
  await new Promise<void>((resolve) => terminal.write(bytes, resolve));
  const buffer = terminal.buffer.active;
  const lines = Array.from(
    { length: ROWS },
    (_, row) => buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? '',
  );
  terminal.dispose();
  return lines;
}
