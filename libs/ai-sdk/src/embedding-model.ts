import type { EmbeddingModelV3, EmbeddingModelV3Result, SharedV3ProviderOptions } from '@ai-sdk/provider';
import { type Blip2Retrieval, meanVector } from '@blip2/blip2';
import { defined, mustBe } from '@blip2/interfaces';

import { PROVIDER } from './language-model.ts';

/** Options of an embedding model. */
export interface EmbeddingModelOptions {
  /** Name in results and logs. */
  readonly modelId: string;
  /** Called at the first use, and at each later one: return the same tasks. */
  readonly load: () => Promise<Blip2Retrieval> | Blip2Retrieval;
}

/** Values of one call: the AI SDK splits longer lists. */
const MAX_VALUES = 64;

/**
 * The features of a retrieval checkpoint as an embedding model of the AI SDK: vectors of length 1. Values are texts;
 * with the provider option `input: 'image'` they are images as `data:` URLs, in the same space.
 */
export function createEmbeddingModel({ modelId, load }: EmbeddingModelOptions): EmbeddingModelV3 {
  return {
    specificationVersion: 'v3',
    provider: PROVIDER,
    modelId,
    maxEmbeddingsPerCall: MAX_VALUES,
    // One model, one call at a time.
    supportsParallelCalls: false,
    async doEmbed({ values, abortSignal: signal, providerOptions }): Promise<EmbeddingModelV3Result> {
      const isImage = inputOf(providerOptions) === 'image';
      if (isImage) for (const value of values) expectDataUrl(value);
      signal?.throwIfAborted();
      const retrieval = await load();
      const options = defined({ signal });
      const vectors = isImage
        ? (await retrieval.embed({ images: values }, options)).map(meanVector)
        : (await retrieval.embed({ text: values }, options)).map(({ data }) => data);
      const { tokenizer } = retrieval.processor;
      const count = (text: string): number => tokenizer.encode(text, { escapeSpecialTokens: true }).length;
      return {
        embeddings: vectors.map((vector) => [...vector]),
        usage: { tokens: isImage ? 0 : values.reduce((sum, text) => sum + count(text), 0) },
        warnings: [],
      };
    },
  };
}

function inputOf(options: SharedV3ProviderOptions | undefined): 'text' | 'image' {
  const { input = 'text' } = options?.[PROVIDER] ?? {};
  if (input === 'text' || input === 'image') return input;
  throw mustBe(`providerOptions.${PROVIDER}.input`, "'text' or 'image'", input);
}

/** A path would be read. */
function expectDataUrl(value: string): void {
  if (!value.startsWith('data:')) throw mustBe('values', 'data: URLs of images', value);
}
