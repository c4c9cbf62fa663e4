/** Limits on untrusted archives, in bytes or counts. */
export interface TarLimits {
  /** Maximum size of one file of a sample, default 256 MiB. A larger file is refused, its sample goes on. */
  readonly maxEntryBytes?: number;
  /** Maximum size of all files of a sample that are read, default 512 MiB. */
  readonly maxSampleBytes?: number;
  /** Maximum number of files with one key, default 1,000. */
  readonly maxSampleFiles?: number;
  /** Maximum number of entries in an archive, default 10,000,000. */
  readonly maxEntries?: number;
}

export const DEFAULT_LIMITS: Required<TarLimits> = {
  maxEntryBytes: 268_435_456,
  maxSampleBytes: 536_870_912,
  maxSampleFiles: 1000,
  maxEntries: 10_000_000,
};

/** Size of a tar block in bytes. Headers take one block, contents are padded to whole blocks. */
export const BLOCK = 512;
/** Maximum size of one extended header (a long name, pax records). GNU tar and Python write less than 64 kB. */
export const MAX_EXTENSION_BYTES = 1_048_576;
/** Maximum number of extended headers before one entry: pax, a long name and a long link are the usual three. */
export const MAX_EXTENSIONS = 8;
/** Maximum length of a name in UTF-16 code units, as PATH_MAX of Linux. */
export const MAX_NAME = 4096;
/** Blocks that are checked after the end of an archive. Tar programs fill records of 20 blocks with zeros. */
export const BLOCKS_AFTER_END = 64;
