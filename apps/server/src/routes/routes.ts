import { decisionsRoute } from '../decisions/decisions.ts';
import { systemoneRoute } from '../decisions/systemone.ts';
import { heatmapRoute } from '../heatmap/heatmap-route.ts';
import { huggingFaceRoutes } from '../hugging-face/tasks.ts';
import { kserveRoutes } from '../kserve/infer.ts';
import { generateRoutes } from '../ollama/generate.ts';
import { ollamaModelRoutes } from '../ollama/models.ts';
import { chatCompletionsRoute } from '../openai/chat-completions.ts';
import { embeddingsRoute } from '../openai/embeddings.ts';
import { modelRoutes } from '../openai/models.ts';
import { openApiRoute } from '../openapi/openapi-route.ts';
import { healthRoutes } from './health.ts';
import type { Route } from './route.ts';

const ANSWERING: readonly Route[] = [
  chatCompletionsRoute,
  ...modelRoutes,
  decisionsRoute,
  systemoneRoute,
  heatmapRoute,
  ...generateRoutes,
  ...ollamaModelRoutes,
  embeddingsRoute,
  ...huggingFaceRoutes,
  ...kserveRoutes,
  ...healthRoutes,
];

/** Every route of the server. */
export const ROUTES: readonly Route[] = [...ANSWERING, openApiRoute(ANSWERING)];
