import { type ArchiveBytes, isByteSource } from './byte-source.ts';
import { type Cursor, sourceCursor, streamCursor } from './cursor.ts';
import { tarEntries } from './entries.ts';
import { Collected, sampleEntries, type SampleEntry, TWICE } from './group-samples.ts';
import { DEFAULT_LIMITS, type TarLimits } from './limits.ts';
import { decompressed, isGzip, SIGNATURE_BYTES, sourceChunks } from './open-archive.ts';

/** A sample: the files of an archive with one key, one after the other. */
export interface Sample {
  /** Folder and base name up to its first dot. */
  readonly key: string;
  /** Contents by extension in lower case, in the order of the archive. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /**
   * Files that were not read, by extension, with the reason: links, devices, paths that are absolute or lead out of
   * the archive, files that appear twice or break a limit. A sample may have no others.
   */
  readonly refused: ReadonlyMap<string, string>;
}

/** Options of `readSamples`. */
export interface ReadSamplesOptions extends TarLimits {
  /** Name for messages, default that of the source, or `the archive`. */
  readonly name?: string;
  /** Reads files with these extensions only, in lower case and without the dot. Samples without one have no files. */
  readonly extensions?: readonly string[];
  /** Is called with the entries that belong to no sample: hidden files, metadata, names without an extension. */
  readonly onIgnored?: (name: string, reason: string) => void;
  readonly signal?: AbortSignal;
}

/** Size of a read of headers in bytes; files larger than this are read at once. */
const READ_AHEAD = 65_536;

/**
 * Reads the samples of a webdataset tar, which may be compressed with gzip, in order. One sample is held at a time:
 * the next one is read when it is asked for. From a `ByteSource`, files that are not wanted are not read.
 * @throws Blip2Error `INVALID_ARCHIVE` for damaged, truncated and other archives; errors of the source; the reason of
 * the signal.
 */
export async function* readSamples(
  bytes: ArchiveBytes,
  options: ReadSamplesOptions = {},
): AsyncGenerator<Sample, void> {
  const { signal, extensions } = options;
  const limits = { ...DEFAULT_LIMITS, ...options };
  const archive = options.name ?? (isByteSource(bytes) ? bytes.name : 'the archive');
  const cursor = await openCursor(bytes, archive, READ_AHEAD, signal);
  const entries = sampleEntries(tarEntries(cursor, { ...limits, archive }), limits);
  try {
    let sample: Reading | undefined;
    for await (const entry of entries) {
      if (entry.key !== sample?.key) {
        if (sample) yield sample.result();
        sample = new Reading(entry.key, limits);
      }
      await sample.add(entry, extensions);
      signal?.throwIfAborted();
    }
    if (sample) yield sample.result();
  } finally {
    await cursor.close();
  }
}

/** Opens the uncompressed bytes of an archive. */
export async function openCursor(
  bytes: ArchiveBytes,
  archive: string,
  readAhead: number,
  signal: AbortSignal | undefined,
): Promise<Cursor> {
  if (!isByteSource(bytes)) return streamCursor(decompressed(bytes, archive), signal);
  const start = await bytes.read(0, Math.min(SIGNATURE_BYTES, bytes.size), signal);
  if (isGzip(start, archive)) return streamCursor(decompressed(sourceChunks(bytes, signal), archive), signal);
  return sourceCursor(bytes, { readAhead, signal });
}

/** A sample while its files are read. */
class Reading {
  readonly #collected: Collected<Uint8Array>;
  readonly #limits: Required<TarLimits>;
  #bytes = 0;

  constructor(key: string, limits: Required<TarLimits>) {
    this.#collected = new Collected(key);
    this.#limits = limits;
  }

  get key(): string {
    return this.#collected.key;
  }

  async add({ entry, extension, refused }: SampleEntry, wanted: readonly string[] | undefined): Promise<void> {
    if (wanted && !wanted.includes(extension)) return;
    const { maxSampleBytes, maxSampleFiles } = this.#limits;
    if (this.#collected.has(extension)) return this.#collected.refuse(extension, TWICE);
    if (this.#collected.size >= maxSampleFiles) {
      return this.#collected.refuse('', `the sample has more than maxSampleFiles (${maxSampleFiles}) files`);
    }
    if (refused !== undefined) return this.#collected.refuse(extension, refused);
    if (this.#bytes + entry.size > maxSampleBytes) {
      return this.#collected.refuse(extension, `its sample has more than maxSampleBytes (${maxSampleBytes}) bytes`);
    }
    this.#bytes += entry.size;
    this.#collected.files.set(extension, await entry.read());
  }

  result(): Sample {
    return this.#collected;
  }
}
