import { Blip2Error, mustBe, type RgbImage } from '@blip2/interfaces';
import type { Resizing } from '@blip2/processor';
import { z } from 'zod';

import { base64Image, expectImageCount, readImage, type RequestImage, urlImage } from '../requests/image-reader.ts';
import { useModel } from '../routes/model-use.ts';
import { tooMany } from '../routes/ranked-choice.ts';
import { json, postRoute, type Route, type RouteRequest } from '../routes/route.ts';
import { chatMessages, messageSchema } from './chat-schema.ts';

const item = z.union([
  z.string(),
  z.looseObject({ text: z.string() }),
  z.looseObject({ image: z.string() }),
  z.looseObject({ image_url: z.union([z.string(), z.looseObject({ url: z.string() })]) }),
]);
const embeddingsSchema = z.looseObject({
  model: z.string().nullish(),
  input: z.union([z.string(), z.array(item).min(1), z.looseObject({ image: z.string() })]).optional(),
  messages: z.array(messageSchema).min(1).optional(),
  encoding_format: z.enum(['float', 'base64']).nullish(),
  dimensions: z.int().min(1).nullish(),
});
type Body = z.output<typeof embeddingsSchema>;

/** What is embedded. */
type Input = { readonly text: string } | { readonly image: RequestImage };

/** `POST /v1/embeddings`: texts and images in one space, by a retrieval checkpoint. */
export const embeddingsRoute: Route = postRoute({
  path: '/v1/embeddings',
  tag: 'OpenAI',
  summary: 'Features of texts and images, as vectors of length 1 in one space',
  errors: 'openai',
  body: embeddingsSchema,
  async handle(request) {
    const { body, call, server } = request;
    const inputs = inputsOf(body, server.limits);
    if (inputs.length > server.limits.maxTexts) throw tooMany('input', inputs.length, server.limits.maxTexts);
    expectImageCount(inputs.filter((input) => 'image' in input).length, server.limits);
    const { name, model, progress } = await useModel(request, { name: body.model, kind: 'match' });
    const texts = inputs.flatMap((input) => ('text' in input ? input.text : []));
    const images = await readImages(request, inputs, model.resizing);
    const { signal } = call;
    const textVectors = (await model.embedTexts(texts, { signal })).values();
    progress();
    const imageVectors = (await model.embedImages(images, { signal })).values();
    const vectors = inputs.flatMap((input) => ('text' in input ? textVectors : imageVectors).next().value ?? []);
    expectDimensions(body, vectors[0]?.length);
    const tokens = texts.reduce((sum, text) => sum + model.countTokens(text), 0);
    call.notes.promptTokens = tokens;
    return json({
      object: 'list',
      model: name,
      data: vectors.map((vector, index) => ({
        object: 'embedding',
        index,
        embedding: body.encoding_format === 'base64' ? littleEndian(vector).toString('base64') : [...vector],
      })),
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    });
  },
});

async function readImages(
  { call, server }: RouteRequest,
  inputs: readonly Input[],
  resizing: Resizing | undefined,
): Promise<RgbImage[]> {
  const { limits, threads } = server;
  const images: RgbImage[] = [];
  // One by one: decoded photographs are large.
  for (const input of inputs)
    if ('image' in input) images.push(await readImage(input.image, resizing, { limits, threads, signal: call.signal }));
  if (images.length > 0) call.notes.images = images.length;
  return images;
}

/** The inputs of OpenAI's format, of Jina's (`{ image }`, `{ text }`) and of vLLM's (`messages`). */
function inputsOf({ input, messages }: Body, limits: RouteRequest['server']['limits']): Input[] {
  if (input === undefined && messages === undefined)
    throw new Blip2Error('INVALID_ARGUMENT', 'The body must have input or messages', { argument: 'input' });
  if (input !== undefined)
    return [input].flat().map((each, index): Input => {
      if (typeof each === 'string') return { text: each };
      const field = `input[${index}]`;
      if ('text' in each && typeof each.text === 'string') return { text: each.text };
      if ('image' in each && typeof each.image === 'string')
        return { image: anyImage(each.image, `${field}.image`, limits) };
      const { image_url: url } = each as { readonly image_url: string | { readonly url: string } };
      return { image: urlImage(typeof url === 'string' ? url : url.url, `${field}.image_url`, limits) };
    });
  return chatMessages(messages ?? [], limits).map(({ text, images }, index): Input => {
    const [image] = images;
    if (image === undefined) return { text };
    if (text !== '' || images.length > 1) throw mustBe(`messages[${index}].content`, 'one text or one image', messages);
    return { image };
  });
}

function anyImage(text: string, field: string, limits: RouteRequest['server']['limits']): RequestImage {
  return /^[a-z][a-z0-9+.-]*:/i.test(text) ? urlImage(text, field, limits) : base64Image(text, field);
}

function expectDimensions({ dimensions }: Body, size: number | undefined): void {
  if (!dimensions || dimensions === size) return;
  throw new Blip2Error('UNSUPPORTED_FIELD', `dimensions is not supported: vectors have ${size} numbers`, {
    argument: 'dimensions',
    fix: 'Omit it',
  });
}

function littleEndian(vector: Float32Array): Buffer {
  const bytes = Buffer.alloc(vector.length * Float32Array.BYTES_PER_ELEMENT);
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * Float32Array.BYTES_PER_ELEMENT));
  return bytes;
}
