import type { TarEntry } from './entries.ts';
import { MAX_NAME } from './limits.ts';

/** Key and extension of a file of a sample. */
export interface SampleName {
  /** Folder and base name up to its first dot: `train/000123` of `train/000123.seg.png`. */
  readonly key: string;
  /** What follows that dot, in lower case: `seg.png`. */
  readonly extension: string;
}

/**
 * Splits a name as webdataset does, at the first dot of the base name. `undefined` for names without an extension,
 * hidden files (`.DS_Store`, `._000.jpg`) and metadata (`__name__` at the top), which belong to no sample.
 */
export function splitName(name: string): SampleName | undefined {
  if (/^__[^/]*__(?:$|\/)/.test(name)) return undefined;
  const base = name.lastIndexOf('/') + 1;
  const dot = name.indexOf('.', base);
  if (dot <= base) return undefined;
  return { key: name.slice(0, dot), extension: name.slice(dot + 1).toLowerCase() };
}

/** Why an entry of a sample is not read, or `undefined`. */
export function refusalOf({ name, isText, kind, size }: TarEntry, maxEntryBytes: number): string | undefined {
  if (kind !== 'file')
    return `it is ${kind === 'other' ? 'an entry of another type' : `a ${kind}`}, and only files are read`;
  if (!isText) return 'its name is not UTF-8';
  if (name.includes('\0')) return 'its name has a zero byte';
  if (name.length > MAX_NAME) return `its name is longer than ${MAX_NAME} characters`;
  if (/^(?:[/\\]|[A-Za-z]:[/\\])/.test(name)) return 'its path is absolute';
  if (/(?:^|[/\\])\.\.(?:[/\\]|$)/.test(name)) return 'its path leads out of the archive (..)';
  if (size > maxEntryBytes) return `it has ${size} bytes, more than maxEntryBytes (${maxEntryBytes})`;
  return undefined;
}
