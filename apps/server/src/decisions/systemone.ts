import { onlyImage } from '@blip2/blip2/messages';
import { Blip2Error } from '@blip2/interfaces';
import { z } from 'zod';

import { base64Image, type RequestImage } from '../requests/image-reader.ts';
import { json, postRoute, type Route } from '../routes/route.ts';
import { expectation, type Judge, likeliest, openJudge } from './questions.ts';

const MAX_QUESTIONS = 400;

const criteria = z.union([
  z.array(z.string().min(1)).min(2),
  z
    .record(z.string().min(1), z.union([z.string(), z.number()]).nullish())
    .refine((named) => Object.keys(named).length >= 2, { error: 'an object with at least 2 criteria' }),
]);
const question = z.discriminatedUnion('type', [
  z.looseObject({ type: z.literal('noul'), instructions: z.string(), criteria: z.unknown().optional() }),
  z.looseObject({ type: z.literal('choice'), instructions: z.string(), criteria }),
  z.looseObject({ type: z.literal('score'), instructions: z.string(), criteria }),
]);
const systemoneSchema = z.looseObject({
  model: z.string().nullish(),
  state: z.unknown().optional(),
  assets: z.record(
    z.string(),
    z.looseObject({ type: z.literal('image'), format: z.string().nullish(), data_base64: z.string() }),
  ),
  questions: z
    .record(z.string(), question)
    .refine((all) => Object.keys(all).length <= MAX_QUESTIONS, { message: `at most ${MAX_QUESTIONS} questions` }),
});
type Question = z.output<typeof question>;

/** `POST /v1/systemone`: named questions about the image among the assets. */
export const systemoneRoute: Route = postRoute({
  path: '/v1/systemone',
  tag: 'Decisions',
  summary: 'Answers named questions about an image with probabilities',
  errors: 'openai',
  body: systemoneSchema,
  async handle(request) {
    const { model, state, assets, questions } = request.body;
    const images = Object.entries(assets).map(([key, { data_base64: data }]): RequestImage =>
      base64Image(data, `assets.${key}.data_base64`),
    );
    if (images.length === 0)
      throw new Blip2Error('INVALID_ARGUMENT', 'assets must contain an image', { argument: 'assets' });
    const context =
      state === undefined || state === null ? '' : typeof state === 'string' ? state : JSON.stringify(state);
    const judge = await openJudge(request, { model, image: onlyImage(images), context });
    const answers: [string, object][] = [];
    for (const [name, each] of Object.entries(questions)) answers.push([name, await answer(judge, each)]);
    return json({
      answers: Object.fromEntries(answers),
      model: judge.model,
      usage: { input_tokens: request.call.notes.promptTokens ?? 0, output_tokens: 0 },
    });
  },
});

async function answer(judge: Judge, { type, instructions, ...rest }: Question): Promise<object> {
  if (type === 'noul') return { type, noul: await judge.predicate(instructions) };
  const entries = namedCriteria((rest as { criteria: z.output<typeof criteria> }).criteria);
  const options = entries.map(([value, description]) => ({ value, text: value, description }));
  const weighted = await judge.weigh(instructions, options);
  const best = likeliest(weighted);
  const probabilities = Object.fromEntries(weighted.map(({ value, probability }) => [value, probability]));
  if (type === 'choice') return { type, choice: best.value, confidence: best.probability, probabilities };
  const score = expectation(weighted.map(({ probability }, level) => ({ value: level, probability })));
  return { type, score, confidence: best.probability, probabilities };
}

/** Names with their descriptions; a name without a text describes itself. */
function namedCriteria(given: z.output<typeof criteria>): readonly (readonly [string, string])[] {
  if (Array.isArray(given)) return given.map((name) => [name, name]);
  return Object.entries(given).map(([name, description]) => [
    name,
    typeof description === 'string' && description.trim() !== '' ? description : name,
  ]);
}
