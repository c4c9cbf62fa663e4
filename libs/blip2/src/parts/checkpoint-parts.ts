import { type ModelVersion, readModelVersion } from '@blip2/checkpoint';
import { Blip2Config } from '@blip2/config';
import { Blip2Error, defined, unlessAborted } from '@blip2/interfaces';
import type { CheckpointLanguageModel } from '@blip2/language';
import type {
  Blip2QFormerModel,
  LanguageProjection,
  MatchingHead,
  RetrievalProjection,
  TextConditionedQFormer,
} from '@blip2/qformer';
import { effectiveIsolation, expectDevice, type Isolation, type PartHost, type PartSpec } from '@blip2/runtime';
import type { CheckpointVisionEncoder, LoadVisionOptions } from '@blip2/vision';

import { type CheckpointAdapters, openCheckpointAdapters } from '../adapters/checkpoint-adapters.ts';
import type { AdapterSelection } from '../adapters/named-adapters.ts';
import { createPartSwitches } from '../adapters/part-switches.ts';
import { type ResolvedModel, resolveModel } from '../adapters/resolved-model.ts';
import type { ConfigReader, ModelConfig } from '../checkpoint/model-config.ts';
import { type ModelFolders, type ModelSources, readSourcesConfig } from '../checkpoint/model-sources.ts';
import { type CallQueue, createCallQueue } from '../lifetime/call-queue.ts';
import { lazyPromise } from '../lifetime/lazy-promise.ts';
import { type LoadOptions, partOptions } from './load-options.ts';
import { createModelHosts, languageLoader, visionLoaders } from './model-hosts.ts';
import { modelThreads } from './model-threads.ts';
import { type LoaderName, partLoaders, PATHS_OF, PRECISION_OF } from './part-loaders.ts';

/**
 * The parts of one checkpoint. Each is created on first request; `MISSING_WEIGHT` is thrown when a part is first used.
 * With `isolate: 'worker'` or `'process'` there are two workers, one for the language model and one for all other
 * parts.
 */
export interface CheckpointParts<C extends ModelConfig = Blip2Config> extends AsyncDisposable {
  /** The folder of Q-Former and configuration; with a single source, of everything. */
  readonly folder: string;
  /** The folder of each part. */
  readonly folders: ModelFolders;
  /** The configuration of the whole model, with defaults filled in. */
  readonly config: C;
  /**
   * Compares all files of the folders with those that existed when the checkpoint was opened.
   * @throws Blip2Error `MODEL_CHANGED`
   */
  requireUnchanged(): Promise<void>;
  /** The calls of the model. */
  readonly queue: CallQueue;
  /** The adapters that the checkpoint was opened with; undefined without any. */
  readonly adapters: CheckpointAdapters | undefined;
  /**
   * Applies other adapters, by the names under which they were loaded; null for none. Waits for calls in progress. Only
   * parts whose adapters change are loaded again. Images that were encoded before keep their features.
   * @throws Blip2Error `INVALID_ARGUMENT` for other names; `DISPOSED`; `MODEL_CHANGED`.
   */
  setAdapters(names: AdapterSelection): Promise<void>;
  /** Starts the worker of the language model, if any, while other parts are created. */
  startLanguage(): void;
  /**
   * The vision encoder, of the family in the configuration.
   * @throws Blip2Error `DISPOSED`, `MODEL_CHANGED`, as all other parts.
   */
  vision(): Promise<CheckpointVisionEncoder>;
  /** The Q-Former of BLIP-2 generation checkpoints, without text input. */
  qformer(): Promise<Blip2QFormerModel>;
  /** From the width of the Q-Former to that of the language model. */
  projection(): Promise<LanguageProjection>;
  /** The language model, of the family in the configuration. */
  language(): Promise<CheckpointLanguageModel>;
  /** The Q-Former of InstructBLIP and retrieval checkpoints. Only the latter have the three heads below. */
  textQFormer(): Promise<TextConditionedQFormer>;
  /** Query outputs → unit vectors `[images, queries, size]`. */
  visionProjection(): Promise<RetrievalProjection>;
  /** Hidden states of a text → unit vectors `[texts, sequence, size]`. */
  textProjection(): Promise<RetrievalProjection>;
  /** Query outputs for image and text → logits `[pairs, 2]`, column 1 is "matches". */
  matchingHead(): Promise<MatchingHead>;
}

/**
 * Opens a model in the Hugging Face layout or with LAVIS parameter names, from one source or one per part. Missing
 * weights are detected when a model is assembled.
 * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`, `UNSUPPORTED_DEVICE` for options;
 * `MISSING_FILE`, `INVALID_CONFIG`, `UNSUPPORTED_ARCHITECTURE` for the contents of the source; for a Hub id also
 * `NOT_FOUND`, `UNAUTHORIZED`, `OFFLINE`, `DOWNLOAD_FAILED`, `INTEGRITY_FAILED`.
 */
export async function openCheckpointParts(
  source: string | ModelSources,
  options: LoadOptions = {},
): Promise<CheckpointParts> {
  return openModelParts(Blip2Config, source, options);
}

/**
 * Opens a whole model of any kind, whose configurations `format` reads, from one source or one per part.
 * @throws Blip2Error the codes of `openCheckpointParts`.
 */
export async function openModelParts<C extends ModelConfig>(
  format: ConfigReader<C>,
  source: string | ModelSources,
  options: LoadOptions = {},
): Promise<CheckpointParts<C>> {
  await expectOptions(options);
  const { folders, adapters } = await resolveModel(source, options);
  const version = await readModelVersion([...Object.values(folders), ...adapters.folders.values()]);
  return openFolders({ folders, adapters }, await readSourcesConfig(format, folders), version, options);
}

/**
 * Checks load options, before anything is downloaded or read.
 * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `UNSUPPORTED_DTYPE`, `UNSUPPORTED_DEVICE`.
 */
export async function expectOptions(options: LoadOptions): Promise<void> {
  partOptions(options);
  // A custom session factory chooses its own device.
  if (!options.createSession) await expectDevice(options.device ?? 'cpu');
}

/** Where the parts run. A custom session factory can only be called on the calling thread. */
export function isolationOf({ hosts, isolate = 'inline', createSession }: LoadOptions): Isolation {
  if (hosts) return hosts.vision.isolate;
  return createSession ? isolate : effectiveIsolation(isolate);
}

async function openFolders<C extends ModelConfig>(
  { folders, adapters: named }: ResolvedModel,
  config: C,
  version: ModelVersion,
  options: LoadOptions,
): Promise<CheckpointParts<C>> {
  const folder = folders.qformer;
  const adapters = await openCheckpointAdapters(named, folders, config);
  const isolate = isolationOf(options);
  const hosts = options.hosts ?? (isolate === 'inline' ? undefined : createModelHosts(isolate));
  const threads = await unlessAborted(modelThreads(folders, options, hosts), options.signal).catch((error: unknown) => {
    // Not waited for: the measurement cannot be interrupted. Hosts of the caller stay the caller's.
    if (!options.hosts) hosts?.[Symbol.asyncDispose]().catch(() => undefined);
    throw error;
  });
  if (threads !== undefined) options.onThreads?.(threads);
  const optionsOf = partOptions({ ...options, ...defined({ threads }) });
  hosts?.startVision();
  const created: AsyncDisposable[] = [];
  const switches = createPartSwitches(adapters);
  const queue = createCallQueue(options);
  let disposed = false;
  const expectOpen = (): void => {
    if (disposed)
      throw new Blip2Error('DISPOSED', 'The parts of this checkpoint have been disposed of', {
        where: folder,
        fix: 'Load it again',
      });
  };
  const lazyPart = <Name extends LoaderName>(
    name: Name,
    from = folder,
    more: Pick<LoadVisionOptions, 'finalNorm'> = {},
  ): (() => ReturnType<(typeof partLoaders)[Name]>) =>
    lazyPromise(async () => {
      expectOpen();
      const host = name === 'loadLanguageModel' ? hosts?.language : hosts?.vision;
      const expectUnchanged = (): Promise<void> => version.requireUnchanged('weights');
      const part = await switches.add(PATHS_OF[name], async (merged): Promise<AsyncDisposable> => {
        const forPart = { ...optionsOf(PRECISION_OF[name]), ...more, ...defined({ adapters: merged }) };
        return host
          ? createInHost(host, name, { args: [from, forPart], expectUnchanged })
          : partLoaders[name](from, forPart);
      });
      created.push(part);
      // The configuration was read earlier, and other parts may have been.
      await expectUnchanged();
      return part;
    }) as () => ReturnType<(typeof partLoaders)[Name]>;
  return {
    folder,
    folders,
    config,
    requireUnchanged: () => version.requireUnchanged('all'),
    queue,
    adapters,
    async setAdapters(names) {
      expectOpen();
      await queue.exclusively(() => switches.select(names, () => version.requireUnchanged('weights')));
    },
    startLanguage: () => hosts?.startLanguage(),
    vision: lazyPart('loadVision', folders.vision, defined({ finalNorm: folders.finalNorm })),
    qformer: lazyPart('loadQFormer'),
    projection: lazyPart('loadLanguageProjection'),
    language: lazyPart('loadLanguageModel', folders.language),
    textQFormer: lazyPart('loadTextQFormer'),
    visionProjection: lazyPart('loadVisionProjection'),
    textProjection: lazyPart('loadTextProjection'),
    matchingHead: lazyPart('loadMatchingHead'),
    async [Symbol.asyncDispose]() {
      disposed = true;
      // Hosts dispose of their parts, without waiting for those whose creation was aborted.
      for (const part of created.splice(0).reverse()) if (!hosts) await part[Symbol.asyncDispose]();
      await hosts?.[Symbol.asyncDispose]();
    },
  };
}

function createInHost(
  host: PartHost,
  name: LoaderName,
  spec: Pick<PartSpec, 'args' | 'expectUnchanged'>,
): Promise<AsyncDisposable> {
  const { href: module } = name === 'loadLanguageModel' ? languageLoader() : visionLoaders();
  return host.create({ module, export: name, ...spec });
}
