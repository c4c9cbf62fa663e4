import type { GenerateOutput, Generation, GenerationStep, NewToken } from '@blip2/generate';
import type { TokenIds } from '@blip2/interfaces';

import type { TaskProcessor } from './task-images.ts';
import type { TextResult, Timings } from './text-result.ts';

/** Texts being written: iterate it for its steps. */
export interface Writing extends AsyncGenerator<GenerationStep, void, undefined> {
  /** What has been written so far, one per row, also after an abort or an error; nothing before the model has begun. */
  results(): TextResult[];
}

/** Ids to text, special tokens left out. */
export function decoderOf(processor: Pick<TaskProcessor, 'decode'>): (ids: TokenIds) => string {
  return (ids) => processor.decode(ids, { skipSpecialTokens: true });
}

export interface FollowOptions {
  readonly processor: TaskProcessor;
  /** Milliseconds of the stages before. */
  readonly before: Omit<Timings, 'generate'>;
  /** When reading the prompt began, as `performance.now`. */
  readonly since: number;
  readonly onToken: ((token: NewToken) => void) | undefined;
}

/** A generation whose output is texts. */
export function followGeneration(
  generation: Generation,
  { processor, before, since, onToken }: FollowOptions,
): Writing {
  let end: number | undefined;
  async function* run(): AsyncGenerator<GenerationStep, void, undefined> {
    try {
      for await (const step of generation) {
        for (const token of step.tokens) onToken?.(token);
        yield step;
      }
    } finally {
      end = performance.now();
    }
  }
  return Object.assign(run(), {
    results: () =>
      textResults(generation.output(), processor, { ...before, generate: (end ?? performance.now()) - since }),
  });
}

/** A writing that has to prepare something first: `run` hands over the writing itself once there is one. */
export function deferWriting(
  run: (begin: (writing: Writing) => Writing) => AsyncGenerator<GenerationStep, void, undefined>,
): Writing {
  let begun: Writing | undefined;
  const steps = run((writing) => (begun = writing));
  return Object.assign(steps, { results: () => begun?.results() ?? [] });
}

/** Runs a writing to its end. */
export async function finishWriting(writing: Writing): Promise<TextResult[]> {
  while (!(await writing.next()).done);
  return writing.results();
}

function textResults(
  { sequences, tokenLogProbs, sequencesScores, finishReasons }: GenerateOutput,
  processor: TaskProcessor,
  timings: Timings,
): TextResult[] {
  const decode = decoderOf(processor);
  return sequences.map((ids, row) => {
    const logProbs = tokenLogProbs[row] ?? [];
    const tokenIds = ids.slice(0, logProbs.length);
    return {
      text: decode(tokenIds).trim(),
      tokenIds,
      score: sequencesScores?.[row] ?? logProbs.reduce((sum, logProb) => sum + logProb, 0),
      finishReason: finishReasons[row] ?? 'aborted',
      timings,
    };
  });
}
