/** Numbers as hexadecimal text of a fixed width. */
export function hex(value: number, digits = 8): string {
  return (value >>> 0).toString(16).padStart(digits, '0');
}
