/**
 * `--screen`: draws the guest's screen on a terminal, on the alternate screen so that what was there comes back: text as text,
 * graphics in half blocks, as small as the terminal. Rows that have not changed are not sent again, and no more pictures than
 * RATE a second are drawn, so a guest that floods its screen costs a terminal no more than one that does not. Keys are not
 * read here.
 */
import type { ScreenFrame, TextFrame } from '@ringfence/sdk';
import { halfBlocks } from './half-blocks.js';

/** Pictures a second. */
const RATE = 20;

const ENTER = '\x1b[?1049h\x1b[2J\x1b[?25l';
const LEAVE = '\x1b[0m\x1b[?25h\x1b[?1049l';
const CLEAR = '\x1b[0m\x1b[2J';
const SHOW_CURSOR = '\x1b[?25h';
const HIDE_CURSOR = '\x1b[?25l';

export class AnsiScreen {
  private rows: string[] = [];
  private tail = '';
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly frame: () => ScreenFrame | undefined,
    private readonly write: (text: string) => void,
    private readonly size: () => { readonly columns: number; readonly rows: number },
  ) {}

  start(): void {
    this.write(ENTER);
    this.timer = setInterval(() => this.draw(), 1000 / RATE);
    // The guest keeps the process alive, not its picture.
    this.timer.unref();
  }

  /** Draws the last picture and gives the terminal back. */
  stop(): void {
    if (this.timer === undefined) return;
    clearInterval(this.timer);
    this.timer = undefined;
    this.draw();
    this.write(LEAVE);
  }

  /** The terminal has another size: what it shows now is anyone's guess. */
  redraw(): void {
    if (this.timer === undefined) return;
    this.rows = [];
    this.tail = '';
    this.write(CLEAR);
    this.draw();
  }

  draw(): void {
    const frame = this.frame();
    const rows = this.rowsOf(frame);
    let update = rows.length < this.rows.length ? CLEAR : '';
    if (update !== '') this.rows = [];
    rows.forEach((row, n) => {
      if (row !== this.rows[n]) update += `\x1b[${n + 1};1H${row}\x1b[0m\x1b[K`;
    });
    const cursor = frame?.kind === 'text' ? frame.cursor : undefined;
    const tail = cursor === undefined ? HIDE_CURSOR : `\x1b[${cursor.row + 1};${cursor.column + 1}H${SHOW_CURSOR}`;
    this.rows = rows;
    if (update === '' && tail === this.tail) return;
    this.tail = tail;
    this.write(update + tail);
  }

  private rowsOf(frame: ScreenFrame | undefined): string[] {
    if (frame === undefined) return ['\x1b[0m(there is no picture of the screen)'];
    if (frame.kind === 'text') return textRows(frame);
    const { columns, rows } = this.size();
    return halfBlocks(frame, columns, rows);
  }
}

/** The rows with their colours, each complete in itself. */
function textRows({ columns, rows, characters, foreground, background, palette }: TextFrame): string[] {
  const color = (n: number): string => `${palette[n] >>> 16};${(palette[n] >>> 8) & 0xff};${palette[n] & 0xff}`;
  return Array.from({ length: rows }, (_, row) => {
    let text = '';
    let colors = -1;
    for (let column = 0; column < columns; column++) {
      const cell = row * columns + column;
      const now = (foreground[cell] << 8) | background[cell];
      if (now !== colors) text += `\x1b[38;2;${color(foreground[cell])};48;2;${color(background[cell])}m`;
      colors = now;
      text += characters[cell];
    }
    return text;
  });
}
