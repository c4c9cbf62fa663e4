import type { Decoding } from '@blip2/interfaces';

import type { GenerateOutput, GenerationStep } from '../generate-output.ts';

/** One way of choosing tokens, at work on one prompt. */
export interface Search {
  /** Advances the decoding until every row has ended. */
  steps(decoding: Decoding): AsyncGenerator<GenerationStep, void, undefined>;
  /** What has been chosen so far; rows that have not ended are `aborted`. */
  output(): GenerateOutput;
}
