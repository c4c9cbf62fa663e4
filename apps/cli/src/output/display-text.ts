const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Escapes every control character (`\n`, `\t`, `\x1b`), so that a value stays one line and one column, and a file name
 * or a generated text cannot control the terminal.
 */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (character) => NAMED[character] ?? hexadecimal(character));
}

function hexadecimal(character: string): string {
  const code = character.charCodeAt(0);
  return code > 0xff ? `\\u${code.toString(16)}` : `\\x${code.toString(16).padStart(2, '0')}`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'] as const;

/** Formats a number of bytes in powers of 1000, like download pages and disks: `15.1 GB`. */
export function byteSize(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)));
  return `${(bytes / 1000 ** power).toFixed(power > 0 ? 1 : 0)} ${UNITS[power]}`;
}

/** Rounds to two decimals, the precision of all times in outputs. */
export function hundredth(value: number): number {
  return Math.round(value * 100) / 100;
}
