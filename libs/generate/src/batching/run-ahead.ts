import type { GenerateOutput, GenerationStep } from '../generate-output.ts';
import { type Generation, SearchGeneration } from '../generation.ts';

/**
 * Steps that are computed before they are read. A reader that is slower than this for a moment does not hold up its own
 * row; one that does not read at all costs no more than these.
 */
const MAX_AHEAD = 8;

/** A step that has not been read, and the output after it. */
interface ReadyStep {
  readonly step: GenerationStep;
  readonly output: GenerateOutput;
}

/**
 * Computes the steps of a generation ahead of their reader, from its first read on. Rows of a batch then go on together,
 * whatever their readers do in between. `output()` is that of the steps that have been read.
 */
export function runAhead(generation: Generation): Generation {
  const ready: ReadyStep[] = [];
  let output = generation.output();
  let isStopped = false;
  let end: { readonly failure?: { readonly error: unknown } } | undefined;
  /** Called when a step is ready, or has been read. */
  let changed = (): void => undefined;
  const change = (): Promise<void> => new Promise((resolve) => (changed = resolve));

  async function compute(): Promise<void> {
    try {
      for (;;) {
        while (ready.length >= MAX_AHEAD && !isStopped) await change();
        if (isStopped) break;
        const { done, value } = await generation.next();
        if (done) break;
        ready.push({ step: value, output: generation.output() });
        changed();
      }
      end = {};
    } catch (error) {
      end = { failure: { error } };
    }
    changed();
  }

  async function* run(): AsyncGenerator<GenerationStep, GenerateOutput, undefined> {
    const computing = compute();
    try {
      for (;;) {
        while (ready.length === 0 && !end) await change();
        const next = ready.shift();
        if (!next) break;
        ({ output } = next);
        changed();
        yield next.step;
      }
      if (end?.failure) throw end.failure.error;
    } finally {
      isStopped = true;
      changed();
      await computing;
      // What was computed and not read is no part of the output.
      await generation.return(output);
    }
    return (output = generation.output());
  }
  return new SearchGeneration(run(), () => output);
}
