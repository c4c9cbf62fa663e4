import type { LogitsProcessor, StoppingCriterion, Streamer } from './generation.ts';
import type { TokenIds } from './tensor.ts';

/** A sequence of ids whose last id gets `bias` added to its score where the ids before it have just been written. */
export type SequenceBias = readonly [ids: TokenIds, bias: number];
/** From `start` new tokens on, the end token's score grows by `factor` to the power of the tokens since. */
export type LengthDecay = readonly [start: number, factor: number];

/**
 * How new tokens are chosen and when to stop. Names and meanings are the reference's, camelCased; absent means the
 * default of `generationOptions`.
 */
export interface GenerationOptions {
  readonly maxNewTokens?: number;
  readonly maxLength?: number;
  readonly minNewTokens?: number;
  readonly minLength?: number;
  readonly maxTime?: number;
  readonly stopStrings?: string | readonly string[];
  readonly stoppingCriteria?: readonly StoppingCriterion[];
  readonly doSample?: boolean;
  readonly seed?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly typicalP?: number;
  readonly epsilonCutoff?: number;
  readonly etaCutoff?: number;
  readonly numBeams?: number;
  readonly numReturnSequences?: number;
  readonly promptLookupNumTokens?: number;
  readonly lengthPenalty?: number;
  readonly earlyStopping?: boolean | 'never';
  readonly repetitionPenalty?: number;
  readonly noRepeatNgramSize?: number;
  readonly badWordsIds?: readonly TokenIds[];
  readonly sequenceBias?: readonly SequenceBias[];
  readonly suppressTokens?: TokenIds;
  readonly beginSuppressTokens?: TokenIds;
  readonly forcedBosTokenId?: number;
  readonly forcedEosTokenId?: number | TokenIds;
  readonly exponentialDecayLengthPenalty?: LengthDecay;
  readonly removeInvalidValues?: boolean;
  readonly renormalizeLogits?: boolean;
  readonly logitsProcessors?: readonly LogitsProcessor[];
  readonly bosTokenId?: number;
  readonly eosTokenId?: number | TokenIds;
  readonly padTokenId?: number;
  readonly decoderStartTokenId?: number;
  readonly returnPrompt?: boolean;
  readonly outputScores?: boolean;
  readonly outputLogits?: boolean;
  readonly interpolatePosEncoding?: boolean;
  readonly streamer?: Streamer;
  readonly signal?: AbortSignal;
}

/**
 * The form of a value. `id`: a token id. `ids`: a list of them. `idOrIds`: either. `idLists`: a list of lists.
 * `biases`: a list of `[ids, bias]`. `decay`: `[start, factor]`. `strings`: one or several. The rest are objects that
 * only code can give.
 */
export type GenerationOptionKind =
  | 'integer'
  | 'number'
  | 'boolean'
  | 'booleanOrNever'
  | 'id'
  | 'ids'
  | 'idOrIds'
  | 'idLists'
  | 'biases'
  | 'decay'
  | 'strings'
  | 'functions'
  | 'streamer'
  | 'signal';

export interface GenerationOption {
  readonly kind: GenerationOptionKind;
  /** Smallest value allowed; `above`: the value itself is not. */
  readonly min?: number;
  readonly above?: number;
  readonly max?: number;
  /** What the reference does if the option is absent; none where that depends on the model or nothing happens. */
  readonly default?: number | boolean;
  /**
   * Without this the option changes nothing: it is no mistake to give it all the same, as presets do. Source:
   * `GenerationConfig.validate`, which warns of these.
   */
  readonly needs?: 'doSample' | 'numBeams';
  readonly description: string;
}

/**
 * Every generation option, once: validation, defaults and the flags of the command line are derived from this table.
 * Defaults are those of transformers 5.18 (`GenerationConfig._get_default_generation_params`). BLIP-2's own evaluation
 * (LAVIS) used
 * `numBeams` 5, `minLength` 8, `maxLength` 30 for captions and `numBeams` 5, `lengthPenalty` -1 for short answers.
 */
export const generationOptions: Readonly<Record<keyof GenerationOptions, GenerationOption>> = {
  maxNewTokens: {
    kind: 'integer',
    min: 1,
    description: 'Most tokens to write; wins over maxLength. Without either: 20.',
  },
  maxLength: {
    kind: 'integer',
    min: 1,
    description:
      'Longest row, in tokens: of a causal model prompt and image positions included, of a seq2seq model with its start token.',
  },
  minNewTokens: {
    kind: 'integer',
    min: 0,
    description: 'Fewest tokens to write before the end token is allowed; wins over minLength.',
  },
  minLength: {
    kind: 'integer',
    min: 0,
    default: 0,
    description: 'Shortest row, in tokens, counted as maxLength counts.',
  },
  maxTime: { kind: 'number', above: 0, description: 'Seconds after which every row stops at its next token.' },
  stopStrings: { kind: 'strings', description: 'Text that ends a row once the new tokens contain it.' },
  stoppingCriteria: { kind: 'functions', description: 'Own functions that end a row, given its new ids.' },
  doSample: {
    kind: 'boolean',
    default: false,
    description: 'Draw tokens at random by their probability instead of taking the best.',
  },
  seed: {
    kind: 'integer',
    min: 0,
    max: 4294967295,
    description: 'Start of the random numbers; the same seed gives the same tokens. Default: a new one each time.',
  },
  temperature: {
    kind: 'number',
    above: 0,
    default: 1,
    needs: 'doSample',
    description: 'Divides the scores when sampling: below 1 bolder, above 1 more even.',
  },
  topK: {
    kind: 'integer',
    min: 0,
    default: 50,
    needs: 'doSample',
    description: 'When sampling, keep the k best tokens; 0 keeps all.',
  },
  topP: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 1,
    needs: 'doSample',
    description: 'When sampling, keep the fewest best tokens whose probability reaches p.',
  },
  minP: {
    kind: 'number',
    min: 0,
    max: 1,
    needs: 'doSample',
    description: 'When sampling, drop tokens less likely than p times the likeliest.',
  },
  typicalP: {
    kind: 'number',
    above: 0,
    max: 1,
    default: 1,
    needs: 'doSample',
    description: 'When sampling, keep the tokens of most typical surprise up to probability p.',
  },
  epsilonCutoff: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0,
    needs: 'doSample',
    description: 'When sampling, drop tokens less likely than this; 0 drops none.',
  },
  etaCutoff: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0,
    needs: 'doSample',
    description: 'When sampling, drop tokens less likely than a threshold that falls with the entropy; 0 drops none.',
  },
  numBeams: {
    kind: 'integer',
    min: 1,
    default: 1,
    description: 'Rows kept alive by beam search; 1 is no beam search.',
  },
  numReturnSequences: {
    kind: 'integer',
    min: 1,
    default: 1,
    description: 'Rows returned for each prompt, best first; needs sampling or as many beams.',
  },
  promptLookupNumTokens: {
    kind: 'integer',
    min: 1,
    description:
      'Guess up to this many tokens at a time from what was said before, and keep those that greedy search would have written: the same tokens, sooner where a text repeats itself. One prompt at a time.',
  },
  lengthPenalty: {
    kind: 'number',
    default: 1,
    needs: 'numBeams',
    description: 'Power of the length that divides the score of a beam: above 0 favours long rows, below 0 short ones.',
  },
  earlyStopping: {
    kind: 'booleanOrNever',
    default: false,
    needs: 'numBeams',
    description:
      'Stop a beam search once numBeams rows ended (true), by a heuristic (false), or only when nothing better is possible ("never").',
  },
  repetitionPenalty: {
    kind: 'number',
    above: 0,
    default: 1,
    description: 'Makes tokens of the row less likely (above 1) or more likely (below 1).',
  },
  noRepeatNgramSize: {
    kind: 'integer',
    min: 0,
    default: 0,
    description: 'Never write a sequence of this many tokens twice in a row; 0 allows all.',
  },
  badWordsIds: { kind: 'idLists', description: 'Sequences of ids that are never completed.' },
  sequenceBias: {
    kind: 'biases',
    description: 'Pairs of a sequence of ids and what is added to the score of its last id.',
  },
  suppressTokens: { kind: 'ids', description: 'Ids that are never written.' },
  beginSuppressTokens: { kind: 'ids', description: 'Ids that are never written first.' },
  forcedBosTokenId: { kind: 'id', description: 'The id that follows the start token of a seq2seq model.' },
  forcedEosTokenId: { kind: 'idOrIds', description: 'The id written as the last one allowed by the length.' },
  exponentialDecayLengthPenalty: {
    kind: 'decay',
    description: 'After `start` new tokens the end token becomes likelier by powers of `factor`.',
  },
  removeInvalidValues: {
    kind: 'boolean',
    default: false,
    description: 'Replace NaN by 0 and infinities by the largest numbers before choosing.',
  },
  renormalizeLogits: {
    kind: 'boolean',
    default: false,
    description: 'Turn the processed scores into log-probabilities again.',
  },
  logitsProcessors: {
    kind: 'functions',
    description: 'Own functions that rewrite scores, after the penalties and before those of sampling.',
  },
  bosTokenId: {
    kind: 'id',
    description: 'The start token; a seq2seq model without decoderStartTokenId begins with it.',
  },
  eosTokenId: { kind: 'idOrIds', description: "The id or ids that end a row. Default: the model's." },
  padTokenId: {
    kind: 'id',
    description: "The id that fills shorter rows. Default: the model's, else its first end token.",
  },
  decoderStartTokenId: { kind: 'id', description: "The id with which a seq2seq decoder begins. Default: the model's." },
  returnPrompt: {
    kind: 'boolean',
    default: false,
    description: 'Return whole rows, prompt first, instead of the new tokens.',
  },
  outputScores: { kind: 'boolean', default: false, description: 'Return the processed scores of every step.' },
  outputLogits: { kind: 'boolean', default: false, description: 'Return the unprocessed scores of every step.' },
  interpolatePosEncoding: {
    kind: 'boolean',
    default: false,
    description: "Accept images of another size than the vision encoder's.",
  },
  streamer: { kind: 'streamer', description: 'Hears every token as it is chosen; not with beams.' },
  signal: { kind: 'signal', description: 'Stops between two tokens.' },
};
