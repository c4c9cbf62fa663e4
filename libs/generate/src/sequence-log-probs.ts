import {
  type Decoding,
  expectKnownOptions,
  type LanguageModel,
  type Logits,
  mustBe,
  type TokenIds,
} from '@blip2/interfaces';

import { type GenerationPrompt, resolvePrompt } from './generation-prompt.ts';
import { logSumExp } from './numeric/softmax.ts';
import { notFinite } from './strategies/not-finite.ts';

/** Log-probabilities (natural) of one candidate sequence after a prompt. */
export interface SequenceLogProbs {
  /** One per id of the candidate, conditioned on the prompt and the ids before it. */
  readonly tokenLogProbs: readonly number[];
  /** Log-probability of the whole candidate; 0 if it is empty. */
  readonly sum: number;
}

/** Options of `sequenceLogProbs`. */
export interface SequenceLogProbsOptions {
  /** Aborts before the prefill and between two batches of candidates. */
  readonly signal?: AbortSignal;
}

/** Maximum number of logits per batch of candidates: 64 MiB of float32. */
const MAX_LOGITS = 2 ** 24;

/**
 * Scores candidate sequences by teacher forcing: the log-softmax of the logits at every id of every candidate. Returns
 * one list per row of the prompt, with one entry per candidate. The prefill runs once; candidates share its cache and
 * are decoded in parallel. A seq2seq decoder receives its start token, then the candidate. No end token is added:
 * append it to a candidate to include it in the score. An abort throws the signal's reason.
 * @throws Blip2Error `INVALID_ARGUMENT` for ids that are not in the vocabulary and for a decoder without start token;
 * `SHAPE_MISMATCH` if `promptIds` do not match the prompt; `SEQUENCE_TOO_LONG` if prompt and candidate have more
 * positions than the model; `NOT_FINITE` if its logits are NaN or infinite.
 */
export async function sequenceLogProbs(
  model: LanguageModel,
  prompt: GenerationPrompt,
  candidates: readonly TokenIds[],
  options: SequenceLogProbsOptions = {},
): Promise<SequenceLogProbs[][]> {
  expectKnownOptions('sequenceLogProbs', options, ['signal']);
  const { signal } = options;
  checkCandidates(candidates, model.vocabularySize);
  signal?.throwIfAborted();
  const { open, rows } = resolvePrompt(model, prompt, model.specialTokens);
  const { decoding, owned } = await open();
  try {
    const longest = Math.max(1, ...candidates.map((ids) => ids.length - 1));
    const perBatch = Math.max(1, Math.floor(MAX_LOGITS / (longest * model.vocabularySize)));
    const pairs = Array.from({ length: rows }, (_, row) => candidates.map((ids) => ({ row, ids }))).flat();
    const results: SequenceLogProbs[] = [];
    for (let start = 0; start < pairs.length; start += perBatch) {
      signal?.throwIfAborted();
      results.push(...(await scorePairs(decoding, pairs.slice(start, start + perBatch))));
    }
    return Array.from({ length: rows }, (_, row) =>
      results.slice(row * candidates.length, (row + 1) * candidates.length),
    );
  } finally {
    if (owned) await decoding[Symbol.asyncDispose]();
  }
}

interface Pair {
  /** Index of the prompt's row. */
  readonly row: number;
  readonly ids: TokenIds;
}

async function scorePairs(decoding: Decoding, pairs: readonly Pair[]): Promise<SequenceLogProbs[]> {
  const first = decoding.logits;
  const steps = Math.max(0, ...pairs.map(({ ids }) => ids.length - 1));
  const rest = steps > 0 ? await decodeAll(decoding, pairs, steps) : undefined;
  return pairs.map(({ row, ids }, index) => {
    const tokenLogProbs = ids.map((id, position) =>
      position === 0 || !rest ? logProbAt(first, row, 0, id) : logProbAt(rest, index, position - 1, id),
    );
    return { tokenLogProbs, sum: tokenLogProbs.reduce((sum, logProb) => sum + logProb, 0) };
  });
}

/**
 * Logits after each of the first `steps` ids of every pair. Shorter ones are padded on the right, which has no effect.
 */
async function decodeAll(decoding: Decoding, pairs: readonly Pair[], steps: number): Promise<Logits> {
  const branch = await decoding.fork();
  try {
    const ids = pairs.map((pair) => Array.from({ length: steps }, (_, position) => pair.ids[position] ?? 0));
    return await branch.extend({ ids, parents: pairs.map(({ row }) => row), logits: 'all' });
  } finally {
    await branch[Symbol.asyncDispose]();
  }
}

function logProbAt(
  { dims: [, positions, vocabulary], data }: Logits,
  row: number,
  position: number,
  id: number,
): number {
  const start = (row * positions + position) * vocabulary;
  const logits = data.subarray(start, start + vocabulary);
  const logProb = (logits[id] ?? 0) - logSumExp(logits);
  // Any NaN, and an infinite logit of this id or above all others. Others of -Infinity are suppressed tokens.
  if (!Number.isFinite(logProb)) throw notFinite(NaN);
  return logProb;
}

function checkCandidates(candidates: readonly TokenIds[], vocabularySize: number): void {
  if (!Array.isArray(candidates) || !candidates.every((ids) => Array.isArray(ids) || ArrayBuffer.isView(ids)))
    throw mustBe('candidates', 'a list of lists of token ids', candidates);
  const wrong = candidates.flat().find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
  if (wrong === undefined) return;
  throw mustBe('candidates', `lists of token ids from 0 to ${vocabularySize - 1}`, wrong);
}
