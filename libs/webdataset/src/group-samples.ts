import type { TarEntry } from './entries.ts';
import type { TarLimits } from './limits.ts';
import { refusalOf, type SampleName, splitName } from './sample-name.ts';

/** A file of a sample, before it is read. */
export interface SampleEntry extends SampleName {
  readonly entry: TarEntry;
  /** Why it cannot be read. */
  readonly refused?: string;
}

/** How samples are made of entries. */
export interface GroupOptions extends Required<Pick<TarLimits, 'maxEntryBytes'>> {
  /** Is called with entries that belong to no sample. */
  readonly onIgnored?: ((name: string, reason: string) => void) | undefined;
}

/** The entries that belong to samples, with their keys and extensions. */
export async function* sampleEntries(
  entries: AsyncIterable<TarEntry>,
  { maxEntryBytes, onIgnored }: GroupOptions,
): AsyncGenerator<SampleEntry, void> {
  for await (const entry of entries) {
    if (entry.kind === 'folder' || entry.kind === 'label') continue;
    const split = splitName(entry.name);
    if (!split) {
      onIgnored?.(entry.name, 'it is hidden, metadata, or has no extension');
      continue;
    }
    const refused = refusalOf(entry, maxEntryBytes);
    yield { ...split, entry, ...(refused !== undefined && { refused }) };
  }
}

/** What is collected for one sample: values by extension, and the reasons why there is none. */
export class Collected<T> {
  readonly key: string;
  readonly files: Map<string, T> = new Map<string, T>();
  readonly refused: Map<string, string> = new Map<string, string>();

  constructor(key: string) {
    this.key = key;
  }

  get size(): number {
    return this.files.size + this.refused.size;
  }

  has(extension: string): boolean {
    return this.files.has(extension) || this.refused.has(extension);
  }

  refuse(extension: string, reason: string): void {
    this.files.delete(extension);
    this.refused.set(extension, reason);
  }
}

export const TWICE = 'it appears twice with the same name';
