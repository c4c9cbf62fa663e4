import { appendFile, link, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  isAbandonedLock,
  makeFolder,
  processName,
  removeAbandonedLock,
  startBeat,
  systemCode,
  temporaryName,
  wrapWriteErrors,
} from '@blip2/files';
import { mustBe } from '@blip2/interfaces';

import { shardName } from '../plan/plan-shards.ts';
import type { Claim, QueueStatus, ShardFailure, ShardQueue } from './shard-queue.ts';

/** Options of `openFolderQueue`. */
export interface FolderQueueOptions {
  /** Numbers of the shards, in the order in which they are handed out. */
  readonly shards: readonly number[];
  /** How often a shard is claimed before it is given up, default 5. Workers that are killed count. */
  readonly maxAttempts?: number;
}

const DEFAULT_ATTEMPTS = 5;
/** Milliseconds between two looks at shards that others hold. */
const POLL_INTERVAL = 250;

/**
 * A queue in a folder, for the processes of one machine, or of several that share it. A worker that ended loses its
 * claims: at once on the same machine, after a minute on others.
 * @throws Blip2Error `WRITE_FAILED`; `INVALID_ARGUMENT` for `maxAttempts`.
 */
export async function openFolderQueue(folder: string, options: FolderQueueOptions): Promise<ShardQueue> {
  const { shards, maxAttempts = DEFAULT_ATTEMPTS } = options;
  if (!(Number.isInteger(maxAttempts) && maxAttempts >= 1))
    throw mustBe('maxAttempts', 'a positive integer', maxAttempts);
  await wrapWriteErrors(folder, makeFolder(folder));
  return new FolderQueue(folder, [...shards], maxAttempts);
}

/** What a shard's files in the folder are called. */
type Suffix = 'lease' | 'done' | 'failed' | 'tries';

interface Held {
  readonly stopBeat: () => void;
  readonly lost: AbortController;
}

class FolderQueue implements ShardQueue {
  readonly #folder: string;
  readonly #shards: readonly number[];
  readonly #maxAttempts: number;
  readonly #held = new Map<number, Held>();

  constructor(folder: string, shards: readonly number[], maxAttempts: number) {
    this.#folder = folder;
    this.#shards = shards;
    this.#maxAttempts = maxAttempts;
  }

  async claim(signal?: AbortSignal): Promise<Claim | undefined> {
    for (;;) {
      signal?.throwIfAborted();
      const files = await this.#files();
      const open = this.#shards.filter((shard) => !isOver(files, shard) && !this.#held.has(shard));
      if (open.length === 0 && this.#held.size === 0) return undefined;
      for (const shard of open) {
        if (files.has(fileName(shard, 'lease')) && !(await this.#takeFromDead(shard))) continue;
        const claim = await this.#take(shard);
        if (claim) return claim;
      }
      await sleep(POLL_INTERVAL, undefined, { ...(signal && { signal }) }).catch(() => signal?.throwIfAborted());
    }
  }

  async renew({ shard }: Claim): Promise<void> {
    const owner = await readFile(this.#path(shard, 'lease'), 'utf8').catch(() => '');
    if (owner !== processName) this.#held.get(shard)?.lost.abort(new Error('The claim of the shard was lost'));
  }

  async complete(claim: Claim): Promise<void> {
    await this.#write(claim.shard, 'done', '');
    await this.release(claim, true);
  }

  async fail(claim: Claim, failure: ShardFailure): Promise<void> {
    if (claim.attempt >= this.#maxAttempts) await this.#giveUp(claim.shard, failure);
    await this.release(claim, true);
  }

  async release({ shard }: Claim, isCounted = false): Promise<void> {
    const held = this.#held.get(shard);
    if (!held) return;
    this.#held.delete(shard);
    held.stopBeat();
    if (!isCounted) {
      const tries = await this.#tries(shard);
      await truncate(this.#path(shard, 'tries'), Math.max(0, tries - 1)).catch(() => undefined);
    }
    const path = this.#path(shard, 'lease');
    if ((await readFile(path, 'utf8').catch(() => '')) === processName) await rm(path, { force: true });
  }

  async status(): Promise<QueueStatus> {
    const files = await this.#files();
    const having = (suffix: Suffix): number[] => this.#shards.filter((shard) => files.has(fileName(shard, suffix)));
    const done = having('done');
    const failed = await Promise.all(
      having('failed').map(async (shard) => ({ shard, ...(await this.#failure(shard)) })),
    );
    const claimed = having('lease').filter((shard) => !isOver(files, shard));
    return { total: this.#shards.length, done: done.length, claimed: claimed.length, failed };
  }

  async retryFailed(): Promise<number> {
    const files = await this.#files();
    const failed = this.#shards.filter((shard) => files.has(fileName(shard, 'failed')));
    for (const shard of failed) {
      await rm(this.#path(shard, 'tries'), { force: true });
      await rm(this.#path(shard, 'failed'), { force: true });
    }
    return failed.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const shard of [...this.#held.keys()])
      await this.release({ shard, attempt: 0, signal: new AbortController().signal });
  }

  /** Removes the claim of a worker that ended. */
  async #takeFromDead(shard: number): Promise<boolean> {
    const path = this.#path(shard, 'lease');
    if (!(await isAbandonedLock(path))) return false;
    await removeAbandonedLock(path);
    return true;
  }

  async #take(shard: number): Promise<Claim | undefined> {
    const path = this.#path(shard, 'lease');
    // A lease has its owner from the first moment: an empty one would count as left by nobody.
    const own = temporaryName(path);
    await wrapWriteErrors(path, writeFile(own, processName, { flag: 'wx' }));
    try {
      await link(own, path);
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return undefined;
      await wrapWriteErrors(path, Promise.reject(error));
    } finally {
      await rm(own, { force: true });
    }
    // Another worker may have finished it since the folder was read.
    const files = await this.#files();
    const held: Held = { stopBeat: startBeat(path), lost: new AbortController() };
    this.#held.set(shard, held);
    const claim = { shard, attempt: (await this.#tries(shard)) + 1, signal: held.lost.signal };
    if (isOver(files, shard)) {
      await this.release(claim, true);
      return undefined;
    }
    await wrapWriteErrors(path, appendFile(this.#path(shard, 'tries'), '.'));
    if (claim.attempt <= this.#maxAttempts) return claim;
    await this.#giveUp(shard, {
      code: 'WORKER_FAILED',
      message: `The workers ended in each of ${this.#maxAttempts} attempts`,
    });
    await this.release(claim, true);
    return undefined;
  }

  async #giveUp(shard: number, failure: ShardFailure): Promise<void> {
    await this.#write(shard, 'failed', `${JSON.stringify(failure)}\n`);
  }

  async #failure(shard: number): Promise<ShardFailure> {
    const text = await readFile(this.#path(shard, 'failed'), 'utf8').catch(() => '');
    try {
      return JSON.parse(text) as ShardFailure;
    } catch {
      return { code: 'UNEXPECTED', message: 'The reason cannot be read' };
    }
  }

  async #tries(shard: number): Promise<number> {
    return stat(this.#path(shard, 'tries')).then(
      ({ size }) => size,
      () => 0,
    );
  }

  async #files(): Promise<ReadonlySet<string>> {
    return new Set(await wrapWriteErrors(this.#folder, readdir(this.#folder)));
  }

  async #write(shard: number, suffix: Suffix, text: string): Promise<void> {
    await wrapWriteErrors(this.#path(shard, suffix), writeFile(this.#path(shard, suffix), text));
  }

  #path(shard: number, suffix: Suffix): string {
    return join(this.#folder, fileName(shard, suffix));
  }
}

function fileName(shard: number, suffix: Suffix): string {
  return `${shardName(shard)}.${suffix}`;
}

function isOver(files: ReadonlySet<string>, shard: number): boolean {
  return files.has(fileName(shard, 'done')) || files.has(fileName(shard, 'failed'));
}
