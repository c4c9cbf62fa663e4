import type { PatchFeatures, QFormer } from '@blip2/interfaces';

import type { Check, Tolerance } from './check.ts';
import { randomBatch } from './random-batch.ts';
import { tensorPartConformance } from './tensor-part-conformance.ts';

/** The Q-Former under test. */
export interface QFormerSubject {
  /** Creates a new Q-Former for each check, which disposes of it. */
  create(): QFormer | Promise<QFormer>;
  /** Number of patches in its input. Default 5; a Q-Former accepts any number. */
  readonly patches?: number;
  /** Tolerance of float comparisons. Default: 1e-4 absolute and relative. */
  readonly tolerance?: Tolerance;
}

/** Conformance suite of the `QFormer` interface. */
export function qformerConformance({ create, patches = 5, tolerance }: QFormerSubject): Check[] {
  return tensorPartConformance<QFormer, PatchFeatures>({
    create,
    call: (qformer, features) => qformer.query(features),
    input: ({ encoderHiddenSize }, seeds) => randomBatch(seeds, patches, encoderHiddenSize),
    wrongInput: ({ encoderHiddenSize }) => randomBatch([1], patches, encoderHiddenSize + 1),
    outputDims: ({ numQueryTokens, hiddenSize }) => [numQueryTokens, hiddenSize],
    ...(tolerance && { tolerance }),
  });
}
