const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Escapes every control character (`\n`, `\t`, `\x1b`) and every control of the direction of text, so that a value
 * stays
 * one line and one column, and a file name or a generated text cannot control the terminal or be shown as another one.
 */
export function oneLine(text: string): string {
  return withoutControls(text).replace(/\p{Bidi_Control}/gu, hexadecimal);
}

/** As `oneLine`, for HTML, which isolates the direction of a text. */
export function withoutControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (character) => NAMED[character] ?? hexadecimal(character));
}

function hexadecimal(character: string): string {
  const code = character.charCodeAt(0);
  return code > 0xff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\x${code.toString(16).padStart(2, '0')}`;
}

/**
 * The JSON of a value as one line, with its line feed. Characters that `oneLine` escapes and JSON does not are escaped
 * as
 * well; the parsed value is the same.
 */
export function jsonLine(value: unknown): string {
  const json = JSON.stringify(value);
  const escaped = json.replace(
    /[\u007f-\u009f\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${escaped}\n`;
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
