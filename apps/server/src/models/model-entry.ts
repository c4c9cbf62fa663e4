import type { BatchingStatus } from '@blip2/blip2';
import { Blip2Error, defined } from '@blip2/interfaces';

import type { LoadedModel, ModelOutline } from './load-model.ts';
import { createRequestQueue, type RequestQueue, type RequestQueueOptions } from './request-queue.ts';
import type { ServedModel } from './served-model.ts';

/** A model that clients can name. */
export interface NamedSource {
  readonly name: string;
  /** Folder of a checkpoint, or a hub id. */
  readonly source: string;
}

/** What is known about a model, loaded or not. */
export interface ModelStatus {
  readonly name: string;
  readonly source: string;
  readonly outline: ModelOutline | undefined;
  readonly isLoaded: boolean;
  /** When an idle model is unloaded, in milliseconds since the epoch; absent: never. */
  readonly expiresAt?: number;
  readonly queue: RequestQueue;
  /** What the requests of a loaded model share. */
  readonly batching?: BatchingStatus;
}

/** A model of a registry, and its state. */
export interface Entry extends NamedSource {
  readonly queue: RequestQueue;
  outline: Promise<ModelOutline> | undefined;
  knownOutline: ModelOutline | undefined;
  loading: Promise<LoadedModel> | undefined;
  /** The model, once it is loaded. */
  model: ServedModel | undefined;
  users: number;
  usedAt: number;
  keepAliveMs: number;
  expiresAt: number | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** Options of all entries. */
export interface EntryOptions extends RequestQueueOptions {
  readonly keepAliveMs: number;
}

/** Milliseconds that a model has to be disposed of when the server ends. */
const DISPOSAL_MS = 10_000;

export async function disposeSoon(model: LoadedModel): Promise<void> {
  const timer = setTimeout(model.abandon, DISPOSAL_MS);
  await model[Symbol.asyncDispose]();
  clearTimeout(timer);
}

/** Maximum length of a name in messages. */
export const MAX_SHOWN_LENGTH = 80;
/** The longest time that a timer of Node can wait. */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

export function createEntry(model: NamedSource, { keepAliveMs, ...limits }: EntryOptions): Entry {
  return {
    ...model,
    queue: createRequestQueue(limits),
    outline: undefined,
    knownOutline: undefined,
    loading: undefined,
    model: undefined,
    users: 0,
    usedAt: 0,
    keepAliveMs,
    expiresAt: undefined,
    timer: undefined,
  };
}

export function statusOf({ name, source, knownOutline: outline, model, expiresAt, queue }: Entry): ModelStatus {
  const batching = model?.kind === 'text' ? model.batching : undefined;
  return { name, source, outline, isLoaded: model !== undefined, queue, ...defined({ expiresAt, batching }) };
}

export function wrongKind(kind: ServedModel['kind'] | undefined, name: string): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', 'This route needs a model of another kind', {
    argument: 'model',
    expected: kind === 'match' ? 'a retrieval checkpoint' : 'a checkpoint with a language model',
    got: name,
  });
}

export function noMemory(name: string, bytes: number, limit: number): Blip2Error {
  return new Blip2Error('QUEUE_FULL', `No memory for the model ${name} while others are in use`, {
    expected: `at most ${limit} bytes of weights`,
    got: `${bytes} bytes more`,
    fix: 'Send it again later, or raise the memory limit',
  });
}
