import type { GenerationOption } from './generation-option.ts';
import type { GenerationOptions } from './generation-options.ts';

/**
 * Limits far above use. Beyond them, a typing error would fill the memory with key-value caches, or never end: T5 has
 * no limit of positions.
 */
const MAX_TOKENS = 100_000;
const MAX_BEAMS = 256;
const MAX_SEQUENCES = 1024;

/**
 * All generation options. Validation, defaults, command-line flags and their help are derived from this table. Defaults
 * are those of Hugging Face Transformers 5.18 (`GenerationConfig._get_default_generation_params`). The BLIP-2 paper's
 * evaluation (LAVIS) uses `numBeams` 5, `minLength` 8, `maxLength` 30 for captions and `numBeams` 5, `lengthPenalty` -1
 * for short answers.
 */
export const generationOptions: Readonly<Record<keyof GenerationOptions, GenerationOption>> = {
  maxNewTokens: {
    kind: 'integer',
    min: 1,
    max: MAX_TOKENS,
    description: 'Maximum number of new tokens; takes precedence over maxLength. Default: 20 if neither is set.',
  },
  maxLength: {
    kind: 'integer',
    min: 1,
    max: MAX_TOKENS,
    description:
      'Maximum sequence length in tokens, prompt and image positions (causal models) or start token (seq2seq) ' +
      'included.',
  },
  minNewTokens: {
    kind: 'integer',
    min: 0,
    max: MAX_TOKENS,
    description: 'Minimum number of new tokens before an end token is allowed; takes precedence over minLength.',
  },
  minLength: {
    kind: 'integer',
    min: 0,
    max: MAX_TOKENS,
    default: 0,
    description: 'Minimum sequence length in tokens, counted like maxLength.',
  },
  maxTime: {
    kind: 'number',
    above: 0,
    description: 'Time limit in seconds; every row ends at its next token after that.',
  },
  stopStrings: { kind: 'strings', description: 'Strings that end a row once its new text contains one of them.' },
  stoppingCriteria: {
    kind: 'functions',
    description: 'Functions that receive the new ids of a row and return true to end it.',
  },
  doSample: {
    kind: 'boolean',
    default: false,
    description: 'Sample tokens from the distribution instead of taking the most likely one.',
  },
  seed: {
    kind: 'integer',
    min: 0,
    max: 4294967295,
    description: 'Seed of the random number generator: equal seeds give equal tokens. Default: random.',
  },
  temperature: {
    kind: 'number',
    above: 0,
    default: 1,
    needs: 'doSample',
    description: 'Divides the logits before sampling: below 1 sharpens the distribution, above 1 flattens it.',
  },
  topK: {
    kind: 'integer',
    min: 0,
    default: 50,
    needs: 'doSample',
    description: 'Sample from the k most likely tokens only; 0 keeps all.',
  },
  topP: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 1,
    needs: 'doSample',
    description: 'Sample from the smallest set of most likely tokens whose probabilities sum to at least p.',
  },
  minP: {
    kind: 'number',
    min: 0,
    max: 1,
    needs: 'doSample',
    description: 'When sampling, drop tokens less likely than p times the most likely one.',
  },
  typicalP: {
    kind: 'number',
    above: 0,
    max: 1,
    default: 1,
    needs: 'doSample',
    description:
      'Sample from the most typical tokens (information content closest to the entropy) up to probability mass p.',
  },
  epsilonCutoff: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0,
    needs: 'doSample',
    description: 'When sampling, drop tokens with a probability below this; 0 drops none.',
  },
  etaCutoff: {
    kind: 'number',
    min: 0,
    max: 1,
    default: 0,
    needs: 'doSample',
    description:
      'When sampling, drop tokens with a probability below a threshold that falls with the entropy; 0 drops none.',
  },
  numBeams: {
    kind: 'integer',
    min: 1,
    max: MAX_BEAMS,
    default: 1,
    description: 'Number of beams; 1 disables beam search.',
  },
  numReturnSequences: {
    kind: 'integer',
    min: 1,
    max: MAX_SEQUENCES,
    default: 1,
    description: 'Sequences returned per prompt, best first; more than 1 requires sampling or at least as many beams.',
  },
  promptLookupNumTokens: {
    kind: 'integer',
    min: 1,
    description:
      'Maximum number of draft tokens per step, copied from earlier in the sequence and verified in one ' +
      'forward pass: the output of greedy search in fewer passes if text repeats itself. One prompt at a time.',
  },
  lengthPenalty: {
    kind: 'number',
    default: 1,
    needs: 'numBeams',
    description: 'Exponent of the length that divides beam scores: above 0 favours long sequences, below 0 short ones.',
  },
  earlyStopping: {
    kind: 'booleanOrNever',
    default: false,
    needs: 'numBeams',
    description:
      'When beam search ends: once numBeams sequences have ended (true), by a heuristic (false), or only when ' +
      'no better sequence is possible ("never").',
  },
  repetitionPenalty: {
    kind: 'number',
    above: 0,
    default: 1,
    description: 'Makes tokens that are already in the sequence less likely (above 1) or more likely (below 1).',
  },
  noRepeatNgramSize: {
    kind: 'integer',
    min: 0,
    default: 0,
    description: 'Size of n-grams that may occur only once in a sequence; 0 allows all.',
  },
  badWordsIds: { kind: 'idLists', description: 'Token sequences that are never generated.' },
  sequenceBias: {
    kind: 'biases',
    description: 'Pairs of a token sequence and a bias added to the logit of its last token.',
  },
  suppressTokens: { kind: 'ids', description: 'Token ids that are never generated.' },
  beginSuppressTokens: { kind: 'ids', description: 'Token ids that are never generated first.' },
  forcedBosTokenId: { kind: 'id', description: 'Token id that is forced after the start token of a seq2seq model.' },
  forcedEosTokenId: {
    kind: 'idOrIds',
    description: 'Token id or ids that are forced as the last token of a sequence of maximum length.',
  },
  exponentialDecayLengthPenalty: {
    kind: 'decay',
    description: 'After `start` new tokens, make the end token more likely by powers of `factor`.',
  },
  removeInvalidValues: {
    kind: 'boolean',
    default: false,
    description: 'Replace NaN logits by 0 and infinite ones by the largest finite values.',
  },
  renormalizeLogits: {
    kind: 'boolean',
    default: false,
    description: 'Normalise the processed logits to log-probabilities.',
  },
  logitsProcessors: {
    kind: 'functions',
    description: 'Custom logits processors, run after the penalties and before the sampling filters.',
  },
  bosTokenId: {
    kind: 'id',
    description: 'Start token id; first decoder token of a seq2seq model without decoderStartTokenId.',
  },
  eosTokenId: { kind: 'idOrIds', description: "End token id or ids. Default: the model's." },
  padTokenId: {
    kind: 'id',
    description: "Token id that pads shorter sequences. Default: the model's, else its first end token.",
  },
  decoderStartTokenId: { kind: 'id', description: "First token id of a seq2seq decoder. Default: the model's." },
  returnPrompt: {
    kind: 'boolean',
    default: false,
    description: 'Return the prompt followed by the new tokens instead of the new tokens only.',
  },
  outputScores: { kind: 'boolean', default: false, description: 'Return the processed logits of every step.' },
  outputLogits: { kind: 'boolean', default: false, description: 'Return the unprocessed logits of every step.' },
  interpolatePosEncoding: {
    kind: 'boolean',
    default: false,
    description: "Accept image sizes other than the vision encoder's by interpolating its position embedding.",
  },
  streamer: {
    kind: 'streamer',
    description: 'Called with each new token as it is generated. Not supported with beam search.',
  },
  signal: { kind: 'signal', description: 'Aborts between two tokens.' },
};
