import { z } from 'zod';

import { samplingSchema } from '../openai/chat-schema.ts';
import { harmless, type RefusedFields } from '../requests/refused-fields.ts';

const options = z.looseObject({
  num_predict: z.int().nullish(),
  temperature: samplingSchema.temperature,
  top_p: samplingSchema.top_p,
  top_k: z.int().nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  seed: samplingSchema.seed,
  stop: samplingSchema.stop,
  repeat_penalty: z.number().gt(0).nullish(),
});
/** Fields of every request that generates. */
const common = {
  model: z.string().nullish(),
  stream: z.boolean().nullish(),
  options: options.nullish(),
  keep_alive: z.union([z.string(), z.number()]).nullish(),
  format: z.union([z.string(), z.record(z.string(), z.unknown())]).nullish(),
};
const images = z.array(z.string()).nullish();

/** Body of `/api/generate`. */
export const generateSchema = z.looseObject({
  ...common,
  prompt: z.string().nullish(),
  system: z.string().nullish(),
  images,
});
/** Body of `/api/chat`. */
export const chatSchema = z.looseObject({
  ...common,
  messages: z
    .array(z.looseObject({ role: z.enum(['system', 'user', 'assistant']), content: z.string().nullish(), images }))
    .nullish(),
});
/** Body of `/api/show`. */
export const showSchema = z.looseObject({ model: z.string().nullish(), name: z.string().nullish() });
/** Body of `/api/embed`. */
export const embedSchema = z.looseObject({
  model: z.string().nullish(),
  input: z.union([z.string(), z.array(z.string())]),
  keep_alive: common.keep_alive,
});
/** What `/api/generate` and `/api/chat` have in common. */
export type CommonBody = Pick<
  z.output<typeof generateSchema>,
  'model' | 'stream' | 'options' | 'keep_alive' | 'format'
>;

/** Fields that cannot be honoured. */
export const REFUSED_FIELDS: RefusedFields = {
  tools: harmless.empty,
  suffix: harmless.oneOf(''),
  template: harmless.oneOf(''),
  context: harmless.empty,
  raw: harmless.false,
  think: harmless.oneOf(false, 'none', 'false'),
};
/** Sampling options that cannot be honoured. */
export const REFUSED_OPTIONS: RefusedFields = {
  mirostat: harmless.zero,
  typical_p: harmless.oneOf(1),
  frequency_penalty: harmless.zero,
  presence_penalty: harmless.zero,
  tfs_z: harmless.oneOf(1),
};
