import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { type ModelSource, SOURCE_NAMES } from '../model/model-source.ts';
import type { LoadNumbers, RunNumbers } from '../model/run-numbers.ts';
import { contentKey } from './content-key.ts';
import { replaceFile } from './replaced-file.ts';

/**
 * Model and options of a run, saved next to the results as `….run.json`. Two runs with the same record write the same
 * line for the same image.
 */
export interface RunRecord extends ModelRecord {
  readonly command: string;
  /** Sources of parts that are not those of the Q-Former. */
  readonly parts?: Readonly<Record<string, ModelRecord>>;
  /** Every option that changes results, as given. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What a run that resumes this one uses again. Not compared. */
  readonly numbers?: LoadNumbers;
}

/** A source of a model. */
export interface ModelRecord {
  /** The real path of the folder, or the hub id. */
  readonly model: string;
  /** The commit of a hub id, which stands for its files. */
  readonly commit?: string;
  /** Content keys of the folder's files (`contentKey`), by name; -1 for a broken link. Empty for a hub id. */
  readonly files: Readonly<Record<string, string | -1>>;
}

/** The file that holds the record of the run that wrote `output`. */
export function recordFileOf(output: string): string {
  return `${output}.run.json`;
}

/** The sources of a model; `snapshot` has the folders of their cached snapshots in place of hub ids. */
export interface RecordedModel {
  readonly source: ModelSource;
  readonly snapshot?: ModelSource | undefined;
}

/** Creates the record of a run. */
export async function describeRun(
  command: string,
  { source, snapshot }: RecordedModel,
  options: Readonly<Record<string, unknown>>,
): Promise<RunRecord> {
  if (typeof source === 'string') return { command, ...(await describeModel(source, snapshot)), options };
  const resolved = typeof snapshot === 'object' ? snapshot : undefined;
  const parts: Record<string, ModelRecord> = {};
  for (const name of SOURCE_NAMES) {
    const own = source[name];
    if (own !== undefined && name !== 'qformer') parts[name] = await describeModel(own, resolved?.[name]);
  }
  return { command, ...(await describeModel(source.qformer, resolved?.qformer)), parts, options };
}

async function describeModel(source: string, snapshot: ModelSource | undefined): Promise<ModelRecord> {
  const resolved = typeof snapshot === 'string' ? snapshot : undefined;
  const commit = COMMIT.exec(resolved ?? '')?.[1];
  if (commit !== undefined) return { model: source, commit, files: {} };
  const folder = await realpath(resolved ?? source).catch(() => undefined);
  return folder === undefined ? { model: source, files: {} } : { model: folder, files: await filesOf(folder) };
}

/** The folder of a snapshot in the Hugging Face cache is named after its commit. */
const COMMIT = /[/\\]snapshots[/\\]([0-9a-f]{40})[/\\]?$/;
/** Files on which results depend. */
const MODEL_FILE = new RegExp(
  [
    '\\.safetensors$',
    '\\.index\\.json$',
    '^(generation_|preprocessor_|processor_)?config\\.json$',
    '^(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\\.json$',
    '^(vocab|merges)\\.txt$',
  ].join('|'),
);
/** The folder of the second tokenizer of InstructBLIP. */
const QFORMER_TOKENIZER = 'qformer_tokenizer';

async function filesOf(folder: string): Promise<RunRecord['files']> {
  const names = [
    ...(await readdir(folder).catch(() => [])),
    ...(await readdir(join(folder, QFORMER_TOKENIZER)).catch(() => [])).map((name) => `${QFORMER_TOKENIZER}/${name}`),
  ];
  const relevant = names.filter((name) => MODEL_FILE.test(basename(name))).sort();
  // Files that cannot be read are reported when the model is loaded.
  const keys = await Promise.all(
    relevant.map(async (name) => [name, await contentKey(join(folder, name)).catch(() => -1 as const)] as const),
  );
  return Object.fromEntries(keys);
}

export async function saveRecord(output: string, record: RunRecord): Promise<void> {
  await replaceFile(recordFileOf(output), `${JSON.stringify(record, null, 2)}\n`);
}

/** What a run is compared with, and what it takes over. */
export interface ResumedRun {
  readonly record: () => Promise<RunRecord>;
  readonly numbers?: RunNumbers | undefined;
}

/**
 * Checks that the results in `output` were written by a run with this record, and uses the numbers of that run.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export async function expectSameRun(output: string, { record, numbers }: ResumedRun): Promise<void> {
  const text = await readFile(recordFileOf(output), 'utf8').catch(() => undefined);
  const fix = 'Write to another file, or start over with --restart';
  if (text === undefined)
    throw new Blip2Error(
      'INVALID_ARGUMENT',
      'The output file exists and was not written by a run that can be resumed',
      { where: output, expected: recordFileOf(output), fix },
    );
  const { numbers: earlier, ...before } = parse(text);
  const { numbers: _, ...now } = await record();
  const differences = differencesBetween(flatten(before), flatten(now));
  if (differences.length > 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'The output file holds the results of another run', {
      where: output,
      got: differences.join('; '),
      fix,
    });
  numbers?.reuse(earlier);
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
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
