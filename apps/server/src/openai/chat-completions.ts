import type { KeptImage, TaskOptions } from '@blip2/blip2';
import { choiceJson, choiceSchema, generationSettings, type ImagePrompt, toConversation } from '@blip2/blip2/messages';
import { Blip2Error, defined, mustBe } from '@blip2/interfaces';

import { refuseFields } from '../requests/refused-fields.ts';
import { encodeImage, type ModelUse, useModel } from '../routes/model-use.ts';
import { bestOf, choicePrompt, rankValues } from '../routes/ranked-choice.ts';
import { type Answer, json, postRoute, type Route, type RouteRequest } from '../routes/route.ts';
import { generateText } from '../routes/text-generation.ts';
import { chatAnswer, type ChatEvent, chatStream } from './chat-answer.ts';
import { type ChatBody, chatMessages, chatSchema, REFUSED_CHAT_FIELDS } from './chat-schema.ts';
import { createTopTokens, logProbEntries } from './log-probs.ts';

/** `POST /v1/chat/completions`. */
export const chatCompletionsRoute: Route = postRoute({
  path: '/v1/chat/completions',
  tag: 'OpenAI',
  summary: 'Describes an image, or answers a question about it',
  errors: 'openai',
  body: chatSchema,
  async handle(request): Promise<Answer> {
    const { body, server, call } = request;
    refuseFields(body, REFUSED_CHAT_FIELDS);
    const choice = responseChoice(body);
    expectLogProbs(body, choice !== undefined);
    const { image, prompt } = toConversation(chatMessages(body.messages, server.limits));
    const use = await useModel(request, { name: body.model, kind: 'text' });
    const encoded = await encodeImage(request, use, image);
    const events =
      choice === undefined
        ? textEvents(request, use, encoded, prompt)
        : choiceEvents(request, use, encoded, { prompt: choicePrompt(prompt, choice), choice });
    const head = { id: `chatcmpl-${call.id}`, created: Math.floor(Date.now() / 1000), model: use.name };
    if (body.stream !== true) return json(await chatAnswer(head, events));
    return chatStream(head, events, body.stream_options?.include_usage === true);
  },
});

/** The schema of a `response_format` that is answered by ranking. */
function responseChoice({ response_format: format }: ChatBody): ReturnType<typeof choiceSchema> | undefined {
  if (!format || format.type === 'text') return undefined;
  if (format.type === 'json_schema') return choiceSchema(format.json_schema?.schema, 'response_format');
  throw new Blip2Error('UNSUPPORTED_FIELD', 'response_format is not supported, and would change the answer', {
    argument: 'response_format',
    expected: 'text, or a json_schema with one enum property',
    got: format.type.slice(0, 80),
  });
}

function expectLogProbs(
  { logprobs, top_logprobs: top, repetition_penalty: penalty }: ChatBody,
  isRanked: boolean,
): void {
  if (top && logprobs !== true) throw mustBe('logprobs', 'true with top_logprobs', logprobs);
  if (logprobs === true && isRanked)
    throw new Blip2Error('UNSUPPORTED_FIELD', 'logprobs is not supported with a schema', { argument: 'logprobs' });
  if (top && penalty && penalty !== 1)
    throw new Blip2Error('UNSUPPORTED_FIELD', 'top_logprobs is not supported with repetition_penalty', {
      argument: 'top_logprobs',
    });
}

/** The choices of a request one after another: each is a text of its own about the same encoded image. */
async function* textEvents(
  request: RouteRequest<ChatBody>,
  use: ModelUse<'text'>,
  image: KeptImage,
  prompt: ImagePrompt,
): AsyncGenerator<ChatEvent> {
  const { body, server } = request;
  const count = body.n ?? 1;
  const settings = generationSettings(
    {
      ...body,
      maxTokens: body.max_completion_tokens ?? body.max_tokens,
      // The same text n times is of no use; 1 is OpenAI's default.
      temperature: body.temperature ?? (count > 1 ? 1 : undefined),
      topP: body.top_p,
      topK: body.top_k,
      minP: body.min_p,
      repetitionPenalty: body.repetition_penalty,
    },
    server.limits,
  );
  for (let index = 0; index < count; index++) {
    const tops = createTopTokens(body.top_logprobs ?? 0);
    const own: TaskOptions = {
      ...settings,
      ...defined({ seed: settings.seed === undefined ? undefined : (settings.seed + index) % 2 ** 32 }),
      ...(body.top_logprobs ? { logitsProcessors: [tops.observe] } : {}),
    };
    const steps = generateText(request, use, { image, prompt, settings: own });
    let step = await steps.next();
    for (; !step.done; step = await steps.next()) {
      const { text, tokens } = step.value;
      const logProbs = body.logprobs
        ? logProbEntries(tokens, tops.take(tokens.length), use.model.tokenText)
        : undefined;
      yield { kind: 'piece', index, text, ...defined({ logProbs }) };
    }
    yield { kind: 'end', index, ...step.value };
  }
}

/** One choice: the best value of a schema as JSON. */
async function* choiceEvents(
  request: RouteRequest<ChatBody>,
  use: ModelUse<'text'>,
  image: KeptImage,
  { prompt, choice }: { readonly prompt: ImagePrompt; readonly choice: ReturnType<typeof choiceSchema> },
): AsyncGenerator<ChatEvent> {
  if ((request.body.n ?? 1) > 1)
    throw new Blip2Error('UNSUPPORTED_FIELD', 'n is not supported with a schema: there is one best answer', {
      argument: 'n',
    });
  const ranked = await rankValues(request, use, { image, prompt, values: choice.values, field: 'response_format' });
  const { value, tokenIds, logProb } = bestOf(ranked);
  yield { kind: 'piece', index: 0, text: choiceJson(choice, value) };
  yield {
    kind: 'end',
    index: 0,
    finishReason: 'stop',
    promptTokens: use.model.promptTokens(image, prompt),
    newTokens: tokenIds.length,
    logProb,
  };
}
