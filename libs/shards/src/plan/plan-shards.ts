import { mustBe } from '@blip2/interfaces';

/** Inputs in order: names of images, or an archive of samples. */
export type ShardInput =
  | { readonly kind: 'names'; readonly names: readonly string[] }
  /** `samples`: how many there are, if an index tells. Without it the archive is one shard. */
  | { readonly kind: 'archive'; readonly archive: string; readonly samples?: number };

/** What a shard computes: images by name, or a range of the samples of an archive. */
export type ShardWork =
  | { readonly kind: 'names'; readonly names: readonly string[] }
  | { readonly kind: 'archive'; readonly archive: string; readonly start: number; readonly end: number | undefined };

/** A part of the inputs that is computed as a whole. */
export interface Shard {
  /** From 0. */
  readonly index: number;
  /** `part-00000`: the name of its output without extension. */
  readonly name: string;
  readonly work: ShardWork;
}

export const DEFAULT_SHARD_SIZE = 1000;
const MAX_SHARD_SIZE = 10_000_000;
/** Digits of the number in a name. More are written where they are needed. */
const DIGITS = 5;

/**
 * Splits inputs into shards. The split depends on the inputs and their order alone: every process of a run finds the
 * same one. A shard never mixes archives, or archives with names.
 * @throws Blip2Error `INVALID_ARGUMENT` without inputs, or for another `shardSize` than 1 to 10,000,000.
 */
export function planShards(inputs: readonly ShardInput[], shardSize: number = DEFAULT_SHARD_SIZE): Shard[] {
  if (!(Number.isInteger(shardSize) && shardSize >= 1 && shardSize <= MAX_SHARD_SIZE))
    throw mustBe('shardSize', `an integer from 1 to ${MAX_SHARD_SIZE}`, shardSize);
  const works: ShardWork[] = [];
  let names: string[] = [];
  const close = (): void => {
    for (let at = 0; at < names.length; at += shardSize)
      works.push({ kind: 'names', names: names.slice(at, at + shardSize) });
    names = [];
  };
  for (const input of inputs) {
    if (input.kind === 'names') {
      for (const name of input.names) names.push(name);
      continue;
    }
    close();
    const { archive, samples } = input;
    if (samples === undefined) works.push({ kind: 'archive', archive, start: 0, end: undefined });
    for (let start = 0; start < (samples ?? 0); start += shardSize)
      works.push({ kind: 'archive', archive, start, end: Math.min(start + shardSize, samples ?? 0) });
  }
  close();
  if (works.length === 0) throw mustBe('inputs', 'at least one image or archive', 'none');
  return works.map((work, index) => ({ index, name: shardName(index), work }));
}

/** The name of the output of a shard, without extension. */
export function shardName(index: number): string {
  return `part-${String(index).padStart(DIGITS, '0')}`;
}
