import { Blip2Error, isError, messageOf } from '@blip2/interfaces';

import {
  publishShard,
  readShardStats,
  type ShardOutput,
  type ShardRow,
  type ShardStats,
} from './output/publish-shard.ts';
import type { Shard } from './plan/plan-shards.ts';
import type { Claim, ShardQueue } from './queue/shard-queue.ts';

/** Options of `workShards`. */
export interface WorkOptions {
  readonly queue: ShardQueue;
  /** All shards of the run. */
  readonly shards: readonly Shard[];
  readonly output: ShardOutput;
  /**
   * Computes the rows of a shard: one for each input, a result or an error. What it throws fails the shard. `signal` is
   * aborted when the work is to stop, or another worker took the shard.
   */
  readonly compute: (shard: Shard, signal: AbortSignal) => AsyncIterable<ShardRow>;
  /** Ends the work: the shard in progress is handed back. */
  readonly signal?: AbortSignal;
  readonly onShard?: (stats: ShardStats) => void;
  readonly onFailure?: (shard: Shard, error: unknown) => void;
}

/** Milliseconds between two renewals of a claim. */
const RENEW_INTERVAL = 5000;

/**
 * Takes shards from a queue until none is left, and publishes each. A shard is computed as a whole: a worker that is
 * killed leaves nothing of it, and another one computes it again. Returns the number of shards that this worker
 * published.
 * @throws Blip2Error `WRITE_FAILED` if results cannot be written; the signal's reason.
 */
export async function workShards(options: WorkOptions): Promise<number> {
  const { queue, shards, signal } = options;
  const byIndex = new Map(shards.map((shard) => [shard.index, shard]));
  let published = 0;
  for (;;) {
    const claim = await queue.claim(signal);
    if (!claim) return published;
    const shard = byIndex.get(claim.shard);
    if (!shard) {
      await queue.fail(claim, { code: 'INVALID_STATE', message: 'The queue has a shard that the run has not' });
      continue;
    }
    if (await workOne(options, shard, claim)) published++;
  }
}

async function workOne(options: WorkOptions, shard: Shard, claim: Claim): Promise<boolean> {
  const { queue, output, compute, signal, onShard, onFailure } = options;
  const stopping = AbortSignal.any([claim.signal, ...(signal ? [signal] : [])]);
  const renewing = setInterval(() => void queue.renew(claim).catch(() => undefined), RENEW_INTERVAL);
  try {
    const known = await readShardStats(output.folder, shard);
    if (known?.fingerprint === output.fingerprint) {
      await queue.complete(claim);
      return false;
    }
    const stats = await publishShard(output, shard, compute(shard, stopping));
    await queue.complete(claim);
    onShard?.(stats);
    return true;
  } catch (error) {
    if (stopping.aborted) {
      await queue.release(claim);
      signal?.throwIfAborted();
      return false;
    }
    onFailure?.(shard, error);
    await queue.fail(claim, { code: codeOf(error), message: messageOf(error) });
    // A full disk fails every shard: others would only be given up one by one.
    if (error instanceof Blip2Error && error.code === 'WRITE_FAILED') throw error;
    return false;
  } finally {
    clearInterval(renewing);
  }
}

function codeOf(error: unknown): string {
  if (error instanceof Blip2Error) return error.code;
  return isError(error) && 'code' in error && typeof error.code === 'string' ? error.code : 'UNEXPECTED';
}
