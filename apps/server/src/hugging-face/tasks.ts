import type { TaskOptions } from '@blip2/blip2';
import { generationSettings, toConversation } from '@blip2/blip2/messages';
import { Blip2Error, mustBe } from '@blip2/interfaces';
import { z } from 'zod';

import { likeliest, openJudge } from '../decisions/questions.ts';
import { count, samplingSchema } from '../openai/chat-schema.ts';
import { base64Image, type RequestImage } from '../requests/image-reader.ts';
import { harmless, type RefusedFields, refuseFields } from '../requests/refused-fields.ts';
import { encodeImage, type ModelUse, useModel } from '../routes/model-use.ts';
import { type Answer, json, postRoute, type Route, type RouteRequest } from '../routes/route.ts';
import { wholeText } from '../routes/text-generation.ts';

/** Options of generation, in `parameters` or nested in one of its fields. */
const generation = {
  max_new_tokens: count,
  temperature: samplingSchema.temperature,
  top_k: z.int().nullish(),
  top_p: samplingSchema.top_p,
  do_sample: z.boolean().nullish(),
  repetition_penalty: z.number().gt(0).nullish(),
  seed: samplingSchema.seed,
};
const taskSchema = z.looseObject({
  inputs: z.union([
    z.string(),
    z.looseObject({ image: z.string(), question: z.string().nullish(), text: z.string().nullish() }),
  ]),
  parameters: z
    .looseObject({
      candidate_labels: z.array(z.string().min(1)).min(1).nullish(),
      hypothesis_template: z.string().nullish(),
      ...generation,
      generate_kwargs: z.looseObject(generation).nullish(),
      generation_parameters: z.looseObject(generation).nullish(),
    })
    .nullish(),
});
/** Parameters that cannot be honoured. */
const REFUSED_PARAMETERS: RefusedFields = {
  num_beams: harmless.oneOf(1),
  num_beam_groups: harmless.oneOf(1),
  num_return_sequences: harmless.oneOf(1),
  penalty_alpha: harmless.zero,
  typical_p: harmless.oneOf(1),
  epsilon_cutoff: harmless.zero,
  eta_cutoff: harmless.zero,
  max_length: harmless.never,
  min_length: harmless.zero,
  min_new_tokens: harmless.zero,
  early_stopping: harmless.false,
  length_penalty: harmless.oneOf(1),
  no_repeat_ngram_size: harmless.zero,
};
type Body = z.output<typeof taskSchema> | undefined;

const COMMON = {
  tag: 'Hugging Face',
  errors: 'plain',
  binary: ['image/', 'application/octet-stream'],
  body: taskSchema,
} as const;

/**
 * The tasks of Hugging Face inference endpoints, by what the body contains: an image alone is `image-to-text`, with a
 * question `visual-question-answering`, with labels `zero-shot-image-classification`.
 */
export const huggingFaceRoutes: readonly Route[] = [
  postRoute({
    ...COMMON,
    path: '/',
    summary: 'image-to-text, visual-question-answering, zero-shot-image-classification with the default model',
    handle: (request) => runTask(request, undefined),
  }),
  postRoute({
    ...COMMON,
    path: '/models/:model{.+}',
    summary: 'The same tasks with a model',
    handle: (request) => runTask(request, request.params['model']),
  }),
];

async function runTask(request: RouteRequest<Body>, name: string | undefined): Promise<Answer> {
  const { body, bytes, headers } = request;
  // A body of image bytes is not parsed.
  if (!body)
    return json(captionShape((await generate(request, name, bytes, '')).text, headers.get('user-agent') ?? ''));
  const { inputs, parameters } = body;
  const labels = parameters?.candidate_labels;
  const image = base64Image(typeof inputs === 'string' ? inputs : inputs.image, 'inputs.image');
  if (labels) return json(await classify(request, name, image, labels));
  const question = typeof inputs === 'string' ? '' : (inputs.question ?? inputs.text ?? '');
  const isQuestion = question.trim() !== '';
  const { text, logProb } = await generate(request, name, image, question);
  if (!isQuestion) return json(captionShape(text, headers.get('user-agent') ?? ''));
  // The probability that exactly this text is generated.
  return json([{ answer: text, score: Math.exp(logProb) }]);
}

async function generate(
  request: RouteRequest<Body>,
  name: string | undefined,
  image: RequestImage,
  text: string,
): Promise<{ readonly text: string; readonly logProb: number }> {
  const { prompt } = toConversation([{ role: 'user', text, images: [image] }]);
  const settings = settingsOf(request, prompt.question !== undefined);
  const use: ModelUse<'text'> = await useModel(request, { name, kind: 'text' });
  const encoded = await encodeImage(request, use, image);
  const { text: answer, logProb } = await wholeText(request, use, { image: encoded, prompt, settings });
  return { text: answer.trim(), logProb };
}

/** The options of generation, from `parameters` and the fields nested in it. */
function settingsOf({ body, server }: RouteRequest<Body>, isQuestion: boolean): TaskOptions {
  const { generate_kwargs: older, generation_parameters: newer, ...own } = body?.parameters ?? {};
  for (const fields of [own, older ?? {}, newer ?? {}]) refuseFields(fields, REFUSED_PARAMETERS);
  const { top_k: topK, top_p: topP, do_sample: doSample, ...given } = { ...own, ...older, ...newer };
  // For a question, `top_k` is the number of answers.
  const answers = isQuestion ? own.top_k : undefined;
  if (answers && answers > 1)
    throw new Blip2Error('UNSUPPORTED_FIELD', 'parameters.top_k must be 1: there is one answer', {
      argument: 'parameters.top_k',
    });
  return generationSettings(
    {
      maxTokens: given.max_new_tokens,
      // As in Transformers: a temperature has an effect only if tokens are sampled.
      temperature: doSample === false ? undefined : (given.temperature ?? (doSample === true ? 1 : undefined)),
      topP,
      topK: isQuestion ? undefined : topK,
      repetitionPenalty: given.repetition_penalty,
      seed: given.seed,
    },
    server.limits,
  );
}

const QUESTION = 'what is in the image?';
/** What the label takes the place of in `hypothesis_template`. */
const LABEL = '{}';

async function classify(
  request: RouteRequest<Body>,
  name: string | undefined,
  image: RequestImage,
  labels: readonly string[],
): Promise<object[]> {
  if (new Set(labels).size < labels.length)
    throw mustBe('parameters.candidate_labels', 'a list of different labels', labels);
  const model = name ?? (await retrievalName(request));
  const judge = await openJudge(request, { model, image, context: '' });
  const template = request.body?.parameters?.hypothesis_template ?? LABEL;
  if (!template.includes(LABEL)) throw mustBe('parameters.hypothesis_template', `a text with ${LABEL}`, template);
  const weighted = await judge.weigh(
    QUESTION,
    labels.map((label) => ({ value: label, text: template.replaceAll(LABEL, () => label) })),
  );
  const best = likeliest(weighted);
  return [best, ...weighted.filter((each) => each !== best).toSorted((a, b) => b.probability - a.probability)].map(
    ({ value, probability }) => ({ label: value, score: probability }),
  );
}

/** Labels are matched by a retrieval checkpoint, if the server has one. */
async function retrievalName({ server }: RouteRequest): Promise<string | undefined> {
  return (await server.models.list()).find(({ outline }) => outline?.kind === 'match')?.name;
}

/** The last version of `@huggingface/inference` that reads a list. */
const LAST_WITH_LIST = [4, 13, 9];

/** Newer JavaScript clients read an object, older ones and Python's a list. */
function captionShape(text: string, userAgent: string): object {
  const answer = { generated_text: text };
  const [, version] = /@huggingface\/inference\/(\d+\.\d+\.\d+)/.exec(userAgent) ?? [];
  const numbers = version?.split('.').map(Number) ?? [];
  const at = LAST_WITH_LIST.findIndex((number, index) => number !== numbers[index]);
  return numbers.length > 0 && at >= 0 && (numbers[at] ?? 0) > (LAST_WITH_LIST[at] ?? 0) ? answer : [answer];
}
