import { mustBe } from '@blip2/interfaces';

import { archiveError } from './archive-error.ts';
import type { ByteSource } from './byte-source.ts';
import { HeaderFault, parseHeader } from './header.ts';
import { BLOCK, DEFAULT_LIMITS, type TarLimits } from './limits.ts';
import type { Sample } from './samples.ts';
import type { IndexedFile, IndexedSample, TarIndex } from './tar-index.ts';

/** Options of `readIndexedSamples`. */
export interface IndexedSamplesOptions extends TarLimits {
  /** Number of the first sample, default 0. */
  readonly start?: number;
  /** Number after that of the last sample, default all. */
  readonly end?: number;
  /** Reads files with these extensions only, in lower case and without the dot. */
  readonly extensions?: readonly string[];
  readonly signal?: AbortSignal;
}

/**
 * Reads samples of a tar by its index, with one read of the source for each sample. The header of each file is
 * compared with the index, so that an index of another archive is noticed.
 * @throws Blip2Error `INVALID_ARCHIVE` if archive and index differ; `INVALID_ARGUMENT` for `start` and `end`; errors of
 * the source; the reason of the signal.
 */
export async function* readIndexedSamples(
  source: ByteSource,
  { samples }: TarIndex,
  options: IndexedSamplesOptions = {},
): AsyncGenerator<Sample, void> {
  const { start = 0, end = samples.length, signal, extensions } = options;
  const limits = { ...DEFAULT_LIMITS, ...options };
  if (!(Number.isInteger(start) && start >= 0)) throw mustBe('start', 'an integer of at least 0', start);
  if (!(Number.isInteger(end) && end >= start && end <= samples.length)) {
    throw mustBe('end', `an integer from start (${start}) to the number of samples (${samples.length})`, end);
  }
  for (const sample of samples.slice(start, end)) {
    signal?.throwIfAborted();
    yield await readSample(source, sample, { limits, signal, extensions });
  }
}

interface Reading {
  readonly limits: Required<TarLimits>;
  readonly extensions: readonly string[] | undefined;
  readonly signal: AbortSignal | undefined;
}

async function readSample(source: ByteSource, sample: IndexedSample, reading: Reading): Promise<Sample> {
  const { limits, extensions, signal } = reading;
  const isWanted = ([extension]: [string, unknown]): boolean => !extensions || extensions.includes(extension);
  const refused = new Map([...sample.refused].filter(isWanted));
  const wanted = new Map<string, IndexedFile>();
  let total = 0;
  for (const [extension, file] of [...sample.files].filter(isWanted)) {
    const tooLarge = limitOf(file.size, total, limits);
    if (tooLarge !== undefined) refused.set(extension, tooLarge);
    else {
      wanted.set(extension, file);
      total += file.size;
    }
  }
  const files = new Map<string, Uint8Array>();
  for (const group of neighbours([...wanted])) {
    const from = group[0]![1].offset - BLOCK;
    const to = group.at(-1)![1].offset + group.at(-1)![1].size;
    const bytes = to > source.size ? new Uint8Array(0) : await source.read(from, to - from, signal);
    if (bytes.byteLength < to - from) {
      const details = { expected: `at least ${to} bytes`, got: `${source.size}`, fix: STALE };
      throw archiveError('The archive is shorter than its index says', { archive: source.name }, details);
    }
    for (const [extension, file] of group) {
      expectHeader(bytes.subarray(file.offset - BLOCK - from, file.offset - from), file, source.name);
      // A copy, so that one file does not keep the bytes of all.
      files.set(extension, bytes.slice(file.offset - from, file.offset - from + file.size));
    }
  }
  return { key: sample.key, files, refused };
}

const STALE = 'Delete the index or make it again: it belongs to another archive';

function limitOf(
  size: number,
  total: number,
  { maxEntryBytes, maxSampleBytes }: Required<TarLimits>,
): string | undefined {
  if (size > maxEntryBytes) return `it has ${size} bytes, more than maxEntryBytes (${maxEntryBytes})`;
  if (total + size > maxSampleBytes) return `its sample has more than maxSampleBytes (${maxSampleBytes}) bytes`;
  return undefined;
}

/** Bytes between two files that are read along with them: other files of a sample are small, or left out. */
const MAX_GAP = 65_536;

/** Groups of files that lie close together, each for one read. */
function neighbours(files: readonly [string, IndexedFile][]): [string, IndexedFile][][] {
  const groups: [string, IndexedFile][][] = [];
  for (const file of files) {
    const before = groups.at(-1)?.at(-1)?.[1];
    if (before && file[1].offset - before.offset - before.size <= MAX_GAP) groups.at(-1)!.push(file);
    else groups.push([file]);
  }
  return groups;
}

/** Longest name that a header holds in any form of tar, in bytes. Longer ones are in an extended header. */
const SHORT_NAME = 99;

function expectHeader(block: Uint8Array, { name, size, offset }: IndexedFile, archive: string): void {
  const header = parseHeader(block);
  const isSame =
    !(header instanceof HeaderFault) &&
    header.size === size &&
    (!isShort(name) || Buffer.from(header.name).toString('utf8') === name);
  if (isSame) return;
  throw archiveError('The archive and its index differ', { archive, entry: name, offset }, { fix: STALE });
}

/** Whether every program writes a name into the header itself: short, and ASCII. */
function isShort(name: string): boolean {
  return name.length <= SHORT_NAME && /^[\0-\x7f]*$/.test(name);
}
