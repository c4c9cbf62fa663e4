import type { LanguageProjection, QueryFeatures } from '@blip2/interfaces';

import type { Check, Tolerance } from './check.ts';
import { randomBatch } from './random-batch.ts';
import { tensorPartConformance } from './tensor-part-conformance.ts';

/** The language projection under test. */
export interface LanguageProjectionSubject {
  /** Creates a new projection for each check, which disposes of it. */
  create(): LanguageProjection | Promise<LanguageProjection>;
  /** Number of query features in its input. Default 4; a projection accepts any number. */
  readonly queries?: number;
  /** Tolerance of float comparisons. Default: 1e-4 absolute and relative. */
  readonly tolerance?: Tolerance;
}

/** Conformance suite of the `LanguageProjection` interface. */
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
