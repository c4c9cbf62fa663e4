import { mustBe } from '@blip2/interfaces';
import { z } from 'zod';

import { errorBody } from '../requests/failure.ts';
import { base64Image, readImage, type RequestImage, urlImage } from '../requests/image-reader.ts';
import { type ModelUse, useModel } from '../routes/model-use.ts';
import { type Answer, json, postRoute, type Route, type RouteRequest } from '../routes/route.ts';
import type { Heatmap } from './heatmap.ts';

/** Cells along each side: (cells + cells / 4 - 1)² images are scored, so that more would take hours. */
const MAX_CELLS = 32;
const DEFAULT_CELLS = 8;

const heatmapSchema = z.looseObject({
  model: z.string().nullish(),
  image: z.string(),
  text: z.string(),
  question: z.string().nullish(),
  by: z.enum(['itm', 'itc']).nullish(),
  mode: z.enum(['hide', 'keep', 'both']).nullish(),
  cells: z.int().min(1).max(MAX_CELLS).nullish(),
  stream: z.boolean().nullish(),
});
type Body = z.output<typeof heatmapSchema>;

/**
 * `POST /v1/heatmap`: which regions of an image support a text. The default is the first retrieval checkpoint, else the
 * first model; with a question, the first generation checkpoint.
 */
export const heatmapRoute: Route = postRoute({
  path: '/v1/heatmap',
  tag: 'Heat maps',
  summary: 'The contribution of each region of an image to the score of a text; with stream, its progress as NDJSON',
  errors: 'openai',
  body: heatmapSchema,
  async handle(request): Promise<Answer> {
    const { body, server } = request;
    if (body.text.trim() === '') throw mustBe('text', 'a text that is not empty', body.text);
    const image = imageOf(body.image, server.limits);
    const use = await useModel(request, { name: body.model ?? (await defaultName(request)) });
    if (body.stream !== true) return json(await computed(request, use, image, () => undefined));
    return {
      kind: 'stream',
      contentType: 'application/x-ndjson',
      chunks: progressLines((onProgress) => computed(request, use, image, onProgress)),
      failureChunk: (failure) => line(errorBody(failure, 'openai')),
    };
  },
});

function imageOf(text: string, limits: RouteRequest['server']['limits']): RequestImage {
  return /^[a-z][a-z0-9+.-]*:/i.test(text) ? urlImage(text, 'image', limits) : base64Image(text, 'image');
}

async function defaultName({ body: { question }, server }: RouteRequest<Body>): Promise<string | undefined> {
  const kind = question ? 'text' : 'match';
  return (await server.models.list()).find(({ outline }) => outline?.kind === kind)?.name;
}

async function computed(
  { body, call, server: { limits, threads } }: RouteRequest<Body>,
  { name, model, progress }: ModelUse<'text' | 'match'>,
  image: RequestImage,
  onProgress: (done: number, total: number) => void,
): Promise<Heatmap & { readonly model: string }> {
  const { signal, notes } = call;
  notes.images = 1;
  const decoded = await readImage(image, model.resizing, { limits, threads, signal });
  const subject = { text: body.text, question: body.question || undefined, by: body.by ?? undefined };
  const heatmap = await model.heatmap(decoded, subject, {
    signal,
    mode: body.mode ?? 'hide',
    cells: body.cells ?? DEFAULT_CELLS,
    onProgress(done, total) {
      progress();
      onProgress(done, total);
    },
  });
  return { model: name, ...heatmap };
}

/** One line per batch of scored images, and the map as the last line. */
async function* progressLines(
  compute: (onProgress: (done: number, total: number) => void) => Promise<object>,
): AsyncGenerator<string> {
  let latest: { readonly done: number; readonly total: number } | undefined;
  let wake = (): void => undefined;
  const computing = compute((done, total) => {
    latest = { done, total };
    wake();
  });
  const finished = computing.then(
    () => true,
    () => true,
  );
  for (;;) {
    const changed = new Promise<false>((resolve) => (wake = () => resolve(false)));
    if (latest) {
      const progress = latest;
      latest = undefined;
      yield line({ progress });
      continue;
    }
    if (await Promise.race([finished, changed])) break;
  }
  yield line(await computing);
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}
