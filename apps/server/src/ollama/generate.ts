import type { KeptImage } from '@blip2/blip2';
import { choiceJson, choiceSchema, generationSettings, type ImagePrompt, toConversation } from '@blip2/blip2/messages';

import { base64Image, type RequestImage } from '../requests/image-reader.ts';
import { refuseFields } from '../requests/refused-fields.ts';
import { encodeImage, type ModelUse, useModel } from '../routes/model-use.ts';
import { bestOf, choicePrompt, rankValues } from '../routes/ranked-choice.ts';
import { type Answer, json, postRoute, type Route, type RouteRequest } from '../routes/route.ts';
import { type FinishedText, generateText } from '../routes/text-generation.ts';
import { keepAliveMs } from './keep-alive.ts';
import { chatSchema, type CommonBody, generateSchema, REFUSED_FIELDS, REFUSED_OPTIONS } from './schema.ts';

/** How a route writes text: as a message or as a response. */
type Wrap = (text: string) => object;
type Task = ReturnType<typeof toConversation>;

/** `POST /api/generate` and `POST /api/chat`. */
export const generateRoutes: readonly Route[] = [
  postRoute({
    path: '/api/generate',
    tag: 'Ollama',
    summary: 'Describes an image, or answers a prompt about it; without images and prompt, only loads the model',
    errors: 'plain',
    body: generateSchema,
    handle(request) {
      const { prompt, system, images } = request.body;
      const text = prompt ?? '';
      const isLoad = text === '' && (images ?? []).length === 0;
      return generate(
        request,
        (response) => ({ response }),
        () =>
          isLoad
            ? undefined
            : toConversation([
                { role: 'system', text: system ?? '', images: [] },
                { role: 'user', text, images: toImages(images, 'images') },
              ]),
      );
    },
  }),
  postRoute({
    path: '/api/chat',
    tag: 'Ollama',
    summary: 'Continues a conversation about an image; without messages, only loads the model',
    errors: 'plain',
    body: chatSchema,
    handle(request) {
      const messages = request.body.messages ?? [];
      return generate(
        request,
        (content) => ({ message: { role: 'assistant', content } }),
        () =>
          messages.length === 0
            ? undefined
            : toConversation(
                messages.map(({ role, content, images }, index) => ({
                  role,
                  text: content ?? '',
                  images: toImages(images, `messages[${index}].images`),
                })),
              ),
      );
    },
  }),
];

async function generate(
  request: RouteRequest<CommonBody>,
  wrap: Wrap,
  toTask: () => Task | undefined,
): Promise<Answer> {
  const { body, call, server } = request;
  refuseFields(body, REFUSED_FIELDS);
  refuseFields(body.options ?? {}, REFUSED_OPTIONS);
  const task = toTask();
  const choice = body.format ? choiceSchema(body.format, 'format') : undefined;
  const alive = keepAliveMs(body.keep_alive);
  const line = (fields: object): object => ({ created_at: new Date().toISOString(), ...fields });
  if (!task && alive === 0) {
    const { name: model } = await server.models.status(body.model ?? server.models.known()[0]?.name ?? '');
    server.models.unload(model);
    return json(line({ model, ...wrap(''), done: true, done_reason: 'unload' }));
  }
  const begin = performance.now();
  const use = await useModel(request, { name: body.model, kind: 'text', keepAliveMs: alive });
  const loadMs = performance.now() - begin;
  const model = use.name;
  if (!task) return json(line({ model, ...wrap(''), done: true, done_reason: 'load' }));
  const image = await encodeImage(request, use, task.image);
  const pieces = choice
    ? choicePieces(request, use, image, choicePrompt(task.prompt, choice), choice)
    : textPieces(request, use, image, task.prompt);
  const last = (finished: FinishedText): object => ({
    done: true,
    done_reason: finished.finishReason,
    ...durations(call.startedAt, loadMs, call.notes.firstTokenMs),
    prompt_eval_count: finished.promptTokens,
    eval_count: finished.newTokens,
  });
  if (body.stream === false) {
    let text = '';
    for (let step = await pieces.next(); ; step = await pieces.next()) {
      if (step.done) return json(line({ model, ...wrap(text.trim()), ...last(step.value) }));
      text += step.value;
    }
  }
  return {
    kind: 'stream',
    contentType: 'application/x-ndjson',
    chunks: lines(
      pieces,
      (text) => line({ model, ...wrap(text), done: false }),
      (end) => line({ model, ...wrap(''), ...last(end) }),
    ),
    failureChunk: ({ message, code }) => `${JSON.stringify({ error: message, code })}\n`,
  };
}

type Pieces = AsyncGenerator<string, FinishedText, undefined>;

async function* textPieces(
  request: RouteRequest<CommonBody>,
  use: ModelUse<'text'>,
  image: KeptImage,
  prompt: ImagePrompt,
): Pieces {
  const { body, server } = request;
  const { num_predict: limit, top_p: topP, top_k: topK, min_p: minP, ...options } = body.options ?? {};
  const { maxNewTokens } = server.limits;
  // Negative: until the model ends.
  const maxTokens = typeof limit === 'number' && limit < 0 ? maxNewTokens : limit;
  const settings = generationSettings(
    { ...options, maxTokens, topP, topK, minP, repetitionPenalty: options.repeat_penalty },
    server.limits,
  );
  const steps = generateText(request, use, { image, prompt, settings });
  for (let step = await steps.next(); ; step = await steps.next()) {
    if (step.done) return step.value;
    if (step.value.text !== '') yield step.value.text;
  }
}

async function* choicePieces(
  request: RouteRequest,
  use: ModelUse<'text'>,
  image: KeptImage,
  prompt: ImagePrompt,
  choice: ReturnType<typeof choiceSchema>,
): Pieces {
  const ranked = await rankValues(request, use, { image, prompt, values: choice.values, field: 'format' });
  const { value, tokenIds, logProb } = bestOf(ranked);
  yield choiceJson(choice, value);
  const promptTokens = use.model.promptTokens(image, prompt);
  return { finishReason: 'stop', promptTokens, newTokens: tokenIds.length, logProb };
}

async function* lines(
  pieces: Pieces,
  toLine: (text: string) => object,
  toLast: (finished: FinishedText) => object,
): AsyncGenerator<string> {
  let step = await pieces.next();
  for (; !step.done; step = await pieces.next()) yield `${JSON.stringify(toLine(step.value))}\n`;
  yield `${JSON.stringify(toLast(step.value))}\n`;
}

const NANOSECONDS = 1e6;

/** Durations in nanoseconds, as Ollama reports them. */
function durations(startedAt: number, loadMs: number, firstTokenMs: number | undefined): object {
  const total = performance.now() - startedAt;
  const prompt = Math.max(0, (firstTokenMs ?? total) - loadMs);
  const nanoseconds = (milliseconds: number): number => Math.round(milliseconds * NANOSECONDS);
  return {
    total_duration: nanoseconds(total),
    load_duration: nanoseconds(loadMs),
    prompt_eval_duration: nanoseconds(prompt),
    eval_duration: nanoseconds(Math.max(0, total - loadMs - prompt)),
  };
}

function toImages(images: readonly string[] | null | undefined, field: string): RequestImage[] {
  return (images ?? []).map((image, index) => base64Image(image, `${field}[${index}]`));
}
