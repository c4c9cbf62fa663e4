import { Blip2Error, LanguageModel, LanguageProjection, QFormer, type Token, VisionEncoder } from '@blip2/interfaces';
import { Container, ContainerModule } from 'inversify';

import { type CheckpointParts, openCheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { loadProcessor } from '../parts/load-processor.ts';
import { createBlip2 } from '../tasks/blip2.ts';
import { Blip2Token, CheckpointPartsToken, ProcessorToken } from './container-tokens.ts';
import { provide } from './provide.ts';

/**
 * The bindings of one checkpoint: every part is created on first request, once, by the same factories that are called
 * without a container. Rebind a token to replace a part.
 */
export function blip2Module(source: string, options: LoadOptions = {}): ContainerModule {
  return partsModule(() => openCheckpointParts(source, options), options);
}

function partsModule(open: () => Promise<CheckpointParts>, options: LoadOptions = {}): ContainerModule {
  return new ContainerModule(({ bind }) => {
    provide(bind, CheckpointPartsToken, [], open).inSingletonScope();
    provide(bind, VisionEncoder, [CheckpointPartsToken], (parts) => parts.vision()).inSingletonScope();
    provide(bind, QFormer, [CheckpointPartsToken], (parts) => parts.qformer()).inSingletonScope();
    provide(bind, LanguageProjection, [CheckpointPartsToken], (parts) => parts.projection()).inSingletonScope();
    provide(bind, LanguageModel, [CheckpointPartsToken], (parts) => parts.language()).inSingletonScope();
    provide(bind, ProcessorToken, [CheckpointPartsToken], ({ folders, config }) =>
      loadProcessor({ folder: folders.processor, config }),
    ).inSingletonScope();
    provide(
      bind,
      Blip2Token,
      [VisionEncoder, QFormer, LanguageProjection, LanguageModel, ProcessorToken],
      (vision, qformer, projection, language, processor) =>
        createBlip2({ vision, qformer, projection, language, processor }, options),
    ).inSingletonScope();
  });
}

/** A container with the parts of one checkpoint. */
export interface Blip2Container extends AsyncDisposable {
  /** The container of InversifyJS, for further bindings. */
  readonly container: Container;
  /**
   * The part of a token, created on first request. For composition roots only.
   * @throws Blip2Error `DISPOSED`; the codes of its factory.
   */
  get<T>(id: Token<T>): Promise<T>;
  /** Binds a token to another part. Call it before anything that depends on the token is requested. */
  replace<T, const Deps extends readonly Token<unknown>[]>(
    id: Token<T>,
    deps: Deps,
    create: Parameters<typeof provide<T, Deps>>[3],
  ): Promise<void>;
}

/**
 * Creates a container with the bindings of `blip2Module`. The checkpoint is opened when a part is first requested, so
 * `get` throws the errors of `openCheckpointParts`. Disposal disposes of the parts of the checkpoint that were created.
 */
export async function createBlip2Container(source: string, options?: LoadOptions): Promise<Blip2Container> {
  const container = new Container();
  let opened: Promise<CheckpointParts> | undefined;
  await container.load(partsModule(() => (opened = openCheckpointParts(source, options)), options));
  let disposed = false;
  return {
    container,
    async get(id) {
      if (disposed)
        throw new Blip2Error('DISPOSED', 'This container has been disposed of', { fix: 'Create another one' });
      return container.getAsync(id);
    },
    async replace(id, deps, create) {
      await container.unbind(id);
      provide(container.bind.bind(container), id, deps, create).inSingletonScope();
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      // The parts of the checkpoint are disposed of in reverse order of creation, which the container does not know.
      // Replacements belong to the caller.
      const parts = await opened?.catch(() => undefined);
      await parts?.[Symbol.asyncDispose]();
    },
  };
}
