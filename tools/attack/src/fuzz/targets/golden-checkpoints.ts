import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The committed cases of the parity tests. The path is the same from `src` and `dist`. */
const CASES: string = join(import.meta.dirname, '../../../../parity/cases');

/** The text of a file of every golden checkpoint that has it. */
export function goldenFiles(name: string): readonly string[] {
  return readdirSync(CASES, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((entry) => {
      try {
        return [readFileSync(join(CASES, entry.name, 'checkpoint', name), 'utf8')];
      } catch {
        return [];
      }
    });
}

/** The JSON of a file of every golden checkpoint that has it. */
export function goldenJson(name: string): readonly unknown[] {
  return goldenFiles(name).map((text): unknown => JSON.parse(text));
}
