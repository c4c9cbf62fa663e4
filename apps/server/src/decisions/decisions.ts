import { onlyImage } from '@blip2/blip2/messages';
import { Blip2Error } from '@blip2/interfaces';
import { z } from 'zod';

import { type ImageLimits, type RequestImage, urlImage } from '../requests/image-reader.ts';
import { json, postRoute, type Route } from '../routes/route.ts';
import { expectation, type Judge, likeliest, openJudge } from './questions.ts';

const MAX_QUESTIONS = 400;
const MAX_CHOICES = 255;

const text = z.looseObject({ type: z.literal('input_text'), text: z.string() });
const image = z.looseObject({ type: z.literal('input_image'), image_url: z.string() });
const instructions = z.union([z.string(), z.array(text)]);
const common = { name: z.string().nullish(), instructions };
const question = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('predicate'), ...common }),
  z.looseObject({
    type: z.literal('choice'),
    ...common,
    choices: z
      .array(z.looseObject({ value: z.union([z.string().min(1), z.boolean()]), description: z.string().nullish() }))
      .min(2)
      .max(MAX_CHOICES),
  }),
  z.looseObject({
    type: z.literal('score'),
    ...common,
    levels: z
      .array(z.looseObject({ label: z.string().min(1), description: z.string().nullish() }))
      .min(2)
      .max(MAX_CHOICES),
  }),
]);
const decisionsSchema = z.looseObject({
  model: z.string().nullish(),
  input: z
    .array(
      z.looseObject({
        role: z.enum(['user', 'developer', 'system']),
        content: z.union([z.string(), z.array(z.discriminatedUnion('type', [text, image]))]),
      }),
    )
    .min(1),
  questions: z.array(question).min(1).max(MAX_QUESTIONS),
});
type Question = z.output<typeof question>;
type Input = z.output<typeof decisionsSchema>['input'];

/** `POST /v1/decisions`: questions about one image, which is encoded once. */
export const decisionsRoute: Route = postRoute({
  path: '/v1/decisions',
  tag: 'Decisions',
  summary: 'Answers questions about an image with probabilities',
  errors: 'openai',
  body: decisionsSchema,
  async handle(request) {
    const { model, input, questions } = request.body;
    const judge = await openJudge(request, { model, ...imageAndContext(input, request.server.limits) });
    const answers: object[] = [];
    for (const each of questions) answers.push(await answer(judge, each));
    const tokens = request.call.notes.promptTokens ?? 0;
    return json({
      answers,
      model: judge.model,
      usage: {
        input_tokens: tokens,
        input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
        output_tokens: 0,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: tokens,
      },
    });
  },
});

async function answer(judge: Judge, question: Question): Promise<object> {
  const { type, name = null } = question;
  const words = joined(question.instructions);
  if (type === 'predicate') return { type, name, probability: await judge.predicate(words) };
  if (type === 'choice') {
    const options = question.choices.map(({ value, description }) => ({
      value,
      text: typeof value === 'string' ? value : value ? 'yes' : 'no',
      description,
    }));
    const probabilities = await judge.weigh(words, options);
    const best = likeliest(probabilities);
    return { type, name, choice: best.value, confidence: best.probability, probabilities };
  }
  const levels = question.levels.map(({ label, description }, value) => ({ value, text: label, description }));
  const weighted = await judge.weigh(words, levels);
  const probabilities = weighted.map((each) => ({ ...each, label: question.levels[each.value]?.label ?? '' }));
  return {
    type,
    name,
    score: expectation(weighted),
    confidence: likeliest(weighted).probability,
    probabilities,
  };
}

function joined(words: Question['instructions']): string {
  return typeof words === 'string' ? words : words.map((part) => part.text).join('\n');
}

function imageAndContext(input: Input, limits: ImageLimits): { image: RequestImage; context: string } {
  const images: RequestImage[] = [];
  const words: string[] = [];
  for (const [index, { content }] of input.entries())
    for (const [at, part] of (typeof content === 'string'
      ? [{ type: 'input_text' as const, text: content }]
      : content
    ).entries())
      if (part.type === 'input_image')
        images.push(urlImage(part.image_url, `input[${index}].content[${at}].image_url`, limits));
      else if (part.text.trim() !== '') words.push(part.text.trim());
  if (images.length === 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'input must contain an image', { argument: 'input' });
  return { image: onlyImage(images), context: words.join('\n') };
}
