import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A deliberate mistake in the source: it removes the check behind a promise, and a test must notice. */
export interface PromiseMutant {
  readonly name: string;
  /** The promise in one sentence. */
  readonly promise: string;
  /** Path of the source file from the root of the repository. */
  readonly file: string;
  /** Text that occurs once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Path of the test file that must fail. */
  readonly test: string;
}

/** The committed mutants. The path is the same from `src` and `dist`. */
export const MUTANTS_FOLDER: string = join(import.meta.dirname, '../../mutants');

/** Reads all mutants of a folder, in the order of their files. */
export async function readPromiseMutants(folder: string = MUTANTS_FOLDER): Promise<readonly PromiseMutant[]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json')).toSorted();
  const lists = await Promise.all(
    files.map(async (name): Promise<readonly PromiseMutant[]> => {
      const list: unknown = JSON.parse(await readFile(join(folder, name), 'utf8'));
      return list as readonly PromiseMutant[];
    }),
  );
  return lists.flat();
}

/** Why a mutant cannot be applied to the tree at `root`, or `undefined`. */
export async function mutantProblem(root: string, mutant: PromiseMutant): Promise<string | undefined> {
  const [source, test] = await Promise.all([text(join(root, mutant.file)), text(join(root, mutant.test))]);
  if (source === undefined) return `${mutant.name}: ${mutant.file} does not exist`;
  if (test === undefined) return `${mutant.name}: ${mutant.test} does not exist`;
  const found = source.split(mutant.find).length - 1;
  if (found !== 1) return `${mutant.name}: its text occurs ${found} times in ${mutant.file}`;
  return mutant.find === mutant.replace ? `${mutant.name}: it changes nothing` : undefined;
}

function text(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined);
}
