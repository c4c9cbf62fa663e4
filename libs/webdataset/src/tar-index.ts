import { archiveError } from './archive-error.ts';
import type { ByteSource } from './byte-source.ts';
import { tarEntries } from './entries.ts';
import { Collected, sampleEntries, TWICE } from './group-samples.ts';
import { BLOCK, DEFAULT_LIMITS, type TarLimits } from './limits.ts';
import { isGzip, SIGNATURE_BYTES } from './open-archive.ts';
import { openCursor } from './samples.ts';

/** Where a file of a sample is in its archive. */
export interface IndexedFile {
  /** Complete name in the archive. */
  readonly name: string;
  /** Offset of its contents in bytes. */
  readonly offset: number;
  /** Size of its contents in bytes. */
  readonly size: number;
}

/** Where the files of a sample are. */
export interface IndexedSample {
  readonly key: string;
  /** By extension, in the order of the archive. */
  readonly files: ReadonlyMap<string, IndexedFile>;
  /** Files that cannot be read, by extension, with the reason. */
  readonly refused: ReadonlyMap<string, string>;
}

/** The samples of an archive in order. */
export interface TarIndex {
  readonly samples: readonly IndexedSample[];
}

/** Options of `indexTar`. */
export interface IndexTarOptions extends TarLimits {
  readonly onIgnored?: (name: string, reason: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Finds the samples of a tar by one pass over its headers; contents are not read.
 * @throws Blip2Error `INVALID_ARCHIVE` for damaged, truncated and compressed archives.
 */
export async function indexTar(source: ByteSource, options: IndexTarOptions = {}): Promise<TarIndex> {
  const limits = { ...DEFAULT_LIMITS, ...options };
  const start = await source.read(0, Math.min(SIGNATURE_BYTES, source.size), options.signal);
  if (isGzip(start, source.name)) {
    throw archiveError(
      'An archive that is compressed has no index',
      { archive: source.name },
      {
        fix: 'Read it in order, or decompress it first',
      },
    );
  }
  const cursor = await openCursor(source, source.name, BLOCK, options.signal);
  const samples: Collected<IndexedFile>[] = [];
  const entries = tarEntries(cursor, { ...limits, archive: source.name });
  for await (const { key, extension, entry, refused } of sampleEntries(entries, limits)) {
    let sample = samples.at(-1);
    if (sample?.key !== key) samples.push((sample = new Collected(key)));
    if (sample.has(extension)) sample.refuse(extension, TWICE);
    else if (sample.size >= limits.maxSampleFiles) sample.refuse('', 'the sample has too many files');
    else if (refused !== undefined) sample.refuse(extension, refused);
    else sample.files.set(extension, { name: entry.name, offset: entry.offset, size: entry.size });
  }
  return { samples };
}
