import { sequenceLogProbs } from '@blip2/generate';
import { Blip2Error, type TokenIds } from '@blip2/interfaces';

import { isEncoded, type KeptImage, type TaskImage } from './encoded-image.ts';
import { expectKnown } from './known-tokens.ts';
import { encodeTaskImages, type ImageOptions, type ReadingTools, type TaskTools } from './task-images.ts';
import { encodeTexts, openPrompt } from './task-prompt.ts';

/** A candidate answer and how likely the model finds it. */
export interface RankedAnswer {
  /** The candidate as it was given. */
  readonly text: string;
  /** What was scored, the end token included unless `endToken` is false. */
  readonly tokenIds: readonly number[];
  /** Sum of the natural logarithms of the tokens' probabilities: of the model's writing exactly this. */
  readonly logProb: number;
  /** The same divided by the number of tokens. */
  readonly logProbPerToken: number;
  /** Share among the candidates: softmax over their `logProb`s, or what `rankBy` names. They sum to 1. */
  readonly probability: number;
}

/** What is scored, and what the order goes by. */
export interface RankAnswersOptions extends ImageOptions {
  /**
   * What the order and `probability` go by. `logProb` (default) is the probability of the answer; `logProbPerToken`
   * does not favour short answers.
   */
  readonly rankBy?: 'logProb' | 'logProbPerToken';
  /**
   * Score the end of the answer too. Default true, as LAVIS trains and ranks answers with Flan-T5 (`_predict_class`):
   * "a cat" then means this and no more.
   * Without it "a cat" stands for everything that begins so.
   */
  readonly endToken?: boolean;
}

/**
 * Scores candidate answers after one prompt about one image, best first. The prompt is read once, the candidates in one
 * batch.
 */
export async function rankAnswers(
  tools: ReadingTools,
  image: TaskImage<KeptImage>,
  prompt: string,
  candidates: readonly string[],
  options: RankAnswersOptions,
): Promise<RankedAnswer[]> {
  const { rankBy = 'logProb', endToken = true, signal } = options;
  expectCandidates(candidates);
  const { language } = tools.pipeline;
  const rows = candidates.map((text) => candidateIds(tools, prompt, text, endToken));
  await using images = await encodeTaskImages(tools, [image], options);
  signal?.throwIfAborted();
  await using opened = await openPrompt(tools, images.rows, encodeTexts(tools, [prompt]), isEncoded(image));
  const [scored = []] = await sequenceLogProbs(language, opened.prompt, rows, signal ? { signal } : {});
  const scores = scored.map(({ sum }, index) => ({ logProb: sum, logProbPerToken: sum / (rows[index]?.length || 1) }));
  const shares = softmax(scores.map((score) => score[rankBy]));
  return candidates
    .flatMap((text, index): RankedAnswer[] => {
      const [tokenIds, score, probability] = [rows[index], scores[index], shares[index]];
      return tokenIds && score && probability !== undefined ? [{ text, tokenIds, ...score, probability }] : [];
    })
    .sort((left, right) => right[rankBy] - left[rankBy]);
}

/** The tokens that are scored for an answer behind its prompt: its own, and the end token. */
export function candidateIds(tools: TaskTools, prompt: string, text: string, endToken = true): TokenIds {
  const { specialTokens, vocabularySize } = tools.pipeline.language;
  const ids = answerIds(tools, prompt, text);
  expectKnown([ids], vocabularySize);
  return [...ids, ...(endToken ? [specialTokens.eosTokenId ?? []].flat().slice(0, 1) : [])];
}

/**
 * The tokens of an answer behind its prompt. A causal model writes both as one text, so a space parts them; a seq2seq
 * model's answer is a text of its own.
 */
function answerIds(
  { pipeline: { language }, processor: { tokenizer } }: TaskTools,
  prompt: string,
  answer: string,
): TokenIds {
  const encode = (text: string): number[] =>
    tokenizer.encode(text, { addSpecialTokens: false, escapeSpecialTokens: true });
  const text = answer.trim();
  if (language.architecture === 'seq2seq') return encode(text);
  const before = encode(prompt);
  const whole = encode(/(^|\s)$/.test(prompt) ? prompt + text : `${prompt} ${text}`);
  return before.every((id, index) => id === whole[index]) ? whole.slice(before.length) : encode(` ${text}`);
}

function expectCandidates(candidates: readonly string[]): void {
  if (candidates.length === 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'There are no candidates to rank', { where: 'candidates' });
  const empty = candidates.findIndex((text) => text.trim() === '');
  if (empty >= 0) throw new Blip2Error('INVALID_ARGUMENT', 'A candidate is empty', { where: `candidates[${empty}]` });
}

function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
