import { mustBe } from '@blip2/interfaces';

import type { Shard } from './plan-shards.ts';

/** One of several processes that share the shards of a run. */
export interface ShardChoice {
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

/** Variables in which schedulers tell the number of a process, from 0. */
const INDEX_VARIABLES = ['JOB_COMPLETION_INDEX', 'SLURM_ARRAY_TASK_ID', 'AWS_BATCH_JOB_ARRAY_INDEX'] as const;
const FORM = 'I/N with I from 0 to N - 1, such as 0/4';
const ONLY_COUNT = /^\d{1,9}$/;

/**
 * Parses `I/N`, or `N` with the index of a Kubernetes Indexed Job, a Slurm array or an AWS Batch array.
 * @throws Blip2Error `INVALID_ARGUMENT` for other forms, for `5/2`, and for `N` without the variable of a scheduler.
 */
export function parseShardChoice(
  text: string,
  variables: Readonly<Record<string, string | undefined>> = process.env,
): ShardChoice {
  const [, first, second] = /^(\d{1,9})\/(\d{1,9})$/.exec(text.trim()) ?? [];
  if (first !== undefined && second !== undefined) return checked(Number(first), Number(second), text);
  if (!ONLY_COUNT.test(text.trim())) throw mustBe('shard', FORM, text);
  const variable = INDEX_VARIABLES.find((name) => variables[name] !== undefined && variables[name] !== '');
  if (variable === undefined) {
    throw mustBe('shard', `${FORM}, or N where one of ${INDEX_VARIABLES.join(', ')} is set`, text);
  }
  const index = variables[variable] ?? '';
  if (!ONLY_COUNT.test(index)) throw mustBe(variable, 'an integer of at least 0', index);
  return checked(Number(index), Number(text), `${index}/${text} (${variable})`);
}

function checked(index: number, count: number, got: string): ShardChoice {
  if (index < count) return { index, count };
  throw mustBe('shard', FORM, got, { fix: 'I counts from 0: the last of N processes is N - 1' });
}

/** The shards of one of several processes: every `count`-th, so that all have the same number of them. */
export function chooseShards(shards: readonly Shard[], { index, count }: ShardChoice): Shard[] {
  return shards.filter((shard) => shard.index % count === index);
}
