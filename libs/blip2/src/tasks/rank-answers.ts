import { sequenceLogProbs } from '@blip2/generate';
import { defined, type TokenIds } from '@blip2/interfaces';

import { isEncoded, type KeptImage, type TaskImage } from '../images/encoded-image.ts';
import { encodeTaskImages, type ImageOptions, type ImageTools, type TaskTools } from '../images/task-images.ts';
import { DisposalStack } from '../lifetime/disposal-stack.ts';
import { expectDistinctTokens } from '../pipeline/distinct-texts.ts';
import { expectKnownTokens } from '../pipeline/known-tokens.ts';
import { openPrompt, tokenizePrompts } from './task-prompt.ts';

/** A candidate answer and its likelihood. */
export interface RankedAnswer {
  /** The candidate without surrounding whitespace. Candidates with the same text are one. */
  readonly text: string;
  /** The scored tokens, including the end token unless `endToken` is false. */
  readonly tokenIds: readonly number[];
  /** Sum of the natural log-probabilities of the tokens: that the model generates exactly this. */
  readonly logProb: number;
  /** `logProb` divided by the number of tokens. */
  readonly logProbPerToken: number;
  /** Softmax over the candidates of the score that `rankBy` names, in [0, 1]. */
  readonly probability: number;
}

/** How candidates are scored and sorted. */
export interface RankAnswersOptions extends ImageOptions {
  /**
   * The score for the order and for `probability`. `logProb` (default) is that of the whole answer; `logProbPerToken`
   * does not favour short answers.
   */
  readonly rankBy?: 'logProb' | 'logProbPerToken';
  /**
   * Include the end token in the score, as LAVIS trains and ranks answers with Flan-T5 (`_predict_class`). Default:
   * true. Without it, "a cat" stands for every answer that starts with "a cat".
   */
  readonly endToken?: boolean;
}

/** Scores distinct candidate answers to one prompt about one image, best first. The prompt is prefilled once. */
export async function rankAnswers(
  tools: ImageTools,
  image: TaskImage<KeptImage>,
  prompt: string,
  answers: readonly string[],
  options: RankAnswersOptions,
): Promise<RankedAnswer[]> {
  const { rankBy = 'logProb', endToken = true, signal } = options;
  const { language } = tools.pipeline;
  const rows = answers.map((text) => candidateIds(tools, prompt, text, endToken));
  expectDistinctTokens('candidates', answers, rows);
  await using resources = new DisposalStack();
  const images = resources.use(await encodeTaskImages(tools, [image], options));
  await tools.enter?.();
  signal?.throwIfAborted();
  const source = { images: images.rows, tokens: tokenizePrompts(tools, [prompt]), areKept: isEncoded(image) };
  const { prompt: opened, keep } = await openPrompt(tools, source, resources);
  const [scored = []] = await sequenceLogProbs(language, opened, rows, defined({ signal }));
  await keep?.([]).catch(() => undefined);
  const scores = scored.map(({ sum }, index) => ({ logProb: sum, logProbPerToken: sum / (rows[index]?.length || 1) }));
  const probabilities = softmax(scores.map((score) => score[rankBy]));
  return answers
    .flatMap((text, index): RankedAnswer[] => {
      const [tokenIds, score, probability] = [rows[index], scores[index], probabilities[index]];
      return tokenIds && score && probability !== undefined ? [{ text, tokenIds, ...score, probability }] : [];
    })
    .sort((left, right) => right[rankBy] - left[rankBy]);
}

/** The tokens that are scored for an answer to a prompt: those of the answer, and the end token. */
export function candidateIds(tools: TaskTools, prompt: string, text: string, endToken = true): TokenIds {
  const { specialTokens, vocabularySize } = tools.pipeline.language;
  const ids = answerIds(tools, prompt, text);
  expectKnownTokens([ids], vocabularySize);
  return [...ids, ...(endToken ? [specialTokens.eosTokenId ?? []].flat().slice(0, 1) : [])];
}

/**
 * The tokens of an answer to a prompt. A causal model continues the prompt, so a space separates the two; the decoder
 * of a seq2seq model generates the answer as a text by itself.
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

function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
