import type { Decoding, TokenIds } from '@blip2/interfaces';

import { isWorkerFailure } from '../images/worker-failure.ts';

/** A prompt after an image that a causal model has prefilled. */
export interface PromptState extends AsyncDisposable {
  /** Ends with the last of the ids that it shares with the prompt. */
  readonly decoding: Decoding;
  /** Number of these ids, fewer than the prompt has. */
  readonly shared: number;
}

/** Positions of prompts about kept images, and how many of them were not prefilled again. */
export interface PromptCounts {
  positions: number;
  reused: number;
}

/** Prompts and answers after the images of a batch, kept so that later ones that begin alike continue them. */
export interface PromptStates extends AsyncDisposable {
  readonly byteLength: number;
  /** Whether any is kept. */
  readonly isEnabled: boolean;
  /** Keeps this many, the most recent ones, and counts what they save. None before. */
  enable(most: number, counts: PromptCounts): void;
  /** A fork of what shares most ids with the prompt after image `row`, if any is shared. */
  find(row: number, ids: TokenIds): Promise<PromptState | undefined>;
  /** Keeps a decoding that has processed image `row` and then `ids`. It belongs to the states from now on. */
  add(row: number, ids: TokenIds, decoding: Decoding): Promise<void>;
}

interface Kept {
  readonly row: number;
  readonly ids: TokenIds;
  readonly decoding: Decoding;
}

/** Creates states that keep nothing yet. */
export function createPromptStates(): PromptStates {
  let kept: readonly Kept[] = [];
  let most = 0;
  let counts: PromptCounts = { positions: 0, reused: 0 };

  async function drop(dropped: readonly Kept[]): Promise<void> {
    kept = kept.filter((state) => !dropped.includes(state));
    for (const { decoding } of dropped) await decoding[Symbol.asyncDispose]();
  }
  return {
    get byteLength() {
      return kept.reduce((sum, { decoding }) => sum + (decoding.byteLength ?? 0), 0);
    },
    get isEnabled() {
      return most > 0;
    },
    enable: (number, shared) => void ([most, counts] = [number, shared]),
    async find(row, ids) {
      counts.positions += ids.length;
      let [best, shared]: [Kept | undefined, number] = [undefined, 0];
      for (const state of kept) {
        // At least one id is prefilled, for its logits.
        const length = state.row === row ? Math.min(sharedLength(state.ids, ids), ids.length - 1) : 0;
        if (length > shared) [best, shared] = [state, length];
      }
      if (!best) return undefined;
      try {
        const decoding = await best.decoding.fork();
        await decoding.crop(decoding.length - (best.ids.length - shared));
        counts.reused += shared;
        return { decoding, shared, [Symbol.asyncDispose]: () => decoding[Symbol.asyncDispose]() };
      } catch (error) {
        if (!isWorkerFailure(error)) throw error;
        // All of them were lost with the worker of the language model.
        kept = [];
        return undefined;
      }
    },
    async add(row, ids, decoding) {
      // What the new one continues is not needed any more.
      const replaced = kept.filter((state) => state.row === row && sharedLength(state.ids, ids) === state.ids.length);
      kept = [...kept, { row, ids, decoding }];
      await drop(replaced);
      await drop(kept.slice(0, Math.max(0, kept.length - most)));
    },
    [Symbol.asyncDispose]: () => drop(kept),
  };
}

/** Number of ids that two lists have in common at their start. */
export function sharedLength(left: TokenIds, right: TokenIds): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) if (left[index] !== right[index]) return index;
  return length;
}
