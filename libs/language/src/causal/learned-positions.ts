import { i64, type TensorSpec } from '@blip2/interfaces';

import type { CausalSignature } from './causal-signature.ts';

/** The graph of a causal decoder with learned positions. */
export interface LearnedPositionsSignature extends CausalSignature {
  readonly inputs: CausalSignature['inputs'] & {
    /** Rows of the position embedding. */
    readonly position_ids: TensorSpec<'int64', readonly ['batch', 'sequence']>;
  };
}

/** Adds the rows of the position embedding to the inputs of a decoder. */
export function learnedPositionsSignature({ inputs, outputs }: CausalSignature): LearnedPositionsSignature {
  return { inputs: { ...inputs, position_ids: i64('batch', 'sequence') }, outputs };
}
