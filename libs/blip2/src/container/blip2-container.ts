import {
  Blip2Error,
  LanguageModel,
  LanguageProjection,
  mustBe,
  QFormer,
  type Token,
  VisionEncoder,
} from '@blip2/interfaces';
import { Container, ContainerModule } from 'inversify';

import type { ModelSources } from '../checkpoint/model-sources.ts';
import { type CheckpointParts, openCheckpointParts } from '../parts/checkpoint-parts.ts';
import { type LoadOptions, partOptions } from '../parts/load-options.ts';
import { loadProcessor } from '../parts/load-processor.ts';
import { createBlip2 } from '../tasks/blip2.ts';
import { Blip2Token, CheckpointPartsToken, ProcessorToken } from './container-tokens.ts';
import { type Create, provideOnce } from './provide.ts';

/**
 * The bindings of one checkpoint: every part is created on first request, once, by the same factories that are called
 * without a container. Rebind a token to replace a part.
 */
export function blip2Module(source: string | ModelSources, options: LoadOptions = {}): ContainerModule {
  return partsModule(() => openCheckpointParts(source, options), options);
}

function partsModule(
  open: () => Promise<CheckpointParts>,
  options: LoadOptions = {},
  used = new Set<symbol>(),
): ContainerModule {
  return new ContainerModule(({ bind }) => {
    const provide = <T, const Deps extends readonly Token<unknown>[]>(
      id: Token<T>,
      deps: Deps,
      create: Create<T, Deps>,
    ): void => void provideOnce(bind, used, id, deps, create);
    provide(CheckpointPartsToken, [], open);
    provide(VisionEncoder, [CheckpointPartsToken], (parts) => parts.vision());
    provide(QFormer, [CheckpointPartsToken], (parts) => parts.qformer());
    provide(LanguageProjection, [CheckpointPartsToken], (parts) => parts.projection());
    provide(LanguageModel, [CheckpointPartsToken], (parts) => parts.language());
    provide(ProcessorToken, [CheckpointPartsToken], loadProcessor);
    provide(
      Blip2Token,
      [VisionEncoder, QFormer, LanguageProjection, LanguageModel, ProcessorToken],
      (vision, qformer, projection, language, processor) =>
        createBlip2({ vision, qformer, projection, language, processor }, options),
    );
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
  /**
   * Binds a token to another part, before anything that depends on it is requested.
   * @throws Blip2Error `INVALID_STATE` if another part already uses it, so that replacing it would have no effect;
   * `INVALID_ARGUMENT` for a token that is not bound; `DISPOSED`.
   */
  replace<T, const Deps extends readonly Token<unknown>[]>(
    id: Token<T>,
    deps: Deps,
    create: Create<T, Deps>,
  ): Promise<void>;
}

/**
 * Creates a container with the bindings of `blip2Module`. The checkpoint is opened when a part is first requested, so
 * `get` throws the errors of `openCheckpointParts`. Disposal disposes of the parts of the checkpoint that were created.
 */
export async function createBlip2Container(
  source: string | ModelSources,
  options?: LoadOptions,
): Promise<Blip2Container> {
  partOptions(options ?? {});
  const container = new Container();
  const used = new Set<symbol>();
  let opened: Promise<CheckpointParts> | undefined;
  await container.load(partsModule(() => (opened = openCheckpointParts(source, options)), options, used));
  let disposed = false;
  const expectBound = (id: Token<unknown>): void => {
    if (disposed)
      throw new Blip2Error('DISPOSED', 'This container has been disposed of', { fix: 'Create another one' });
    if (typeof id !== 'symbol' || !container.isBound(id))
      throw mustBe('id', 'a token that is bound in this container', id, { fix: 'Bind it with container.bind first' });
  };
  return {
    container,
    async get(id) {
      expectBound(id);
      return container.getAsync(id);
    },
    async replace(id, deps, create) {
      expectBound(id);
      if (used.has(id))
        throw new Blip2Error('INVALID_STATE', `${id.description ?? 'The part'} is replaced too late: it is in use`, {
          argument: 'id',
          fix: 'Call replace before anything that depends on the part is requested, or create another container',
        });
      await container.unbind(id);
      provideOnce(container.bind.bind(container), used, id, deps, create);
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
