import { Blip2Error, LanguageModel, LanguageProjection, QFormer, type Token, VisionEncoder } from '@blip2/interfaces';
import { Container, ContainerModule } from 'inversify';

import { type CheckpointParts, openCheckpointParts } from '../parts/checkpoint-parts.ts';
import type { LoadOptions } from '../parts/load-options.ts';
import { loadProcessor } from '../parts/load-processor.ts';
import { createBlip2 } from '../tasks/blip2.ts';
import { Blip2Token, CheckpointPartsToken, ProcessorToken } from './container-tokens.ts';
import { provide } from './provide.ts';

/**
 * Bindings of one checkpoint: every part is made when it is first asked for, once. The factories are those that are
 * called by hand
 * without a container. Rebind a token to put another part in its place.
 */
export function blip2Module(source: string, options: LoadOptions = {}): ContainerModule {
  return partsModule(() => openCheckpointParts(source, options));
}

function partsModule(open: () => Promise<CheckpointParts>): ContainerModule {
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
        createBlip2({ vision, qformer, projection, language, processor }),
    ).inSingletonScope();
  });
}

/** One checkpoint's parts behind their tokens, in a container of their own. */
export interface Blip2Container extends AsyncDisposable {
  /** Inversify's own, for bindings beside these. */
  readonly container: Container;
  /**
   * The part behind a token, made if need be. For composition roots only. @throws Blip2Error `DISPOSED`; whatever
   * making it throws.
   */
  get<T>(id: Token<T>): Promise<T>;
  /** Puts another part behind a token; before anything that depends on it has been asked for. */
  replace<T, const Deps extends readonly Token<unknown>[]>(
    id: Token<T>,
    deps: Deps,
    create: Parameters<typeof provide<T, Deps>>[3],
  ): Promise<void>;
}

/**
 * A container of its own with the bindings of `blip2Module`. Nothing is opened before a part is asked for, so what
 * `openCheckpointParts` throws comes from `get`.
 * Disposing of it disposes of the checkpoint's parts that were made.
 */
export async function createBlip2Container(source: string, options?: LoadOptions): Promise<Blip2Container> {
  const container = new Container();
  let opened: Promise<CheckpointParts> | undefined;
  await container.load(partsModule(() => (opened = openCheckpointParts(source, options))));
  let disposed = false;
  return {
    container,
    async get(id) {
      if (disposed) throw new Blip2Error('DISPOSED', 'This container has been disposed', { fix: 'Make another one' });
      return container.getAsync(id);
    },
    async replace(id, deps, create) {
      await container.unbind(id);
      provide(container.bind.bind(container), id, deps, create).inSingletonScope();
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      // What the container made is released by the assembly, in reverse order; the container knows no order. What was
      // put in its place is its maker's.
      const parts = await opened?.catch(() => undefined);
      await parts?.[Symbol.asyncDispose]();
    },
  };
}
