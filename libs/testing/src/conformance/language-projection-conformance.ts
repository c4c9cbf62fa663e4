import type { LanguageProjection, QueryFeatures } from '@blip2/interfaces';

import type { Check, Tolerance } from './check.ts';
import { randomBatch } from './random-batch.ts';
import { tensorPartConformance } from './tensor-part-conformance.ts';

export interface LanguageProjectionSubject {
  /** A new projection for each check, which disposes of it. */
  create(): LanguageProjection | Promise<LanguageProjection>;
  /** How many query vectors it is given. Default 4: a projection takes any number. */
  readonly queries?: number;
  readonly tolerance?: Tolerance;
}

/**
 * Checks of the `LanguageProjection` seam: `for (const check of languageProjectionConformance({ create }))
 * test(check.name, check.run)`.
 */
export function languageProjectionConformance({ create, queries = 4, tolerance }: LanguageProjectionSubject): Check[] {
  return tensorPartConformance<LanguageProjection, QueryFeatures>({
    create,
    call: (projection, features) => projection.project(features),
    input: ({ inFeatures }, seeds) => randomBatch(seeds, queries, inFeatures),
    wrongInput: ({ inFeatures }) => randomBatch([1], queries, inFeatures + 1),
    outputDims: ({ outFeatures }) => [queries, outFeatures],
    ...(tolerance && { tolerance }),
  });
}
