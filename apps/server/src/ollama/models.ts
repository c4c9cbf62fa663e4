import { createHash } from 'node:crypto';

import type { ModelStatus } from '../models/model-entry.ts';
import { useModel } from '../routes/model-use.ts';
import { tooMany } from '../routes/ranked-choice.ts';
import { json, postRoute, type Route } from '../routes/route.ts';
import { VERSION } from '../version.ts';
import { keepAliveMs } from './keep-alive.ts';
import { embedSchema, showSchema } from './schema.ts';

const GET = { method: 'get', tag: 'Ollama', errors: 'plain', isQuiet: true } as const;

/** The routes of Ollama about models, and its embeddings. */
export const ollamaModelRoutes: readonly Route[] = [
  {
    ...GET,
    path: '/api/tags',
    summary: 'The models of this server',
    async handle({ server }) {
      return json({ models: (await server.models.list()).map(describe) });
    },
  },
  {
    ...GET,
    path: '/api/ps',
    summary: 'The models in memory',
    async handle({ server }) {
      const loaded = (await server.models.list()).filter(({ isLoaded }) => isLoaded);
      return json({
        models: loaded.map((status) => ({
          ...describe(status),
          expires_at: new Date(status.expiresAt ?? NEVER).toISOString(),
          size_vram: 0,
        })),
      });
    },
  },
  { ...GET, path: '/api/version', summary: 'The version of this server', handle: () => json({ version: VERSION }) },
  postRoute({
    path: '/api/show',
    tag: 'Ollama',
    summary: 'One model and what it can do',
    errors: 'plain',
    isQuiet: true,
    body: showSchema,
    async handle({ server, body }) {
      const name = body.model ?? body.name ?? server.models.known()[0]?.name ?? '';
      const status = await server.models.status(name);
      const { details, modified_at: modifiedAt } = describe(status);
      const capabilities = status.outline?.kind === 'match' ? ['embedding'] : ['completion', 'vision'];
      const info = { 'general.architecture': status.outline?.modelType ?? '' };
      return json({
        modelfile: '',
        parameters: '',
        template: '',
        details,
        model_info: info,
        capabilities,
        modified_at: modifiedAt,
      });
    },
  }),
  postRoute({
    path: '/api/embed',
    tag: 'Ollama',
    summary: 'Features of texts, as vectors of length 1',
    errors: 'plain',
    body: embedSchema,
    async handle(request) {
      const { body, call, server } = request;
      const texts = [body.input].flat();
      if (texts.length > server.limits.maxTexts) throw tooMany('input', texts.length, server.limits.maxTexts);
      const alive = keepAliveMs(body.keep_alive);
      const { name, model } = await useModel(request, { name: body.model, kind: 'match', keepAliveMs: alive });
      const vectors = await model.embedTexts(texts, { signal: call.signal });
      call.notes.promptTokens = texts.reduce((sum, text) => sum + model.countTokens(text), 0);
      return json({
        model: name,
        embeddings: vectors.map((vector) => [...vector]),
        total_duration: Math.round((performance.now() - call.startedAt) * 1e6),
        load_duration: 0,
        prompt_eval_count: call.notes.promptTokens,
      });
    },
  }),
];

/** When a model is unloaded that never is. */
const NEVER: number = Date.UTC(9999, 0);

function describe({ name, source, outline }: ModelStatus) {
  const family = outline?.modelType ?? 'blip-2';
  return {
    name,
    model: name,
    modified_at: new Date(0).toISOString(),
    size: outline?.bytes ?? 0,
    // Identifies the model on this server; its files have no common digest.
    digest: createHash('sha256')
      .update(`${source} ${outline?.bytes ?? 0}`)
      .digest('hex'),
    details: {
      parent_model: '',
      format: 'safetensors',
      family,
      families: [family],
      parameter_size: '',
      quantization_level: '',
    },
  };
}
