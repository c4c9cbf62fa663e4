import type { EntryKind } from '../entry-kind.ts';

/** Every kind of the format that the library answers, by its name in the manifest. */
export const entryKinds: ReadonlyMap<string, EntryKind> = new Map();
