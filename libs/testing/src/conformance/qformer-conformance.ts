import type { PatchFeatures, QFormer } from '@blip2/interfaces';

import type { Check, Tolerance } from './check.ts';
import { randomBatch } from './random-batch.ts';
import { tensorPartConformance } from './tensor-part-conformance.ts';

export interface QFormerSubject {
  /** A new Q-Former for each check, which disposes of it. */
  create(): QFormer | Promise<QFormer>;
  /** How many patches it is given. Default 5: a Q-Former reads any number. */
  readonly patches?: number;
  readonly tolerance?: Tolerance;
}

/**
 * Checks of the `QFormer` seam without text: `for (const check of qformerConformance({ create })) test(check.name,
 * check.run)`.
 */
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
