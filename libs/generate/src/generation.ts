import type { GenerateOutput, GenerationStep } from './generate-output.ts';

/** A generation in progress: an async iterator over its steps that returns the output. */
export interface Generation extends AsyncGenerator<GenerationStep, GenerateOutput, undefined> {
  /** Output so far, also after an abort or an error; the finish reason of unfinished rows is `aborted`. */
  output(): GenerateOutput;
}

type Steps = AsyncGenerator<GenerationStep, GenerateOutput, undefined>;

/** A generation over the steps of a search. */
export class SearchGeneration implements Generation {
  readonly #steps: Steps;
  readonly #output: () => GenerateOutput;

  constructor(steps: Steps, output: () => GenerateOutput) {
    this.#steps = steps;
    this.#output = output;
  }

  output(): GenerateOutput {
    return this.#output();
  }

  next(): Promise<IteratorResult<GenerationStep, GenerateOutput>> {
    return this.#steps.next();
  }

  return(
    output: GenerateOutput | PromiseLike<GenerateOutput>,
  ): Promise<IteratorResult<GenerationStep, GenerateOutput>> {
    return this.#steps.return(output);
  }

  throw(error: unknown): Promise<IteratorResult<GenerationStep, GenerateOutput>> {
    return this.#steps.throw(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#steps.return(this.#output());
  }
}
