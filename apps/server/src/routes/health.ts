import { json, type Route } from './route.ts';

const BASE = { method: 'get', tag: 'Health', errors: 'plain', isOpen: true, isQuiet: true } as const;

/** Health and metrics. Health needs no key. */
export const healthRoutes: readonly Route[] = [
  { ...BASE, path: '/health/live', summary: 'The server runs', handle: () => json({ status: 'live' }) },
  ...['/health/ready', '/health'].map((path): Route => ({
    ...BASE,
    path,
    summary: 'The default model is loaded, and requests are accepted; otherwise 503',
    handle({ server }) {
      const [first] = server.models.known();
      const isFull = (first?.queue.waiting ?? 0) >= server.limits.maxWaiting && server.limits.maxWaiting > 0;
      const status = server.isEnding() ? 'ending' : !first?.isLoaded ? 'loading' : isFull ? 'full' : 'ready';
      return { kind: 'json', body: { status }, status: status === 'ready' ? 200 : 503 };
    },
  })),
  {
    ...BASE,
    isOpen: false,
    path: '/metrics',
    summary: 'Metrics in the format of Prometheus, named after those of vLLM',
    async handle({ server: { metrics } }) {
      return { kind: 'text', text: await metrics.text(), contentType: metrics.contentType };
    },
  },
];
