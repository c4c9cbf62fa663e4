import { generationSettings } from '@blip2/blip2/messages';
import { Blip2Error, mustBe } from '@blip2/interfaces';
import { z } from 'zod';

import type { ServedModel } from '../models/served-model.ts';
import { count, samplingSchema } from '../openai/chat-schema.ts';
import { base64Image, expectImageCount } from '../requests/image-reader.ts';
import { encodeImage, type ModelUse, useModel } from '../routes/model-use.ts';
import { json, postRoute, type Route, type RouteRequest } from '../routes/route.ts';
import { wholeText } from '../routes/text-generation.ts';
import { VERSION } from '../version.ts';
import { floatTensor, pixelValuesOf, tensorSchema, textsOf, type V2Tensor } from './tensors.ts';

const inferSchema = z.looseObject({
  id: z.string().nullish(),
  parameters: z
    .looseObject({
      max_tokens: count,
      ...samplingSchema,
      top_k: z.int().nullish(),
      repetition_penalty: z.number().gt(0).nullish(),
    })
    .nullish(),
  inputs: z.array(tensorSchema).min(1).max(2),
  outputs: z.array(z.looseObject({ name: z.string() })).nullish(),
});
type Body = z.output<typeof inferSchema>;

const TAG = 'KServe';
const GET = { method: 'get', tag: TAG, errors: 'plain', isQuiet: true } as const;
/** Names of inputs. */
const PIXELS = 'pixel_values';
const IMAGE = 'image';
const PROMPT = 'prompt';
/** Name of the output with texts. */
const TEXT = 'text';

/** The KServe V2 protocol: features of the parts for pixel values, and texts for encoded images. */
export const kserveRoutes: readonly Route[] = [
  {
    ...GET,
    path: '/v2',
    summary: 'The server',
    handle: () => json({ name: 'blip2', version: VERSION, extensions: [] }),
  },
  { ...GET, path: '/v2/health/live', isOpen: true, summary: 'The server runs', handle: () => json({ live: true }) },
  {
    ...GET,
    path: '/v2/health/ready',
    isOpen: true,
    summary: 'The default model is loaded',
    handle({ server }) {
      const ready = !server.isEnding() && server.models.known()[0]?.isLoaded === true;
      return { kind: 'json', body: { ready }, status: ready ? 200 : 503 };
    },
  },
  {
    ...GET,
    path: '/v2/models/:model/ready',
    summary: 'A model can be requested',
    async handle({ server, params }) {
      return json({ name: (await server.models.status(params['model'] ?? '')).name, ready: true });
    },
  },
  {
    ...GET,
    path: '/v2/models/:model',
    summary: 'The inputs and outputs of a model',
    async handle(request) {
      const { name, model } = await useModel(request, { name: request.params['model'] });
      return json({ name, platform: 'blip2', versions: ['1'], ...signature(model) });
    },
  },
  postRoute({
    path: '/v2/models/:model/infer',
    tag: TAG,
    summary: 'pixel_values FP32 to features of the parts; image BYTES (base64) and prompt BYTES to text BYTES',
    errors: 'plain',
    body: inferSchema,
    async handle(request) {
      const { body, params, call } = request;
      const use: ModelUse<ServedModel['kind']> = await useModel(request, { name: params['model'] });
      const outputs = await infer(request, use);
      return json({ id: body.id ?? call.id, model_name: use.name, model_version: '1', outputs });
    },
  }),
];

function signature({ parts, kind }: ServedModel): object {
  const text = kind === 'text';
  return {
    inputs: [
      { name: PIXELS, datatype: 'FP32', shape: [-1, ...parts.inputShape] },
      ...(text ? [IMAGE, PROMPT].map((name) => ({ name, datatype: 'BYTES', shape: [-1] })) : []),
    ],
    outputs: [
      ...parts.outputNames.map((name) => ({ name, datatype: 'FP32', shape: [-1, -1, -1] })),
      ...(text ? [{ name: TEXT, datatype: 'BYTES', shape: [-1] }] : []),
    ],
  };
}

async function infer(request: RouteRequest<Body>, use: ModelUse<ServedModel['kind']>): Promise<object[]> {
  const { inputs, outputs } = request.body;
  const unknown = inputs.find(({ name }) => ![PIXELS, IMAGE, PROMPT].includes(name));
  if (unknown) throw mustBe('inputs', `named ${PIXELS}, or ${IMAGE} and ${PROMPT}`, unknown.name);
  const named = (name: string): V2Tensor | undefined => inputs.find((input) => input.name === name);
  const pixels = named(PIXELS);
  const image = named(IMAGE);
  if (pixels && inputs.length > 1) throw mustBe('inputs', `${PIXELS} alone`, inputs);
  if (pixels) return inferFeatures(request, use, pixels);
  if (!image) throw mustBe('inputs', `a list with ${PIXELS} or ${IMAGE}`, inputs);
  if (use.model.kind !== 'text') throw mustBe('model', 'a checkpoint with a language model', use.name);
  const other = outputs?.find(({ name }) => name !== TEXT);
  if (other) throw mustBe('outputs', TEXT, other.name);
  return inferTexts(request, use as ModelUse<'text'>, image, named(PROMPT));
}

async function inferFeatures(
  { body, call, server }: RouteRequest<Body>,
  { model, progress }: ModelUse<ServedModel['kind']>,
  tensor: V2Tensor,
): Promise<object[]> {
  const { parts } = model;
  const values = pixelValuesOf(tensor, parts.inputShape);
  expectImageCount(values.dims[0], server.limits);
  call.notes.images = values.dims[0];
  const wanted = body.outputs?.map(({ name }) => name) ?? parts.outputNames.slice(-1);
  if (wanted.length === 0) throw mustBe('outputs', 'at least one name', body.outputs);
  const results = await parts.run(values, wanted, { signal: call.signal });
  progress();
  return [...new Set(wanted)].flatMap((name) => (results[name] ? [floatTensor(name, results[name])] : []));
}

async function inferTexts(
  request: RouteRequest<Body>,
  use: ModelUse<'text'>,
  image: V2Tensor,
  prompt: V2Tensor | undefined,
): Promise<object[]> {
  const { server, body } = request;
  const images = textsOf(image);
  const prompts = prompt ? textsOf(prompt) : images.map(() => '');
  expectImageCount(images.length, server.limits);
  if (images.length === 0 || prompts.length !== images.length)
    throw new Blip2Error('INVALID_ARGUMENT', `${PROMPT} must have one entry per image`, {
      argument: PROMPT,
      expected: String(images.length),
      got: String(prompts.length),
    });
  const {
    max_tokens: maxTokens,
    top_p: topP,
    top_k: topK,
    repetition_penalty: penalty,
    ...sampling
  } = body.parameters ?? {};
  const settings = generationSettings(
    { ...sampling, maxTokens, topP, topK, repetitionPenalty: penalty },
    server.limits,
  );
  const texts: string[] = [];
  for (const [index, data] of images.entries()) {
    const encoded = await encodeImage(request, use, base64Image(data, `${IMAGE}.data[${index}]`));
    const question = prompts[index]?.trim();
    const task = {
      image: encoded,
      prompt: { history: [], question: question === '' ? undefined : question },
      settings,
    };
    texts.push((await wholeText(request, use, task)).text.trim());
  }
  return [{ name: TEXT, shape: [texts.length], datatype: 'BYTES', data: texts }];
}
