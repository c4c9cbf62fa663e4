import type { ChatMessage } from '@blip2/blip2/messages';
import { mustBe } from '@blip2/interfaces';
import { z } from 'zod';

import { type ImageLimits, type RequestImage, urlImage } from '../requests/image-reader.ts';
import { harmless, type RefusedFields } from '../requests/refused-fields.ts';

/** Most choices of one request. */
const MAX_CHOICES = 16;
/** Most alternatives of a token, as at OpenAI. */
const MAX_TOP_LOGPROBS = 20;
/** Most stop strings of a request, and their length. */
const MAX_STOPS = 16;
const MAX_STOP_LENGTH = 200;

const stop = z.string().max(MAX_STOP_LENGTH);
/** Fields of sampling that several APIs share. */
export const samplingSchema = {
  temperature: z.number().min(0).max(10).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  // Also beyond 2 ** 53, where clients draw seeds of 64 bits.
  seed: z.number().refine(Number.isInteger, { error: 'a whole number' }).meta({ type: 'integer' }).nullish(),
  stop: z.union([stop, z.array(stop).max(MAX_STOPS)]).nullish(),
};
/** A positive whole number, or absent. */
export const count = z.int().min(1).nullish();

const textPart = z.looseObject({ type: z.enum(['text', 'input_text']), text: z.string() });
const imagePart = z.looseObject({
  type: z.literal('image_url'),
  image_url: z.union([z.string(), z.looseObject({ url: z.string() })]),
});
const parts = z.array(z.discriminatedUnion('type', [textPart, imagePart]));

/** A message with text and images. */
export const messageSchema = z.looseObject({
  role: z.enum(['system', 'developer', 'user', 'assistant']),
  content: z.union([z.string(), parts]).nullish(),
});

/** Body of `/v1/chat/completions`. */
export const chatSchema = z.looseObject({
  model: z.string().nullish(),
  messages: z.array(messageSchema).min(1),
  max_tokens: count,
  max_completion_tokens: count,
  ...samplingSchema,
  top_k: z.int().nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().gt(0).nullish(),
  n: z.int().min(1).max(MAX_CHOICES).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(MAX_TOP_LOGPROBS).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  response_format: z
    .looseObject({
      type: z.string(),
      json_schema: z.looseObject({ name: z.string().nullish(), schema: z.unknown().optional() }).nullish(),
    })
    .nullish(),
});
export type ChatBody = z.output<typeof chatSchema>;

/** Fields of chat completions that cannot be honoured. */
export const REFUSED_CHAT_FIELDS: RefusedFields = {
  tools: harmless.empty,
  tool_choice: harmless.oneOf('none', 'auto'),
  functions: harmless.empty,
  function_call: harmless.oneOf('none', 'auto'),
  logit_bias: harmless.empty,
  frequency_penalty: harmless.zero,
  presence_penalty: harmless.zero,
  audio: harmless.never,
  modalities: (value) => Array.isArray(value) && value.every((name) => name === 'text'),
  web_search_options: harmless.never,
  best_of: harmless.oneOf(1),
  use_beam_search: harmless.false,
  guided_choice: harmless.never,
  guided_json: harmless.never,
  guided_regex: harmless.never,
  guided_grammar: harmless.never,
  structured_outputs: harmless.never,
  min_tokens: harmless.zero,
  ignore_eos: harmless.false,
  length_penalty: harmless.oneOf(1),
  bad_words: harmless.empty,
  stop_token_ids: harmless.empty,
  allowed_token_ids: harmless.never,
  include_stop_str_in_output: harmless.false,
  echo: harmless.false,
  continue_final_message: harmless.false,
  grammar: harmless.oneOf(''),
  typical_p: harmless.oneOf(1),
};

/**
 * Converts the messages of OpenAI's format.
 * @throws Blip2Error `INVALID_ARGUMENT` for an image that is not a `data:` URL.
 */
export function chatMessages(messages: ChatBody['messages'], limits: ImageLimits): ChatMessage[] {
  return messages.map(({ role, content }, index) => {
    const where = `messages[${index}].content`;
    const list = typeof content === 'string' ? [{ type: 'text' as const, text: content }] : (content ?? []);
    const images = list.flatMap((part, at): RequestImage[] =>
      part.type === 'image_url' ? [urlImage(urlOf(part.image_url), `${where}[${at}].image_url.url`, limits)] : [],
    );
    if (images.length > 0 && role !== 'user') throw mustBe(where, 'text only', content);
    return {
      role: role === 'developer' ? 'system' : role,
      text: list.flatMap((part) => (part.type === 'image_url' ? [] : part.text)).join('\n'),
      images,
    };
  });
}

function urlOf(image: string | { readonly url: string }): string {
  return typeof image === 'string' ? image : image.url;
}
