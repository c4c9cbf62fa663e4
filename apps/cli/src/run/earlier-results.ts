import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

import type { SheetText } from '../report/sheet-html.ts';
import type { ResultObject } from '../tables/table.ts';

/** Reads the texts that an earlier run wrote, by the keys of its lines. */
export async function earlierResults(
  file: string,
  keyOf: (line: ResultObject) => string | undefined,
  textOf: (line: ResultObject) => SheetText,
): Promise<ReadonlyMap<string, SheetText>> {
  const found = new Map<string, SheetText>();
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    // Editors on Windows put a byte order mark before a file that they save.
    const result: ResultObject = JSON.parse(line.replace(/^\uFEFF/, ''));
    const key = keyOf(result);
    if (key !== undefined) found.set(key, textOf(result));
  }
  return found;
}
