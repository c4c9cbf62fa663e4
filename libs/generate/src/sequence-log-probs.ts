import { Blip2Error, type Decoding, type LanguageModel, type Logits, type TokenIds } from '@blip2/interfaces';

import { type GenerationPrompt, resolvePrompt } from './generation-prompt.ts';
import { logSumExp } from './numeric/softmax.ts';

/** How likely a language model finds one candidate after a prompt, in natural logarithms. */
export interface SequenceLogProbs {
  /** One for each id of the candidate, given the prompt and the ids before it. */
  readonly tokenLogProbs: readonly number[];
  /** Of all of them: the logarithm of the probability of the whole; 0 without ids. */
  readonly sum: number;
}

/** What stops the scoring. */
export interface SequenceLogProbsOptions {
  /** Stops before the prompt is read and between two turns of candidates. */
  readonly signal?: AbortSignal;
}

/** Scores held at once: 64 MiB of float32. More candidates are read in several turns. */
const LARGEST_LOGITS = 2 ** 24;

/**
 * Teacher forcing: the log-softmax of the scores at every id of every candidate, as if the model had written it after
 * the prompt.
 * Result: for each row of the prompt, one entry for each candidate. The prompt is read once; candidates share its cache
 * and are read in parallel.
 * A seq2seq decoder sees its start token, then the candidate. An abort throws the signal's reason. No end token is
 * added: give it as the last id to score it.
 * @throws Blip2Error `INVALID_ARGUMENT` for ids beyond the vocabulary, or a decoder without start token;
 * `SHAPE_MISMATCH` if `promptIds` do not fit the
 * prompt; `SEQUENCE_TOO_LONG` if prompt and candidate have more positions than the model.
 */
export async function sequenceLogProbs(
  model: LanguageModel,
  prompt: GenerationPrompt,
  candidates: readonly TokenIds[],
  { signal }: SequenceLogProbsOptions = {},
): Promise<SequenceLogProbs[][]> {
  checkCandidates(candidates, model.vocabularySize);
  signal?.throwIfAborted();
  const { open, rows } = resolvePrompt(model, prompt, model.specialTokens);
  const { decoding, owned } = await open();
  try {
    const longest = Math.max(1, ...candidates.map((ids) => ids.length - 1));
    const perTurn = Math.max(1, Math.floor(LARGEST_LOGITS / (longest * model.vocabularySize)));
    const pairs = Array.from({ length: rows }, (_, row) => candidates.map((ids) => ({ row, ids }))).flat();
    const results: SequenceLogProbs[] = [];
    for (let start = 0; start < pairs.length; start += perTurn) {
      signal?.throwIfAborted();
      results.push(...(await scorePairs(decoding, pairs.slice(start, start + perTurn))));
    }
    return Array.from({ length: rows }, (_, row) =>
      results.slice(row * candidates.length, (row + 1) * candidates.length),
    );
  } finally {
    if (owned) await decoding[Symbol.asyncDispose]();
  }
}

interface Pair {
  /** Row of the prompt. */
  readonly row: number;
  readonly ids: TokenIds;
}

async function scorePairs(decoding: Decoding, pairs: readonly Pair[]): Promise<SequenceLogProbs[]> {
  const first = decoding.logits;
  const steps = Math.max(0, ...pairs.map(({ ids }) => ids.length - 1));
  const rest = steps > 0 ? await readAll(decoding, pairs, steps) : undefined;
  return pairs.map(({ row, ids }, index) => {
    const tokenLogProbs = ids.map((id, position) =>
      position === 0 || !rest ? logProbAt(first, row, 0, id) : logProbAt(rest, index, position - 1, id),
    );
    return { tokenLogProbs, sum: tokenLogProbs.reduce((sum, logProb) => sum + logProb, 0) };
  });
}

/**
 * Scores after each of the first `steps` ids of every pair. What fills shorter ones comes after them, so it changes
 * nothing.
 */
async function readAll(decoding: Decoding, pairs: readonly Pair[], steps: number): Promise<Logits> {
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
  const scores = data.subarray(start, start + vocabulary);
  return scores[id]! - logSumExp(scores);
}

function checkCandidates(candidates: readonly TokenIds[], vocabularySize: number): void {
  const wrong = candidates.flat().find((id) => !Number.isInteger(id) || id < 0 || id >= vocabularySize);
  if (wrong === undefined) return;
  throw new Blip2Error('INVALID_ARGUMENT', 'A candidate has an id that is not in the vocabulary', {
    where: 'candidates',
    expected: `0 to ${vocabularySize - 1}`,
    got: String(wrong),
  });
}
