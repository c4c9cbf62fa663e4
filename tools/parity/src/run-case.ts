import { type CaseModels, createCaseModels } from './case-models.ts';
import { readCheckpointFamily } from './checkpoint-family.ts';
import type { GoldenCase, GoldenEntry } from './golden-case.ts';
import { entryKinds } from './kinds/entry-kinds.ts';
import { reasonToSkip as notYet } from './not-yet.ts';
import { type EntryKinds, type EntryResult, runEntry, skipEntry } from './run-entry.ts';

/** How a case is run; the defaults are the real thing, mutants replace them. */
export interface CaseRun {
  readonly kinds?: EntryKinds;
  readonly models?: CaseModels;
  /** Entries to run; default all. */
  readonly select?: (entry: GoldenEntry) => boolean;
  /** Why an entry is skipped; default: what `not-yet.ts` says. */
  readonly reasonToSkip?: typeof notYet;
}

/**
 * Runs the entries of a case one after another and yields what became of each. Models are loaded once and released at
 * the end.
 */
export async function* runCase(
  golden: GoldenCase,
  { kinds = entryKinds, models, select = () => true, reasonToSkip = notYet }: CaseRun = {},
): AsyncGenerator<EntryResult, void> {
  await using owned = models ?? createCaseModels(golden.checkpoint);
  const family = await readCheckpointFamily(golden.checkpoint);
  for (const entry of golden.entries.filter(select)) {
    const reason = reasonToSkip(entry, family);
    yield reason === undefined ? await runEntry(golden, owned, entry, kinds) : skipEntry(golden, entry, reason);
  }
}
