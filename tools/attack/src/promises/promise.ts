import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A promise and the test that proves it. */
export interface TestedPromise {
  /** One sentence. */
  readonly promise: string;
  /** Path of the test file from the root of the repository. */
  readonly test: string;
  /** Title of the test, with its placeholders. */
  readonly title: string;
}

/** Promises of one area, in `promises/*.json`. */
export interface PromiseArea {
  readonly area: string;
  readonly promises: readonly TestedPromise[];
}

/** The committed promises. The path is the same from `src` and `dist`. */
const PROMISES_FOLDER: string = join(import.meta.dirname, '../../promises');

/** Reads all areas, in the order of their names. */
export async function readPromises(folder: string = PROMISES_FOLDER): Promise<readonly PromiseArea[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  const areas = await Promise.all(
    files.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')) as PromiseArea),
  );
  return areas.toSorted((one, other) => one.area.localeCompare(other.area, 'en'));
}

/** Why a promise has no test in the tree at `root`, or `undefined`. */
export async function promiseProblem(
  root: string,
  { promise, test, title }: TestedPromise,
): Promise<string | undefined> {
  const text = await readFile(join(root, test), 'utf8').catch(() => undefined);
  if (text === undefined) return `${promise}: ${test} does not exist`;
  // Strings of a title can be broken or escaped in the source; its words are not.
  const words = (value: string): string => value.replaceAll(/[^\p{L}\p{N}]+/gu, ' ').trim();
  return words(text).includes(words(title)) ? undefined : `${promise}: ${test} has no test "${title}"`;
}
