import type { ModelStatus } from '../models/model-entry.ts';
import { json, type Route } from '../routes/route.ts';

/** `GET /v1/models` and `/v1/models/:model`. */
export const modelRoutes: readonly Route[] = [
  {
    method: 'get',
    path: '/v1/models',
    tag: 'OpenAI',
    summary: 'The models of this server; the first one is the default',
    errors: 'openai',
    isQuiet: true,
    async handle({ server: { models, startedAt } }) {
      const data = (await models.list()).map((model) => describe(model, startedAt));
      return json({ object: 'list', data });
    },
  },
  {
    method: 'get',
    path: '/v1/models/:model{.+}',
    tag: 'OpenAI',
    summary: 'One model',
    errors: 'openai',
    isQuiet: true,
    async handle({ server: { models, startedAt }, params }) {
      return json(describe(await models.status(params['model'] ?? ''), startedAt));
    },
  },
];

function describe({ name, outline }: ModelStatus, created: number): object {
  const capabilities = [
    ...(outline?.kind === 'match' ? ['embedding', 'match'] : ['completion', 'vision', 'rank']),
    ...(outline?.modelType === 'instructblip' ? [] : ['heatmap']),
  ];
  return { id: name, object: 'model', created, owned_by: 'blip2', ...(outline && { capabilities }) };
}
