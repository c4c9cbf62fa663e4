import { Blip2Config, readConfig } from '@blip2/config';
import { resolveSource } from '@blip2/checkpoint';
import { Blip2Error } from '@blip2/interfaces';
import type { Blip2QFormerModel, LanguageProjection, MatchingHead, RetrievalProjection, TextConditionedQFormer } from '@blip2/qformer';
import { createPartHost, type PartHost } from '@blip2/runtime';
import type { Blip2VisionModel } from '@blip2/vision';
import { partOptions, type LoadOptions } from './load-options.ts';
import * as loaders from './part-loaders.ts';
import type { CheckpointLanguageModel } from './part-loaders.ts';
import type { ModelConfig } from './model-config.ts';
import { once } from './once.ts';

/** The parts of one checkpoint. Each is made when it is first asked for, and all live in one place. */
export interface CheckpointParts<C extends ModelConfig = Blip2Config> extends AsyncDisposable {
  readonly folder: string;
  readonly config: C;
  vision(): Promise<Blip2VisionModel>;
  qformer(): Promise<Blip2QFormerModel>;
  projection(): Promise<LanguageProjection>;
  language(): Promise<CheckpointLanguageModel>;
  /** Of InstructBLIP and of retrieval checkpoints; the three heads below are of the latter alone. */
  textQFormer(): Promise<TextConditionedQFormer>;
  visionProjection(): Promise<RetrievalProjection>;
  textProjection(): Promise<RetrievalProjection>;
  matchingHead(): Promise<MatchingHead>;
}

/** The module of the loaders, for a worker to import. */
const LOADERS = new URL('./part-loaders.js', import.meta.url);

/**
 * Opens a folder in the Hugging Face layout.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_CONFIG`, `UNSUPPORTED_ARCHITECTURE`; what the weights lack is found when a part is made or first used.
 */
export function openCheckpointParts(source: string, options: LoadOptions = {}): Promise<CheckpointParts> {
  return openModelParts(Blip2Config.fromJson, source, options);
}

/** The same for any whole model, whose configuration `read` understands. */
export async function openModelParts<C extends ModelConfig>(read: (json: unknown, where: string) => C, source: string, options: LoadOptions = {}): Promise<CheckpointParts<C>> {
  const forParts = partOptions(options);
  const folder = await resolveSource(source, options);
  const config = read(await readConfig(folder), folder);
  const host = options.isolate === 'worker' ? createPartHost({ isolate: 'worker' }) : undefined;
  const made: AsyncDisposable[] = [];
  let disposed = false;
  const expectOpen = (): void => {
    if (disposed) throw new Blip2Error('DISPOSED', 'The parts of this checkpoint have been disposed', { where: folder, fix: 'Load it again' });
  };
  const part = <Name extends keyof typeof loaders>(name: Name): (() => ReturnType<(typeof loaders)[Name]>) => once(async () => {
    expectOpen();
    const created = host ? await createInHost(host, name, [folder, forParts]) : await loaders[name](folder, forParts);
    made.push(created);
    return created;
  }) as () => ReturnType<(typeof loaders)[Name]>;
  return {
    folder,
    config,
    vision: part('loadVision'),
    qformer: part('loadQFormer'),
    projection: part('loadLanguageProjection'),
    language: part('loadLanguageModel'),
    textQFormer: part('loadTextQFormer'),
    visionProjection: part('loadVisionProjection'),
    textProjection: part('loadTextProjection'),
    matchingHead: part('loadMatchingHead'),
    async [Symbol.asyncDispose]() {
      disposed = true;
      for (const created of made.splice(0).reverse()) await created[Symbol.asyncDispose]();
      await host?.[Symbol.asyncDispose]();
    },
  };
}

function createInHost(host: PartHost, name: keyof typeof loaders, args: readonly unknown[]): Promise<AsyncDisposable> {
  return host.create({ module: LOADERS.href, export: name, args });
}
