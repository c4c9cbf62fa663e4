import {
  Blip2Error,
  type LanguageModel,
  type Prompt,
  type SpecialTokens,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';

import { fakeDecoding, type FakeHistory } from './fake-decoding.ts';
import { digest, pseudoRandom } from './pseudo-random.ts';

/** Options of `fakeLanguageModel`. */
export interface FakeLanguageModelOptions {
  readonly architecture?: 'causal' | 'seq2seq';
  readonly vocabularySize?: number;
  readonly embeddingSize?: number;
  readonly maxPositions?: number;
  readonly specialTokens?: SpecialTokens;
  /**
   * Computes the next-token logits. `history`: embeddings of the prompt and the new tokens (causal) or of the decoder's
   * tokens (seq2seq); `encoded`: embeddings of the prompt (seq2seq). Padding is omitted. The first component of an
   * embedding is the token id. Default: pseudo-random numbers in [-3, 3) that depend on all embeddings.
   */
  readonly score?: (history: readonly Float32Array[], encoded: readonly Float32Array[]) => ArrayLike<number>;
}

/** Range of the default logits. */
const LOGIT_RANGE = 3;

/** Creates a small deterministic language model whose logits depend on all tokens except padding. */
export function fakeLanguageModel(options: FakeLanguageModelOptions = {}): LanguageModel {
  const { architecture = 'causal', vocabularySize = 40, embeddingSize = 4, maxPositions = Infinity } = options;
  const { specialTokens = { bosTokenId: 0, eosTokenId: 2, padTokenId: 1, decoderStartTokenId: 0 } } = options;
  const score = options.score ?? pseudoRandomLogits(vocabularySize);
  const embedId = (id: number): Float32Array =>
    Float32Array.from({ length: embeddingSize }, (_, axis) => (axis === 0 ? id : pseudoRandom(id, axis)));
  let isDisposed = false;
  const requireAlive = (): void => {
    if (isDisposed) throw new Blip2Error('DISPOSED', 'This language model has been disposed of');
  };
  return {
    architecture,
    embeddingSize,
    vocabularySize,
    maxPositions,
    specialTokens,
    async embed(inputIds) {
      requireAlive();
      return embedRows(inputIds, embeddingSize, embedId);
    },
    async start(prompt) {
      requireAlive();
      const read = readPrompt(prompt);
      const rows =
        architecture === 'causal'
          ? read.map((history) => ({ history, score: (row: FakeHistory) => score(present(row), []) }))
          : read.map((encoded, row) => ({
              history: decoderStart(prompt, specialTokens, row).map(embedId),
              score: (decoded: FakeHistory) => score(present(decoded), present(encoded)),
            }));
      return fakeDecoding({ vocabularySize, maxPositions, embed: embedId, rows });
    },
    async [Symbol.asyncDispose]() {
      isDisposed = true;
    },
  };
}

function pseudoRandomLogits(vocabularySize: number): NonNullable<FakeLanguageModelOptions['score']> {
  return (history, encoded) => {
    const state = [...encoded, new Float32Array(1), ...history].reduce(
      (digested, vector) => digest(vector, digested),
      0,
    );
    return Float32Array.from({ length: vocabularySize }, (_, id) => LOGIT_RANGE * pseudoRandom(state, id));
  };
}

function embedRows(
  inputIds: readonly TokenIds[],
  width: number,
  embedId: (id: number) => Float32Array,
): TokenEmbeddings {
  const positions = inputIds[0]?.length ?? 0;
  if (inputIds.some((ids) => ids.length !== positions))
    throw new Blip2Error('SHAPE_MISMATCH', 'Rows of token ids must have equal lengths');
  const data = new Float32Array(inputIds.length * positions * width);
  inputIds.flat().forEach((id, index) => data.set(embedId(id), index * width));
  return { type: 'float32', dims: [inputIds.length, positions, width], data };
}

function readPrompt({
  inputsEmbeds: {
    dims: [rows, positions, width],
    data,
  },
  attentionMask,
}: Prompt): FakeHistory[] {
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: positions }, (_, position) => {
      const start = (row * positions + position) * width;
      return attentionMask[row]?.[position] ? data.slice(start, start + width) : undefined;
    }),
  );
}

function present(history: FakeHistory): Float32Array[] {
  return history.filter((vector) => vector !== undefined);
}

function decoderStart(
  { decoderInputIds }: Prompt,
  { decoderStartTokenId, bosTokenId }: SpecialTokens,
  row: number,
): TokenIds {
  const start = decoderInputIds?.[row] ?? [decoderStartTokenId ?? bosTokenId].filter((id) => id !== undefined);
  if (start.length === 0) throw new Blip2Error('INVALID_ARGUMENT', 'The decoder has no start token');
  return start;
}
