import { Blip2Error, mustBe, type Resolved, type Token, token } from '@blip2/interfaces';
import { Container, ContainerModule } from 'inversify';

import { anyModelConfig, type ModelConfig } from '../checkpoint/model-config.ts';
import type { ModelSources } from '../checkpoint/model-sources.ts';
import { type CheckpointParts, openModelParts } from '../parts/checkpoint-parts.ts';
import { type LoadOptions, partOptions } from '../parts/load-options.ts';
import { bindParts } from './bind-parts.ts';
import { type Binding, type Create, provideOnce } from './provide.ts';

/**
 * The bindings of one checkpoint, or of one per part: every part is created on first request, once, by the same
 * factories that are called without a container. Rebind a token to replace a part.
 */
export function blip2Module(source: string | ModelSources, options: LoadOptions = {}): ContainerModule {
  return new ContainerModule(({ bind }) => {
    const provide = <T, const Deps extends readonly Token<unknown>[]>(binding: Binding<T, Deps>): void =>
      provideOnce(bind, new Set(), binding);
    bindParts(provide, () => openModelParts(anyModelConfig, source, options), options);
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
  /**
   * Binds a token to a part that wraps the one that is bound, which `create` receives before its dependencies. The
   * inner part is created when the outer one is.
   * @throws Blip2Error the codes of `replace`.
   */
  decorate<T, const Deps extends readonly Token<unknown>[]>(
    id: Token<T>,
    deps: Deps,
    create: (inner: T, ...deps: Resolved<Deps>) => T | Promise<T>,
  ): Promise<void>;
}

/**
 * Creates a container with the bindings of `blip2Module`. The checkpoint is opened when a part is first requested, so
 * `get` throws the errors of `openCheckpointParts`. Disposal disposes of the parts of the checkpoint that were created.
 */
export async function createBlip2Container(
  source: string | ModelSources,
  options: LoadOptions = {},
): Promise<Blip2Container> {
  partOptions(options);
  const container = new Container();
  const used = new Set<symbol>();
  const bindings = new Map<symbol, Binding<unknown, readonly Token<unknown>[]>>();
  const provide = <T, const Deps extends readonly Token<unknown>[]>(binding: Binding<T, Deps>): void => {
    // Only `decorate` reads it, and provides it again under another token of the same type.
    bindings.set(binding.id, binding as unknown as Binding<unknown, readonly Token<unknown>[]>);
    provideOnce(container.bind.bind(container), used, binding);
  };
  let opened: Promise<CheckpointParts<ModelConfig>> | undefined;
  bindParts(provide, () => (opened = openModelParts(anyModelConfig, source, options)), options);
  let disposed = false;
  let decorated = 0;
  const expectBound = (id: Token<unknown>): void => {
    if (disposed)
      throw new Blip2Error('DISPOSED', 'This container has been disposed of', { fix: 'Create another one' });
    if (typeof id !== 'symbol' || !container.isBound(id))
      throw mustBe('id', 'a token that is bound in this container', id, { fix: 'Bind it with container.bind first' });
  };
  const expectUnused = (id: Token<unknown>, what: string): void => {
    expectBound(id);
    if (used.has(id))
      throw new Blip2Error('INVALID_STATE', `${id.description ?? 'The part'} is ${what} too late: it is in use`, {
        argument: 'id',
        fix: `Call it before anything that depends on the part is requested, or create another container`,
      });
  };
  return {
    container,
    async get(id) {
      expectBound(id);
      return container.getAsync(id);
    },
    async replace(id, deps, create) {
      expectUnused(id, 'replaced');
      await container.unbind(id);
      provide({ id, deps, create });
    },
    async decorate(id, deps, create) {
      expectUnused(id, 'decorated');
      const inner = bindings.get(id);
      if (!inner)
        throw mustBe('id', 'a token that this container or replace has bound', id.description ?? 'a symbol', {
          fix: 'Call replace first',
        });
      const innerId = token<unknown>(`${id.description ?? ''} inside decoration ${++decorated}`);
      await container.unbind(id);
      provide({ ...inner, id: innerId });
      // `innerId` resolves to what `id` did.
      provide({ id, deps: [innerId, ...deps], create: create as never });
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
