import type { KeptImage } from '@blip2/blip2';
import type { RgbImage } from '@blip2/interfaces';

import { readImage, type RequestImage } from '../requests/image-reader.ts';
import { encodeImage, type ModelUse, useModel } from '../routes/model-use.ts';
import { rankValues, tooMany } from '../routes/ranked-choice.ts';
import type { RouteRequest } from '../routes/route.ts';

/** A value to choose from, and the text that stands for it. */
export interface Option<Value> {
  readonly value: Value;
  /** The answer that a generation checkpoint ranks. */
  readonly text: string;
  /** The text that a retrieval checkpoint matches; absent: the answer. */
  readonly description?: string | null | undefined;
}

/** A value and its probability among the options. */
export interface Weighted<Value> {
  readonly value: Value;
  readonly probability: number;
}

/** An image that was encoded once, and questions about it. */
export interface Judge {
  readonly model: string;
  /** The probability that a statement is true. */
  predicate(statement: string): Promise<number>;
  /** The probabilities of options as answers to a question; their sum is 1. */
  weigh<Value>(question: string, options: readonly Option<Value>[]): Promise<readonly Weighted<Value>[]>;
}

/** What questions are about. */
export interface JudgeInput {
  readonly model: string | null | undefined;
  readonly image: RequestImage;
  /** Text that precedes every question. */
  readonly context: string;
}

/**
 * Opens the image of a request for questions. A generation checkpoint ranks answers by their likelihood; a retrieval
 * checkpoint scores how well texts match the image.
 */
export async function openJudge(request: RouteRequest, { model, image, context }: JudgeInput): Promise<Judge> {
  const use: ModelUse<'text' | 'match'> = await useModel(request, { name: model });
  const withContext = (text: string): string => [context, text.trim()].filter((part) => part !== '').join('\n');
  if (use.model.kind === 'text') {
    const textUse = use as ModelUse<'text'>;
    return textJudge(request, textUse, await encodeImage(request, textUse, image), withContext);
  }
  const { call, server } = request;
  call.notes.images = 1;
  const { limits, threads } = server;
  const decoded = await readImage(image, use.model.resizing, { limits, threads, signal: call.signal });
  return matchJudge(request, use as ModelUse<'match'>, decoded);
}

const YES = 'yes';

function textJudge(
  request: RouteRequest,
  use: ModelUse<'text'>,
  image: KeptImage,
  withContext: (text: string) => string,
): Judge {
  const rank = async <Value>(
    question: string,
    options: readonly Option<Value>[],
  ): Promise<readonly Weighted<Value>[]> => {
    const values = options.map(({ text }) => text);
    const prompt = { history: [], question: withContext(question) };
    const ranked = await rankValues(request, use, { image, prompt, values, field: 'questions' });
    return options.map(({ value }, index) => ({ value, probability: ranked[index]?.probability ?? 0 }));
  };
  return {
    model: use.name,
    weigh: rank,
    async predicate(statement) {
      const [yes] = await rank(
        statement,
        [YES, 'no'].map((text) => ({ value: text, text })),
      );
      return yes?.probability ?? 0;
    },
  };
}

function matchJudge(request: RouteRequest, { name, model, progress }: ModelUse<'match'>, image: RgbImage): Judge {
  const { call, server } = request;
  const score = async (texts: readonly string[]): Promise<readonly number[]> => {
    if (texts.length > server.limits.maxTexts) throw tooMany('questions', texts.length, server.limits.maxTexts);
    const scores = await model.match(image, texts, { signal: call.signal });
    progress();
    call.notes.promptTokens = texts.reduce((sum, text) => sum + model.countTokens(text), call.notes.promptTokens ?? 0);
    return scores.map(({ itm }) => itm);
  };
  return {
    model: name,
    predicate: async (statement) => (await score([statement]))[0] ?? 0,
    async weigh(_question, options) {
      const scores = await score(options.map(({ text, description }) => description ?? text));
      // The odds of "matches", so that a score near 1 is not levelled by the other ones near 1.
      const odds = scores.map((probability) => probability / Math.max(1 - probability, Number.EPSILON));
      const total = odds.reduce((sum, value) => sum + value, 0);
      return options.map(({ value }, index) => ({
        value,
        probability: total === 0 ? 1 / options.length : (odds[index] ?? 0) / total,
      }));
    },
  };
}

/** The option with the highest probability. */
export function likeliest<Value>(weighted: readonly Weighted<Value>[]): Weighted<Value> {
  return weighted.reduce((best, each) => (each.probability > best.probability ? each : best));
}

/** The mean of numbers, by their probabilities. */
export function expectation(weighted: readonly Weighted<number>[]): number {
  return weighted.reduce((sum, { value, probability }) => sum + value * probability, 0);
}
