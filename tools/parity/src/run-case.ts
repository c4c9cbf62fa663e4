import { type CaseModels, createCaseModels } from './case-models.ts';
import type { GoldenCase, GoldenEntry } from './golden-case.ts';
import { entryKinds } from './kinds/entry-kinds.ts';
import { type EntryKinds, type EntryResult, runEntry } from './run-entry.ts';

/** How a case is run. Mutants replace the defaults. */
export interface CaseRun {
  readonly kinds?: EntryKinds;
  readonly models?: CaseModels;
  /** Selects the entries to run. Default: all. */
  readonly select?: (entry: GoldenEntry) => boolean;
}

/**
 * Runs the entries of a case one after another and yields a result for each. Models are loaded once and disposed of at
 * the end.
 */
export async function* runCase(
  golden: GoldenCase,
  { kinds = entryKinds, models, select = () => true }: CaseRun = {},
): AsyncGenerator<EntryResult, void> {
  await using owned = models ?? createCaseModels(golden.checkpoint);
  for (const entry of golden.entries.filter(select)) yield await runEntry(golden, owned, entry, kinds);
}
