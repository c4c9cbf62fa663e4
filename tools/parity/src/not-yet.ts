import type { CheckpointFamily } from './checkpoint-family.ts';
import type { GoldenEntry } from './golden-case.ts';

interface NotYet {
  readonly reason: string;
  concerns(entry: GoldenEntry, family: CheckpointFamily): boolean;
}

/** What cannot run yet: nothing. The rules only ever get fewer. */
const RULES: readonly NotYet[] = [];

/** Why an entry cannot run yet, or nothing. */
export function reasonToSkip(entry: GoldenEntry, family: CheckpointFamily): string | undefined {
  return RULES.find((rule) => rule.concerns(entry, family))?.reason;
}
