import type { FinishReason, GenerateOutput } from '@blip2/generate';
import type { TokenIds } from '@blip2/interfaces';

/** Time that the batch of a result took, in milliseconds per stage. */
export interface Timings {
  /** Image decoding, resizing and tokenization. */
  readonly preprocess: number;
  /** Vision encoder, Q-Former and projection; 0 for images that were encoded before. */
  readonly encode: number;
  /** Prefill and token generation. */
  readonly generate: number;
}

/** One generated text about one image. */
export interface TextResult {
  /** Decoded without special tokens, trimmed. Empty if the first token ended it: `finishReason` is then `eos`. */
  readonly text: string;
  /** The new tokens including the end token, if there was one, without padding. */
  readonly tokenIds: readonly number[];
  /** Sum of the natural log-probabilities of these tokens; with beam search, the score of the sequence. */
  readonly score: number;
  /** Why generation ended: end token, length limit, stop string or criterion, `maxTime`, or an abort. */
  readonly finishReason: FinishReason;
  /** Of the whole batch, in milliseconds. */
  readonly timings: Timings;
}

/** The output of `generate` as texts, one per row. */
export function textResults(
  { sequences, tokenLogProbs, sequencesScores, finishReasons }: GenerateOutput,
  decode: (ids: TokenIds) => string,
  timings: Timings,
): TextResult[] {
  return sequences.map((ids, row) => {
    const logProbs = tokenLogProbs[row] ?? [];
    const tokenIds = ids.slice(0, logProbs.length);
    return {
      text: decode(tokenIds).trim(),
      tokenIds,
      score: sequencesScores?.[row] ?? logProbs.reduce((sum, logProb) => sum + logProb, 0),
      finishReason: finishReasons[row] ?? 'aborted',
      timings,
    };
  });
}
