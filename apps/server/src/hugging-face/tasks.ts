import { mustBe } from '@blip2/interfaces';
import { z } from 'zod';

import { likeliest, openJudge } from '../decisions/questions.ts';
import { toConversation } from '../requests/conversation.ts';
import { generationSettings } from '../requests/generation-settings.ts';
import { base64Image, type RequestImage } from '../requests/image-reader.ts';
import { encodeImage, type ModelUse, useModel } from '../routes/model-use.ts';
import { type Answer, json, postRoute, type Route, type RouteRequest } from '../routes/route.ts';
import { wholeText } from '../routes/text-generation.ts';

const taskSchema = z.looseObject({
  inputs: z.union([
    z.string(),
    z.looseObject({ image: z.string(), question: z.string().nullish(), text: z.string().nullish() }),
  ]),
  parameters: z
    .looseObject({
      candidate_labels: z.array(z.string().min(1)).min(1).nullish(),
      max_new_tokens: z.int().min(1).nullish(),
      generate_kwargs: z.looseObject({ max_new_tokens: z.int().min(1).nullish() }).nullish(),
      temperature: z.number().min(0).max(10).nullish(),
      top_k: z.int().nullish(),
      seed: z.int().nullish(),
    })
    .nullish(),
});
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
  const { text, logProb } = await generate(request, name, image, question);
  if (question.trim() === '') return json(captionShape(text, headers.get('user-agent') ?? ''));
  // The probability that exactly this text is generated.
  return json([{ answer: text, score: Math.exp(logProb) }]);
}

async function generate(
  request: RouteRequest<Body>,
  name: string | undefined,
  image: RequestImage,
  text: string,
): Promise<{ readonly text: string; readonly logProb: number }> {
  const { body, server } = request;
  const { max_new_tokens: own, generate_kwargs: nested, top_k: topK, ...sampling } = body?.parameters ?? {};
  const settings = generationSettings({ ...sampling, topK, maxTokens: own ?? nested?.max_new_tokens }, server.limits);
  const { prompt } = toConversation([{ role: 'user', text, images: [image] }]);
  const use: ModelUse<'text'> = await useModel(request, { name, kind: 'text' });
  const encoded = await encodeImage(request, use, image);
  const { text: answer, logProb } = await wholeText(request, use, { image: encoded, prompt, settings });
  return { text: answer.trim(), logProb };
}

const QUESTION = 'what is in the image?';

async function classify(
  request: RouteRequest,
  name: string | undefined,
  image: RequestImage,
  labels: readonly string[],
): Promise<object[]> {
  if (new Set(labels).size < labels.length)
    throw mustBe('parameters.candidate_labels', 'a list of different labels', labels);
  const model = name ?? (await retrievalName(request));
  const judge = await openJudge(request, { model, image, context: '' });
  const weighted = await judge.weigh(
    QUESTION,
    labels.map((label) => ({ value: label, text: label })),
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
