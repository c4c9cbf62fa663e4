import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { replaceFile } from './replaced-file.ts';

/**
 * Model and options of a run, saved next to the results as `….run.json`. Two runs with the same record write the same
 * line for the same image.
 */
export interface RunRecord {
  readonly command: string;
  /** The real path of the folder, or the hub id. */
  readonly model: string;
  /** Sizes in bytes of the model's files, by name; -1 for a broken link. Empty for a hub id. */
  readonly files: Readonly<Record<string, number>>;
  /** Every option that changes results, as given. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** The file that holds the record of the run that wrote `output`. */
export function recordFileOf(output: string): string {
  return `${output}.run.json`;
}

/** Creates the record of a run. */
export async function describeRun(
  command: string,
  model: string,
  options: Readonly<Record<string, unknown>>,
): Promise<RunRecord> {
  const folder = await realpath(model).catch(() => undefined);
  if (folder === undefined) return { command, model, files: {}, options };
  const names = (await readdir(folder).catch(() => []))
    .filter((name) => name === 'config.json' || name.endsWith('.safetensors'))
    .sort();
  // Files that cannot be read are reported when the model is loaded.
  const sizes = await Promise.all(
    names.map(
      async (name) =>
        [
          name,
          await stat(join(folder, name)).then(
            ({ size }) => size,
            () => -1,
          ),
        ] as const,
    ),
  );
  return { command, model: folder, files: Object.fromEntries(sizes), options };
}

export async function saveRecord(output: string, record: RunRecord): Promise<void> {
  await replaceFile(recordFileOf(output), `${JSON.stringify(record, null, 2)}\n`);
}

/**
 * Checks that the results in `output` were written by a run with this record.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export async function expectSameRun(output: string, record: RunRecord): Promise<void> {
  const text = await readFile(recordFileOf(output), 'utf8').catch(() => undefined);
  const fix = 'Write to another file, or start over with --restart';
  if (text === undefined)
    throw new Blip2Error(
      'INVALID_ARGUMENT',
      'The output file exists and was not written by a run that can be resumed',
      { where: output, expected: recordFileOf(output), fix },
    );
  const differences = differencesBetween(parse(text), flatten(record));
  if (differences.length > 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'The output file holds the results of another run', {
      where: output,
      got: differences.join('; '),
      fix,
    });
}

function parse(text: string): ReadonlyMap<string, string> {
  try {
    return flatten(JSON.parse(text));
  } catch {
    return new Map();
  }
}

function differencesBetween(before: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): string[] {
  const names = [...new Set([...before.keys(), ...now.keys()])];
  return names
    .filter((name) => before.get(name) !== now.get(name))
    .map((name) => `${name} was ${before.get(name) ?? 'not given'}, is ${now.get(name) ?? 'not given'}`);
}

/** `{ options: { seed: 1 } }` → `options.seed` → `1`. */
function flatten(value: unknown, path = ''): ReadonlyMap<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return new Map([[path, JSON.stringify(value)]]);
  return new Map(
    Object.entries(value).flatMap(([name, inner]) => [...flatten(inner, path ? `${path}.${name}` : name)]),
  );
}
