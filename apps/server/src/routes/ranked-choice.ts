import type { KeptImage, RankedAnswer } from '@blip2/blip2';
import type { ChoiceSchema, ImagePrompt } from '@blip2/blip2/messages';
import { Blip2Error, mustBe } from '@blip2/interfaces';

import type { ModelUse } from './model-use.ts';
import type { RouteRequest } from './route.ts';

/** A value and its probability among the values. */
export interface RankedValue<Value> {
  readonly value: Value;
  readonly probability: number;
  readonly tokenIds: readonly number[];
  readonly logProb: number;
}

/**
 * Ranks values as answers to a question, in the order of the values.
 * @throws Blip2Error `INVALID_ARGUMENT` for values with the same text; the codes of `rank`.
 */
export async function rankValues<Value extends string | number | boolean>(
  { call, server }: RouteRequest,
  { model, progress }: ModelUse<'text'>,
  {
    image,
    prompt,
    values,
    field,
  }: {
    readonly image: KeptImage;
    readonly prompt: ImagePrompt;
    readonly values: readonly Value[];
    readonly field: string;
  },
): Promise<readonly RankedValue<Value>[]> {
  const texts = values.map((value) => String(value).trim());
  if (new Set(texts).size < texts.length) throw mustBe(field, 'a list of values with different texts', values);
  if (texts.length > server.limits.maxTexts) throw tooMany(field, texts.length, server.limits.maxTexts);
  const { notes, signal } = call;
  const ranked = await model.rank(image, prompt, texts, { signal });
  progress();
  notes.promptTokens = (notes.promptTokens ?? 0) + model.promptTokens(image, prompt);
  const byText = new Map(ranked.map((answer): [string, RankedAnswer] => [answer.text, answer]));
  return values.map((value, index) => {
    const { probability = 0, tokenIds = [], logProb = -Infinity } = byText.get(texts[index] ?? '') ?? {};
    return { value, probability, tokenIds, logProb };
  });
}

/** The value with the highest probability. */
export function bestOf<Value>(values: readonly RankedValue<Value>[]): RankedValue<Value> {
  return values.reduce((best, value) => (value.probability > best.probability ? value : best));
}

/**
 * The prompt of a schema: the question of the request, else the description of the property. Without both, the values
 * are ranked as descriptions of the image.
 */
export function choicePrompt({ history, question }: ImagePrompt, { description }: ChoiceSchema): ImagePrompt {
  return { history, question: question ?? description };
}

/** @throws nothing: returns the error of too many texts in one request. */
export function tooMany(field: string, count: number, most: number): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', `${field} has too many entries`, {
    argument: field,
    expected: `at most ${most}`,
    got: String(count),
  });
}
