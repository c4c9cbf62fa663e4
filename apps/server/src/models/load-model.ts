import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2, Blip2Retrieval, InstructBlip, type LoadOptions } from '@blip2/blip2';
import { startModelHosts } from '@blip2/blip2/hosts';
import { readConfig } from '@blip2/config';
import { resolveSource } from '@blip2/hub';
import { Blip2Error, defined, unlessAborted } from '@blip2/interfaces';

import { matchModel } from './match-model.ts';
import type { ServedModel } from './served-model.ts';
import { blip2TextModel, instructBlipTextModel } from './text-model.ts';
import { createWatchdog } from './watchdog.ts';

/** What a checkpoint is, without loading it. */
export interface ModelOutline {
  readonly folder: string;
  /** `model_type` of `config.json`. */
  readonly modelType: string;
  readonly kind: ServedModel['kind'];
  /** Size of its weight files in bytes. */
  readonly bytes: number;
}

/** The class name of retrieval checkpoints in `architectures`. */
const RETRIEVAL = 'Blip2ForImageTextRetrieval';

/**
 * Reads what a checkpoint is. Downloads it if it is a hub id that the cache lacks.
 * @throws Blip2Error the codes of `resolveSource` and `readConfig`.
 */
export async function outlineModel(source: string, options: LoadOptions): Promise<ModelOutline> {
  const { revision, cacheDir, token, localFilesOnly, signal } = options;
  const folder = await resolveSource(source, defined({ revision, cacheDir, token, localFilesOnly, signal }));
  const config: Readonly<Record<string, unknown>> = Object(await readConfig(folder));
  const { model_type: modelType, architectures, qformer_config: qformer } = config;
  const isRetrieval =
    modelType !== 'instructblip' &&
    ((Array.isArray(architectures) && architectures.includes(RETRIEVAL)) ||
      (Object(qformer) as Readonly<Record<string, unknown>>)['use_qformer_text_input'] === true);
  return {
    folder,
    modelType: String(modelType),
    kind: isRetrieval ? 'match' : 'text',
    bytes: await weightBytes(folder),
  };
}

/** For how long a model has made no progress while it was in use. */
export interface Stall {
  milliseconds: number;
}

/** A model in memory. */
export interface LoadedModel extends AsyncDisposable {
  readonly model: ServedModel;
  readonly stall: Stall;
  /** Disposes of a model that may hang, without waiting for it. Its processes are killed if they do not end. */
  abandon(): void;
}

/**
 * Loads a checkpoint: BLIP-2, InstructBLIP or a retrieval checkpoint, according to its configuration.
 * @throws Blip2Error the codes of `fromPretrained`; `WORKER_FAILED` if there is no progress for `loadTimeoutMs`.
 */
export async function loadModel(
  outline: ModelOutline,
  options: LoadOptions,
  loadTimeoutMs: number,
): Promise<LoadedModel> {
  const { isolate = 'inline' } = options;
  const hosts = isolate === 'inline' ? undefined : startModelHosts({ isolate, language: outline.kind === 'text' });
  try {
    const model = await unlessHung(
      (onProgress) => loadKind(outline, { ...options, ...defined({ hosts }), onProgress }),
      options.onProgress,
      loadTimeoutMs,
    );
    const dispose = (): PromiseLike<void> => model[Symbol.asyncDispose]();
    const stall = { milliseconds: 0 };
    return { model, stall, abandon: () => (hosts ? hosts.abandon() : void dispose()), [Symbol.asyncDispose]: dispose };
  } catch (error) {
    hosts?.abandon();
    throw error;
  }
}

/** Gives up a model that makes no progress while it is loaded, such as one on a disk that does not answer. */
async function unlessHung<T extends AsyncDisposable>(
  load: (onProgress: NonNullable<LoadOptions['onProgress']>) => Promise<T>,
  onProgress: LoadOptions['onProgress'],
  milliseconds: number,
): Promise<T> {
  const hang = new AbortController();
  const watchdog = createWatchdog({ first: milliseconds, next: milliseconds }, () =>
    hang.abort(loadHung(milliseconds)),
  );
  try {
    const loading = load((progress) => {
      watchdog.progress();
      onProgress?.(progress);
    });
    // What is loaded after all has no user.
    loading.then(
      (model) => hang.signal.aborted && void model[Symbol.asyncDispose](),
      () => undefined,
    );
    return await unlessAborted(loading, hang.signal);
  } finally {
    watchdog.stop();
  }
}

function loadHung(milliseconds: number): Blip2Error {
  return new Blip2Error('WORKER_FAILED', `Loading the model has made no progress for ${milliseconds / 1000} s`, {
    fix: 'Send the request again; the model is then loaded again',
  });
}

async function loadKind({ folder, kind, modelType }: ModelOutline, options: LoadOptions): Promise<ServedModel> {
  if (kind === 'match') return matchModel(await Blip2Retrieval.fromPretrained(folder, options));
  return modelType === 'instructblip'
    ? instructBlipTextModel(await InstructBlip.fromPretrained(folder, options))
    : blip2TextModel(await Blip2.fromPretrained(folder, options));
}

async function weightBytes(folder: string): Promise<number> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.safetensors'));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}
