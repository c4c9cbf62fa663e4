import { generateSteps, runAhead } from '@blip2/generate';
import type { Decoding, TokenIds } from '@blip2/interfaces';

import { sharedLength } from '../../batching/prompt-states.ts';
import { type EncodedBatch, forkPrefix } from '../../images/encoded-image.ts';
import type { ImageTools } from '../../images/task-images.ts';
import { isWorkerFailure } from '../../images/worker-failure.ts';
import { buildFrom } from '../../lifetime/disposal-stack.ts';
import { expectKnownTokens } from '../../pipeline/known-tokens.ts';
import { DEFAULT_NEW_TOKENS, splitOptions } from '../split-options.ts';
import { resultsOf, type StartGeneration, type TaskGeneration, textDecoder } from '../task-generation.ts';
import type { TaskOptions } from '../task-options.ts';
import { imageIds } from '../task-prompt.ts';

/** The key-value cache of a conversation with a causal model: one decoding for all its prompts. */
export interface ConversationCache extends AsyncDisposable {
  /** Starts the generation of an answer to a prompt. Only the part that is not in the cache yet is prefilled. */
  start(prompt: string, options: TaskOptions, enter: ImageTools['enter']): StartGeneration;
}

/** The cache of a conversation about row `row` of the images that `readPrefix` has prefilled. */
export function createConversationCache(
  { pipeline: { language }, processor, isBatched = false }: ImageTools,
  row: number,
  readPrefix: EncodedBatch['readPrefix'],
): ConversationCache {
  const decode = textDecoder(processor);
  let queries = 0;
  let decoding: Decoding | undefined;
  /** The ids after the image that are in the cache. */
  let cachedIds: TokenIds = [];

  /** Prefills `ids`, reusing the prefix that they share with the cache. */
  async function prefill(ids: TokenIds): Promise<Decoding> {
    try {
      return await extendCache(ids);
    } catch (error) {
      if (!decoding || !isWorkerFailure(error)) throw error;
      // The cache was lost with the worker of the language model.
      decoding = undefined;
      return extendCache(ids);
    }
  }

  async function extendCache(ids: TokenIds): Promise<Decoding> {
    if (decoding) {
      // At least one id is prefilled, for its logits.
      const shared = Math.min(sharedLength(cachedIds, ids), ids.length - 1);
      cachedIds = cachedIds.slice(0, shared);
      if (queries + shared < decoding.length) await decoding.crop(queries + shared);
      await decoding.extend({ ids: [ids.slice(shared)] });
    } else {
      const fork = await forkPrefix(readPrefix);
      queries = fork.length;
      decoding = await extendRow(fork, row, ids);
    }
    cachedIds = ids;
    return decoding;
  }

  return {
    start: (prompt, options, enter) => async (resources) => {
      const { generation, onToken } = splitOptions(options);
      options.signal?.throwIfAborted();
      const begin = performance.now();
      const ids = processor.tokenizer.encode(prompt, { escapeSpecialTokens: true });
      expectKnownTokens([ids], language.vocabularySize);
      const preprocess = performance.now() - begin;
      await enter?.();
      const startedAt = performance.now();
      const cache = await prefill(ids);
      // A beam search would leave the cache with several rows.
      const branch = (generation.numBeams ?? 1) > 1 ? resources.use(await cache.fork()) : undefined;
      const steps = generateSteps(
        language,
        { decoding: branch ?? cache, promptIds: [[...imageIds(processor), ...ids]] },
        generation,
        { decode, defaultNewTokens: DEFAULT_NEW_TOKENS },
      );
      const started: TaskGeneration = {
        generation: isBatched ? runAhead(steps) : steps,
        before: { preprocess, encode: 0 },
        startedAt,
        onToken,
      };
      if (!branch)
        resources.defer(() => {
          // The last token is never fed back. Its position may hold a rejected guess of prompt lookup instead.
          const answerIds = resultsOf(started, decode)[0]?.tokenIds.slice(0, -1) ?? [];
          cachedIds = [...ids, ...answerIds].slice(0, cache.length - queries);
        });
      return started;
    },
    [Symbol.asyncDispose]: async () => decoding?.[Symbol.asyncDispose](),
  };
}

/** A decoding of row `row` of the prefix followed by `ids`. */
async function extendRow(fork: Decoding, row: number, ids: TokenIds): Promise<Decoding> {
  return buildFrom(fork, async (decoding) => {
    await decoding.extend({ ids: [ids], parents: [row] });
    return decoding;
  });
}
