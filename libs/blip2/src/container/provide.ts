import type { Resolved, Token } from '@blip2/interfaces';
import type { Bind, BindInWhenOnFluentSyntax } from 'inversify';

/**
 * Binds `id` to `create`, whose parameters are checked against `deps`: a missing or swapped dependency does not
 * compile.
 * (`toResolvedValue` of InversifyJS accepts a swapped list and injects the wrong object.)
 */
export function provide<T, const Deps extends readonly Token<unknown>[]>(
  bind: Bind,
  id: Token<T>,
  deps: Deps,
  create: (...deps: Resolved<Deps>) => T | Promise<T>,
): BindInWhenOnFluentSyntax<T> {
  return bind<T>(id).toResolvedValue(create as (...args: unknown[]) => T | Promise<T>, deps as unknown as symbol[]);
}
