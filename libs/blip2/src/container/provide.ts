import type { Resolved, Token } from '@blip2/interfaces';
import type { Bind, BindInWhenOnFluentSyntax } from 'inversify';

/** Creates a part from its dependencies. */
export type Create<T, Deps extends readonly Token<unknown>[]> = (...deps: Resolved<Deps>) => T | Promise<T>;

/**
 * Binds `id` to `create`, whose parameters are checked against `deps`: a missing or swapped dependency does not
 * compile.
 * (`toResolvedValue` of InversifyJS accepts a swapped list and injects the wrong object.)
 */
export function provide<T, const Deps extends readonly Token<unknown>[]>(
  bind: Bind,
  id: Token<T>,
  deps: Deps,
  create: Create<T, Deps>,
): BindInWhenOnFluentSyntax<T> {
  return bind<T>(id).toResolvedValue(create as (...args: unknown[]) => T | Promise<T>, deps as unknown as symbol[]);
}

/** How a token is bound: `create` makes its part from those of `deps`. */
export interface Binding<T, Deps extends readonly Token<unknown>[]> {
  readonly id: Token<T>;
  readonly deps: Deps;
  readonly create: Create<T, Deps>;
}

/**
 * Binds a token as `provide` does; `create` is called once, on first use, after which `used` contains its dependencies.
 */
export function provideOnce<T, const Deps extends readonly Token<unknown>[]>(
  bind: Bind,
  used: Set<symbol>,
  { id, deps, create }: Binding<T, Deps>,
): void {
  const createOnce: Create<T, Deps> = (...args) => {
    for (const dependency of deps) used.add(dependency);
    return create(...args);
  };
  provide(bind, id, deps, createOnce).inSingletonScope();
}
