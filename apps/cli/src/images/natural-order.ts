const collator = new Intl.Collator('en', { numeric: true });

/** Orders names as people do: `frame2` before `frame10`. The same on every machine. */
export function naturalOrder(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : Number(a > b));
}
