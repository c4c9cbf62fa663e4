import type { KeptImage } from '@blip2/blip2';
import { Blip2Error } from '@blip2/interfaces';

import type { ServedModel } from '../models/served-model.ts';
import { createWatchdog } from '../models/watchdog.ts';
import { readImage, type RequestImage } from '../requests/image-reader.ts';
import type { RouteRequest } from './route.ts';

/** A model that a request uses until it ends. */
export interface ModelUse<Kind extends ServedModel['kind']> {
  readonly name: string;
  readonly model: Extract<ServedModel, { readonly kind: Kind }>;
  /** Called after each step of the model. */
  progress(): void;
}

/** How a model is named. */
export interface ModelChoice<Kind extends ServedModel['kind']> {
  /** Absent: the default. */
  readonly name: string | null | undefined;
  /** Absent: any kind. */
  readonly kind?: Kind;
  /** Milliseconds; absent: that of the server. */
  readonly keepAliveMs?: number | undefined;
}

/**
 * Waits for a model. If it makes no progress for a long time, the request ends with `WORKER_FAILED` and the model is
 * replaced.
 * @throws Blip2Error the codes of `ModelRegistry.acquire`.
 */
export async function useModel<Kind extends ServedModel['kind']>(
  { server: { models, limits }, call }: RouteRequest,
  { name, kind, keepAliveMs }: ModelChoice<Kind>,
): Promise<ModelUse<Kind>> {
  const request = { name: name ?? undefined, keepAliveMs, ...(kind && { kind }) };
  const lease = call.use(await models.acquire<Kind>(request, call.signal));
  call.notes.model = lease.name;
  const begin = performance.now();
  let hasProgressed = false;
  // Requests whose deadline is short must not hide that their model hangs: what they have waited counts.
  const times = { first: Math.max(1, limits.hangTimeoutMs - lease.stall.milliseconds), next: limits.hangTimeoutMs };
  const watchdog = createWatchdog(times, () => {
    call.abort(hung(limits.hangTimeoutMs));
    lease.replace();
  });
  call.use({
    async [Symbol.asyncDispose]() {
      watchdog.stop();
      if (!hasProgressed && call.signal.aborted) lease.stall.milliseconds += performance.now() - begin;
    },
  });
  const progress = (): void => {
    hasProgressed = true;
    lease.stall.milliseconds = 0;
    watchdog.progress();
  };
  return { name: lease.name, model: lease.model, progress };
}

/** Decodes and encodes the image of a request, once for all its prompts. */
export async function encodeImage(
  { server: { limits, threads }, call }: RouteRequest,
  { model, progress }: ModelUse<'text'>,
  image: RequestImage,
): Promise<KeptImage> {
  const begin = performance.now();
  call.notes.images = 1;
  const decoded = await readImage(image, model.resizing, { limits, threads, signal: call.signal });
  const encoded = call.use(await model.encode(decoded, { signal: call.signal }));
  call.notes.encodeMs = performance.now() - begin;
  progress();
  return encoded;
}

function hung(milliseconds: number): Blip2Error {
  return new Blip2Error('WORKER_FAILED', `The model has made no progress for ${milliseconds / 1000} s`, {
    fix: 'It is being loaded again; send the request again',
  });
}
