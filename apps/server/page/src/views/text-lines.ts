/** The texts of a field with one text per line: trimmed, without empty and repeated ones. */
export function textLines(value: string): readonly string[] {
  const lines = value.split('\n').map((line) => line.trim());
  return [...new Set(lines)].filter((line) => line !== '');
}
