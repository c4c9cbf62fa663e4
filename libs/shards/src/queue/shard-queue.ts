/** A shard that a worker holds. */
export interface Claim {
  /** Number of the shard. */
  readonly shard: number;
  /** How often it was claimed, with this time. */
  readonly attempt: number;
  /** Is aborted when the claim was lost to another worker. */
  readonly signal: AbortSignal;
}

/** Why a shard failed. */
export interface ShardFailure {
  /** A code of `Blip2Error`, or of the system. */
  readonly code: string;
  readonly message: string;
}

/** Progress of a run. */
export interface QueueStatus {
  readonly total: number;
  readonly done: number;
  /** Held by workers. */
  readonly claimed: number;
  /** Given up, with the reason of each. */
  readonly failed: readonly (ShardFailure & { readonly shard: number })[];
}

/**
 * Hands shards to workers. A shard can be held by two workers for a moment, when one of them is believed dead: results
 * are published so that the first one counts.
 */
export interface ShardQueue extends AsyncDisposable {
  /**
   * The next shard, in order; waits while all that are left are held by others. `undefined` once all are done or given
   * up.
   * @throws the signal's reason.
   */
  claim(signal?: AbortSignal): Promise<Claim | undefined>;
  /** Tells that the worker is alive. */
  renew(claim: Claim): Promise<void>;
  complete(claim: Claim): Promise<void>;
  /** Hands a shard back. It is tried again, by any worker, up to the maximum of attempts; then it is given up. */
  fail(claim: Claim, failure: ShardFailure): Promise<void>;
  /** Hands a shard back that did not fail: the attempt does not count. */
  release(claim: Claim): Promise<void>;
  status(): Promise<QueueStatus>;
  /** Tries the shards again that were given up. Returns how many there are. */
  retryFailed(): Promise<number>;
}
