import type { Decoding } from '@blip2/interfaces';

import type { GenerateOutput, GenerationStep } from '../generate-output.ts';

/** A search strategy applied to one batch of prompts. */
export interface Search {
  /** Advances the decoding until every row has ended. */
  steps(decoding: Decoding): AsyncGenerator<GenerationStep, void, undefined>;
  /** Output so far; the finish reason of unfinished rows is `aborted`. */
  output(): GenerateOutput;
}
