/** What is said of resets: enough to see why, never without end. */
import { describe, expect, it } from 'vitest';
import { resetNotes } from './reset-notes.js';

function notes(events: number, dump?: string): string {
  let text = '';
  const note = resetNotes((more) => void (text += more));
  for (let i = 1; i <= events; i++) note({ reason: 'port 92h', retired: i * 100, resets: i, dump });
  return text;
}

describe('notes of resets', () => {
  it('say why and when', () => {
    expect(notes(1)).toBe('\nringfence: reset 1 after 100 instructions (port 92h)\n');
  });

  it('show the registers of a triple fault', () => {
    expect(notes(1, 'EAX=00000000\n')).toBe('\nEAX=00000000\nringfence: reset 1 after 100 instructions (port 92h)\n');
  });

  it('end after ten, with dumps for the first three', () => {
    const text = notes(1000, 'EAX=00000000');
    expect(text.match(/EAX/g)).toHaveLength(3);
    expect(text.match(/reset \d+ after/g)).toHaveLength(10);
    expect(text).toContain('reset 10 after 1000 instructions (port 92h); further resets are only counted\n');
  });
});
