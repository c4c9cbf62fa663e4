import { chatCompletionsRoute } from '../openai/chat-completions.ts';
import { modelRoutes } from '../openai/models.ts';
import { healthRoutes } from './health.ts';
import type { Route } from './route.ts';

/** Every route of the server. */
export const ROUTES: readonly Route[] = [chatCompletionsRoute, ...modelRoutes, ...healthRoutes];
