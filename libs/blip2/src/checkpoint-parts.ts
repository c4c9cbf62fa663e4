import { type Blip2Config, readConfig } from '@blip2/config';
import { resolveSource } from '@blip2/hub';
import { Blip2Error } from '@blip2/interfaces';
import type {
  Blip2QFormerModel,
  LanguageProjection,
  MatchingHead,
  RetrievalProjection,
  TextConditionedQFormer,
} from '@blip2/qformer';
import { createPartHost, expectDevice, type PartHost } from '@blip2/runtime';
import type { Blip2VisionModel, LoadVisionOptions } from '@blip2/vision';

import { type LoadOptions, partOptions } from './load-options.ts';
import type { ModelConfig } from './model-config.ts';
import {
  type ModelFolders,
  type ModelSources,
  readSourcesConfig,
  resolveSources,
  sameFolder,
} from './model-sources.ts';
import { modelThreads } from './model-threads.ts';
import { once } from './once.ts';
import type { CheckpointLanguageModel, LoaderName } from './part-loaders.ts';
import * as loaders from './part-loaders.ts';

/**
 * The parts of one checkpoint. Each is made when it is first asked for; in workers the language model has one, and all
 * others have one.
 */
export interface CheckpointParts<C extends ModelConfig = Blip2Config> extends AsyncDisposable {
  /** Of the Q-Former and the configuration; where there is one source, of everything. */
  readonly folder: string;
  /** Of each part. */
  readonly folders: ModelFolders;
  /** Of the whole model, defaults filled in. */
  readonly config: C;
  /** Starts the language model's thread, where it is to have one, while other parts are made. */
  startLanguage(): void;
  /**
   * The encoder. Of every part: what the checkpoint does not hold of it is `MISSING_WEIGHT` when it is first used;
   * `DISPOSED` after disposal.
   */
  vision(): Promise<Blip2VisionModel>;
  /** The Q-Former of generation checkpoints, which reads patches alone. */
  qformer(): Promise<Blip2QFormerModel>;
  /** From the Q-Former's width to the language model's. */
  projection(): Promise<LanguageProjection>;
  /** OPT, T5 or Llama, as the configuration says. */
  language(): Promise<CheckpointLanguageModel>;
  /** Of InstructBLIP and of retrieval checkpoints; the three heads below are of the latter alone. */
  textQFormer(): Promise<TextConditionedQFormer>;
  /** Queries → vectors of length 1, `[images, queries, size]`. */
  visionProjection(): Promise<RetrievalProjection>;
  /** States of a text → vectors of length 1, `[texts, sequence, size]`. */
  textProjection(): Promise<RetrievalProjection>;
  /** Queries that have read a text → `[pairs, 2]`, column 1 "matches", before softmax. */
  matchingHead(): Promise<MatchingHead>;
}

/** The module of the loaders, for a worker to import. */
const LOADERS = new URL('./part-loaders.js', import.meta.url);

/**
 * Opens a model in the Hugging Face layout or with the names of LAVIS, from one folder or from one for each part.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_CONFIG`, `UNSUPPORTED_ARCHITECTURE`; `INVALID_ARGUMENT`,
 * `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`, `UNSUPPORTED_DEVICE` for options; of a
 * hub id also `NOT_FOUND`, `UNAUTHORIZED`, `OFFLINE`, `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`; what the weights lack is
 * found when the parts are put together.
 */
export async function openCheckpointParts(
  source: string | ModelSources,
  options: LoadOptions = {},
): Promise<CheckpointParts> {
  await expectOptions(options);
  const folders = await resolveSources(source, options);
  return openFolders(folders, await readSourcesConfig(folders), options);
}

/** The same for any whole model in one folder, whose configuration `read` understands. */
export async function openModelParts<C extends ModelConfig>(
  read: (json: unknown, where: string) => C,
  source: string,
  options: LoadOptions = {},
): Promise<CheckpointParts<C>> {
  await expectOptions(options);
  const folder = await resolveSource(source, options);
  return openFolders(sameFolder(folder), read(await readConfig(folder), folder), options);
}

/** Checks what can be checked before anything is downloaded or read. */
export async function expectOptions(options: LoadOptions): Promise<void> {
  partOptions(options);
  // Sessions of one's own have devices of their own.
  if (!options.createSession) await expectDevice(options.device ?? 'cpu');
}

async function openFolders<C extends ModelConfig>(
  folders: ModelFolders,
  config: C,
  options: LoadOptions,
): Promise<CheckpointParts<C>> {
  const folder = folders.qformer;
  // The language model gets ready while the others look at an image.
  const hosts =
    options.isolate === 'worker'
      ? { seeing: createPartHost({ isolate: 'worker' }), writing: createPartHost({ isolate: 'worker' }) }
      : undefined;
  const threads = await modelThreads(folders, options, hosts?.seeing);
  const optionsOf = partOptions({ ...options, ...(threads !== undefined && { threads }) });
  hosts?.seeing.start(LOADERS);
  const made: AsyncDisposable[] = [];
  let disposed = false;
  const expectOpen = (): void => {
    if (disposed)
      throw new Blip2Error('DISPOSED', 'The parts of this checkpoint have been disposed', {
        where: folder,
        fix: 'Load it again',
      });
  };
  const part = <Name extends LoaderName>(
    name: Name,
    from = folder,
    more: Pick<LoadVisionOptions, 'finalNorm'> = {},
  ): (() => ReturnType<(typeof loaders)[Name]>) =>
    once(async () => {
      expectOpen();
      const forPart = { ...optionsOf(loaders.PRECISION_OF[name]), ...more };
      const host = name === 'loadLanguageModel' ? hosts?.writing : hosts?.seeing;
      const created = host ? await createInHost(host, name, [from, forPart]) : await loaders[name](from, forPart);
      made.push(created);
      return created;
    }) as () => ReturnType<(typeof loaders)[Name]>;
  return {
    folder,
    folders,
    config,
    startLanguage: () => hosts?.writing.start(LOADERS),
    vision: part('loadVision', folders.vision, folders.finalNorm === undefined ? {} : { finalNorm: folders.finalNorm }),
    qformer: part('loadQFormer'),
    projection: part('loadLanguageProjection'),
    language: part('loadLanguageModel', folders.language),
    textQFormer: part('loadTextQFormer'),
    visionProjection: part('loadVisionProjection'),
    textProjection: part('loadTextProjection'),
    matchingHead: part('loadMatchingHead'),
    async [Symbol.asyncDispose]() {
      disposed = true;
      for (const created of made.splice(0).reverse()) await created[Symbol.asyncDispose]();
      await hosts?.writing[Symbol.asyncDispose]();
      await hosts?.seeing[Symbol.asyncDispose]();
    },
  };
}

function createInHost(host: PartHost, name: LoaderName, args: readonly unknown[]): Promise<AsyncDisposable> {
  return host.create({ module: LOADERS.href, export: name, args });
}
