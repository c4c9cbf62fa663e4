import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

import type { SheetText } from './sheet-html.ts';

type ResultLine = Readonly<Record<string, unknown>>;

/** What an earlier run wrote about each image, by the keys of its lines. Only the texts are kept. */
export async function earlierResults(
  file: string,
  keyOf: (line: ResultLine) => string | undefined,
  textOf: (line: ResultLine) => SheetText,
): Promise<ReadonlyMap<string, SheetText>> {
  const found = new Map<string, SheetText>();
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const result: ResultLine = JSON.parse(line);
    const key = keyOf(result);
    if (key !== undefined) found.set(key, textOf(result));
  }
  return found;
}
