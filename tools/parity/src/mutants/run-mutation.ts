import { createCaseModels } from '../case-models.ts';
import type { EntryKind } from '../entry-kind.ts';
import type { GoldenCase, GoldenEntry } from '../golden-case.ts';
import { entryKinds } from '../kinds/entry-kinds.ts';
import { runCase } from '../run-case.ts';
import type { EntryKinds, EntryResult } from '../run-entry.ts';
import { mutatedCheckpoint } from './mutated-checkpoint.ts';
import { mutatedSessions } from './mutated-sessions.ts';
import type { Mutation } from './mutation.ts';

/** How many entries of a case detect a mutation. */
export interface MutationResult {
  readonly mutation: string;
  readonly case: string;
  /** Number of entries that pass without the mutation and fail with it. */
  readonly broken: number;
  /** Number of entries that pass without the mutation. Tokenizer entries are excluded: no mutation affects them. */
  readonly entries: number;
  /**
   * Largest difference relative to its tolerance; `exact` if only ids, texts, shapes or positions of infinities differ.
   */
  readonly largestRatio: number | 'exact';
  /**
   * Entries that failed with an exception instead of a comparison. The mutation is invalid then.
   */
  readonly threw: readonly string[];
}

/**
 * Runs the entries that a mutation can affect. `sound` contains the names of the entries that pass without it.
 */
export async function runMutation(
  golden: GoldenCase,
  mutation: Mutation,
  sound: ReadonlySet<string>,
): Promise<MutationResult> {
  await using checkpoint = await mutatedCheckpoint(golden.checkpoint ?? '', mutation);
  const models = createCaseModels(checkpoint.folder, { createSession: mutatedSessions(mutation) });
  const broken: EntryResult[] = [];
  const select = ({ name, kind }: GoldenEntry): boolean => sound.has(name) && mutation.reaches.includes(kind);
  for await (const result of runCase(golden, { kinds: mutatedKinds(mutation), models, select }))
    if (result.status === 'failed') broken.push(result);
  const ratios = broken.map(({ largestRatio }) => largestRatio).filter((ratio) => Number.isFinite(ratio) && ratio > 1);
  return {
    mutation: mutation.name,
    case: golden.name,
    broken: broken.length,
    entries: sound.size,
    largestRatio: ratios.length === 0 ? 'exact' : Math.max(...ratios),
    threw: broken.filter(({ threw }) => threw).map(({ name, reason }) => `${name}: ${reason ?? ''}`),
  };
}

/** Names of the entries of a case that pass without a mutation. */
export async function soundEntries(golden: GoldenCase): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for await (const result of runCase(golden, { select: ({ kind }) => !kind.startsWith('tokenizer_') }))
    if (result.status === 'passed') names.add(result.name);
  return names;
}

function mutatedKinds({ call: changeCall, result: changeResult }: Mutation): EntryKinds {
  if (!changeCall && !changeResult) return entryKinds;
  return new Map(
    [...entryKinds].map(([name, kind]): [string, EntryKind] => [
      name,
      {
        ...kind,
        async run(call) {
          const outputs = new Map<string, unknown>(Object.entries(await kind.run(changeCall?.(call, name) ?? call)));
          await changeResult?.(outputs, call, name);
          return Object.fromEntries(outputs);
        },
      },
    ]),
  );
}
