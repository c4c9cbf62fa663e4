/** A Markdown table. Columns whose title begins with `>` are aligned to the right. */
export function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = titles.map((title) => title.replace(/^>/, ''));
  const rule = titles.map((title) => (title.startsWith('>') ? '---:' : '---'));
  return [`| ${head.join(' | ')} |`, `|${rule.join('|')}|`, ...rows.map((row) => `| ${row.join(' | ')} |`)].join('\n');
}

/** A number with `digits` decimals; one more where it would be rounded to 0. */
export function fixed(value: number, digits: number): string {
  return value.toFixed(value !== 0 && value < 1 && digits === 0 ? 1 : digits);
}

/** A ratio, with about three significant digits. */
export function ratio(value: number): string {
  return fixed(value, value < 10 ? 2 : 1);
}

/** A number and its noun: `1 round`, `3 rounds`. */
export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
