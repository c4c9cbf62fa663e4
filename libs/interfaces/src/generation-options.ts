import type { LogitsProcessor, StoppingCriterion, Streamer } from './generation.ts';
import type { TokenIds } from './tensor.ts';

/** A token sequence and the bias added to the logit of its last token when the tokens before it have been generated. */
export type SequenceBias = readonly [ids: TokenIds, bias: number];
/** After `start` new tokens, the logit of the end token grows by `factor` to the power of the tokens since. */
export type LengthDecay = readonly [start: number, factor: number];

/**
 * How tokens are selected and when generation stops. Names and meanings are those of Hugging Face Transformers (HF), in
 * camel case. Defaults are in `generationOptions`.
 *
 * Written out rather than derived from that table: a mapped type would have neither the member documentation of the API
 * reference nor hints in editors, and the table would have to be published as one literal type. The compiler checks
 * that both have the same names, a test that both have the same descriptions.
 */
export interface GenerationOptions {
  /** Maximum number of new tokens; takes precedence over maxLength. Default: 20 if neither is set. */
  readonly maxNewTokens?: number;
  /**
   * Maximum sequence length in tokens, prompt and image positions (causal models) or start token (seq2seq) included.
   */
  readonly maxLength?: number;
  /** Minimum number of new tokens before an end token is allowed; takes precedence over minLength. */
  readonly minNewTokens?: number;
  /** Minimum sequence length in tokens, counted like maxLength. */
  readonly minLength?: number;
  /** Time limit in seconds; every row ends at its next token after that. */
  readonly maxTime?: number;
  /** Strings that end a row once its new text contains one of them. */
  readonly stopStrings?: string | readonly string[];
  /** Functions that receive the new ids of a row and return true to end it. */
  readonly stoppingCriteria?: readonly StoppingCriterion[];
  /** Sample tokens from the distribution instead of taking the most likely one. */
  readonly doSample?: boolean;
  /** Seed of the random number generator: equal seeds give equal tokens. Default: random. */
  readonly seed?: number;
  /** Divides the logits before sampling: below 1 sharpens the distribution, above 1 flattens it. */
  readonly temperature?: number;
  /** Sample from the k most likely tokens only; 0 keeps all. */
  readonly topK?: number;
  /** Sample from the smallest set of most likely tokens whose probabilities sum to at least p. */
  readonly topP?: number;
  /** When sampling, drop tokens less likely than p times the most likely one. */
  readonly minP?: number;
  /** Sample from the most typical tokens (information content closest to the entropy) up to probability mass p. */
  readonly typicalP?: number;
  /** When sampling, drop tokens with a probability below this; 0 drops none. */
  readonly epsilonCutoff?: number;
  /** When sampling, drop tokens with a probability below a threshold that falls with the entropy; 0 drops none. */
  readonly etaCutoff?: number;
  /** Number of beams; 1 disables beam search. */
  readonly numBeams?: number;
  /** Sequences returned per prompt, best first; more than 1 requires sampling or at least as many beams. */
  readonly numReturnSequences?: number;
  /**
   * Maximum number of draft tokens per step, copied from earlier in the sequence and verified in one forward pass: the
   * output of greedy search in fewer passes if text repeats itself. One prompt at a time.
   */
  readonly promptLookupNumTokens?: number;
  /** Exponent of the length that divides beam scores: above 0 favours long sequences, below 0 short ones. */
  readonly lengthPenalty?: number;
  /**
   * When beam search ends: once numBeams sequences have ended (true), by a heuristic (false), or only when no better
   * sequence is possible ("never").
   */
  readonly earlyStopping?: boolean | 'never';
  /** Makes tokens that are already in the sequence less likely (above 1) or more likely (below 1). */
  readonly repetitionPenalty?: number;
  /** Size of n-grams that may occur only once in a sequence; 0 allows all. */
  readonly noRepeatNgramSize?: number;
  /** Token sequences that are never generated. */
  readonly badWordsIds?: readonly TokenIds[];
  /** Pairs of a token sequence and a bias added to the logit of its last token. */
  readonly sequenceBias?: readonly SequenceBias[];
  /** Token ids that are never generated. */
  readonly suppressTokens?: TokenIds;
  /** Token ids that are never generated first. */
  readonly beginSuppressTokens?: TokenIds;
  /** Token id that is forced after the start token of a seq2seq model. */
  readonly forcedBosTokenId?: number;
  /** Token id or ids that are forced as the last token of a sequence of maximum length. */
  readonly forcedEosTokenId?: number | TokenIds;
  /** After `start` new tokens, make the end token more likely by powers of `factor`. */
  readonly exponentialDecayLengthPenalty?: LengthDecay;
  /** Replace NaN logits by 0 and infinite ones by the largest finite values. */
  readonly removeInvalidValues?: boolean;
  /** Normalise the processed logits to log-probabilities. */
  readonly renormalizeLogits?: boolean;
  /** Custom logits processors, run after the penalties and before the sampling filters. */
  readonly logitsProcessors?: readonly LogitsProcessor[];
  /** Start token id; first decoder token of a seq2seq model without decoderStartTokenId. */
  readonly bosTokenId?: number;
  /** End token id or ids. Default: the model's. */
  readonly eosTokenId?: number | TokenIds;
  /** Token id that pads shorter sequences. Default: the model's, else its first end token. */
  readonly padTokenId?: number;
  /** First token id of a seq2seq decoder. Default: the model's. */
  readonly decoderStartTokenId?: number;
  /** Return the prompt followed by the new tokens instead of the new tokens only. */
  readonly returnPrompt?: boolean;
  /** Return the processed logits of every step. */
  readonly outputScores?: boolean;
  /** Return the unprocessed logits of every step. */
  readonly outputLogits?: boolean;
  /** Accept image sizes other than the vision encoder's by interpolating its position embedding. */
  readonly interpolatePosEncoding?: boolean;
  /** Called with each new token as it is generated. Not supported with beam search. */
  readonly streamer?: Streamer;
  /** Aborts between two tokens. */
  readonly signal?: AbortSignal;
}
