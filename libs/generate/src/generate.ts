import type { GenerationOptions, LanguageModel } from '@blip2/interfaces';

import type { GenerateOutput, GenerationStep } from './generate-output.ts';
import { type GenerationPrompt, resolvePrompt } from './generation-prompt.ts';
import { validateGenerationOptions } from './options/validate-generation-options.ts';
import {
  type GenerationContext,
  resolveSettings,
  resolveSpecialTokens,
  type SearchSettings,
} from './search-settings.ts';
import { createBeamSearch } from './strategies/beam-search.ts';
import { createPromptLookupSearch } from './strategies/prompt-lookup-search.ts';
import { createRowSearch } from './strategies/row-search.ts';
import type { Search } from './strategies/search.ts';

/** A generation in progress: iterate it for its steps; it returns the output. */
export interface Generation extends AsyncGenerator<GenerationStep, GenerateOutput, undefined> {
  /** What has been generated so far, also after an abort or an error; rows that have not ended are `aborted`. */
  output(): GenerateOutput;
}

/**
 * Writes new tokens after a prompt, one step at a time: greedy, sampled or by beam search, as the options say.
 * Reference: `GenerationMixin.generate`. An
 * abort throws the signal's reason between two steps; leaving the loop early ends the decoding. Either way `output()`
 * still gives what there is.
 * @throws Blip2Error at once `UNKNOWN_OPTION`; `INVALID_ARGUMENT` for values that cannot be, stop strings without
 * `decode`, and a decoder without start token;
 * `SHAPE_MISMATCH` if `promptIds` do not fit the prompt; `SEQUENCE_TOO_LONG` if it leaves no room for a token. While it
 * runs, whatever the model throws;
 * `INVALID_ARGUMENT` for forced or biased ids beyond the vocabulary; `NOT_FINITE` if scores are not numbers, or every
 * token is forbidden.
 */
export function generateSteps(
  model: LanguageModel,
  prompt: GenerationPrompt,
  options: GenerationOptions = {},
  context: GenerationContext = {},
): Generation {
  validateGenerationOptions(options);
  const specialTokens = resolveSpecialTokens(model, options);
  const resolved = resolvePrompt(model, prompt, specialTokens);
  const settings = resolveSettings(model, resolved, options, specialTokens, context);
  const search = createSearch(settings);

  async function* run(): AsyncGenerator<GenerationStep, GenerateOutput, undefined> {
    settings.signal?.throwIfAborted();
    const { decoding, owned } = await resolved.open();
    try {
      for await (const step of search.steps(decoding)) {
        for (const { row, id } of step.tokens) options.streamer?.put(row, id);
        yield step;
      }
    } finally {
      options.streamer?.end();
      if (owned) await decoding[Symbol.asyncDispose]();
    }
    return search.output();
  }
  return Object.assign(run(), { output: () => search.output() });
}

function createSearch(settings: SearchSettings): Search {
  if (settings.promptLookupNumTokens > 0) return createPromptLookupSearch(settings);
  return settings.numBeams > 1 ? createBeamSearch(settings) : createRowSearch(settings);
}

/** As `generateSteps`, run to its end: what that throws, the promise rejects with. */
export async function generate(
  model: LanguageModel,
  prompt: GenerationPrompt,
  options?: GenerationOptions,
  context?: GenerationContext,
): Promise<GenerateOutput> {
  const generation = generateSteps(model, prompt, options, context);
  for (;;) {
    const { done, value } = await generation.next();
    if (done) return value;
  }
}
