import { access } from 'node:fs/promises';

import { readLimited } from '@blip2/files';
import { mustBe } from '@blip2/interfaces';

import { archiveError } from './archive-error.ts';
import { Collected, TWICE } from './group-samples.ts';
import { BLOCK } from './limits.ts';
import { splitName } from './sample-name.ts';
import type { IndexedFile, TarIndex } from './tar-index.ts';

/** Version of index files that names the files; earlier ones have offsets only. */
const VERSION = 'v1.2';
/** Maximum size of an index file in bytes, enough for ten million files. */
const MAX_INDEX_FILE = 2 ** 30;
/** Fields of one file: extension, offset, size and name. */
const FIELDS = 4;

/**
 * Writes an index in the form of DALI's `wds2idx`: `v1.2 <samples>`, then a line per sample with
 * `extension offset size name` of each file.
 * @throws Blip2Error `INVALID_ARGUMENT` for what this form cannot hold: names with white space, and files that cannot
 * be read.
 */
export function formatTarIndex({ samples }: TarIndex): string {
  const lines = samples.map(({ files, refused }) => {
    if (refused.size > 0) throw mustBe('index', 'of files that can be read', `${[...refused][0]?.join(': ')}`);
    return [...files].map(([, file]) => fields(file).join(' ')).join(' ');
  });
  return `${[`${VERSION} ${samples.length}`, ...lines].join('\n')}\n`;
}

function fields({ name, offset, size }: IndexedFile): [string, number, number, string] {
  if (/\s/.test(name)) throw mustBe('index', 'of names without white space', name);
  // The extension as the archive spells it, as wds2idx does.
  return [name.slice(name.indexOf('.', name.lastIndexOf('/') + 1) + 1), offset, size, name];
}

/**
 * Reads an index in the form of DALI's `wds2idx`, version 1.2.
 * @param file name of the index for messages
 * @throws Blip2Error `INVALID_ARCHIVE` if it is malformed, has another version, or its offsets are impossible.
 */
export function parseTarIndex(text: string, file: string): TarIndex {
  const fault = (what: string, got?: string): Error =>
    archiveError(
      `The index of an archive ${what}`,
      { archive: file },
      {
        fix: 'Delete the index or make it again, with wds2idx of DALI or formatTarIndex',
        ...(got !== undefined && { got }),
      },
    );
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const [version, count, ...more] = lines[0]?.trim().split(' ') ?? [];
  if (version !== VERSION) throw fault(`must have version ${VERSION}`, JSON.stringify(version?.slice(0, 20)));
  if (more.length > 0 || Number(count) !== lines.length - 1) {
    throw fault('is incomplete or malformed', `${lines.length - 1} samples, "${count}" in its first line`);
  }
  const samples = lines.slice(1).map((line, at) => {
    const sample = parseSample(line.trim().split(' '));
    if (typeof sample === 'string') throw fault(`is malformed in line ${at + 2}: ${sample}`);
    return sample;
  });
  return { samples };
}

/** A sample from the fields of its line, or what is wrong with them. */
function parseSample(values: readonly string[]): Collected<IndexedFile> | string {
  let sample: Collected<IndexedFile> | undefined;
  let end = 0;
  if (values.length % FIELDS !== 0) return `it has ${values.length} fields, not ${FIELDS} for each file`;
  for (let at = 0; at < values.length; at += FIELDS) {
    const [extension, offset, size, name] = values.slice(at, at + FIELDS) as [string, string, string, string];
    const split = splitName(name);
    if (!split || split.extension !== extension.toLowerCase()) return `${JSON.stringify(name)} has another extension`;
    if (!isCount(offset) || !isCount(size)) return 'an offset or size is not a number';
    if (Number(offset) % BLOCK !== 0 || Number(offset) < end + BLOCK) return `offset ${offset} is impossible`;
    end = Number(offset) + Number(size);
    sample ??= new Collected(split.key);
    if (sample.key !== split.key) return `${JSON.stringify(name)} has another key than the file before`;
    if (sample.has(split.extension)) sample.refuse(split.extension, TWICE);
    else sample.files.set(split.extension, { name, offset: Number(offset), size: Number(size) });
  }
  return sample ?? 'it has no files';
}

function isCount(text: string): boolean {
  return /^\d{1,16}$/.test(text) && Number.isSafeInteger(Number(text));
}

/** Names of the index of an archive, in order of preference: `a.tar.idx`, `a.idx`. */
export function indexNames(archive: string): string[] {
  return [`${archive}.idx`, ...(archive.endsWith('.tar') ? [`${archive.slice(0, -'.tar'.length)}.idx`] : [])];
}

/**
 * Reads the index next to a tar file, `a.tar.idx` or `a.idx`; `undefined` if there is none.
 * @throws Blip2Error `INVALID_ARCHIVE` if it is malformed or too large; `MISSING_FILE` if it cannot be read.
 */
export async function readTarIndex(archive: string): Promise<TarIndex | undefined> {
  for (const file of indexNames(archive)) {
    const exists = await access(file).then(
      () => true,
      () => false,
    );
    if (!exists) continue;
    const bytes = await readLimited(file, MAX_INDEX_FILE, { code: 'INVALID_ARCHIVE' });
    return parseTarIndex(Buffer.from(bytes).toString('utf8'), file);
  }
  return undefined;
}
