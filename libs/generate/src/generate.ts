import { expectKnownOptions, type GenerationOptions, type LanguageModel, mustBe } from '@blip2/interfaces';

import type { GenerateOutput, GenerationStep } from './generate-output.ts';
import { type Generation, SearchGeneration } from './generation.ts';
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

/**
 * Generates tokens after a prompt, one step at a time, by greedy search, sampling or beam search, depending on the
 * options. Source: HF `GenerationMixin.generate`. An abort throws the signal's reason between two steps; leaving the
 * loop early ends the decoding. In both cases `output()` returns the tokens so far.
 * @throws Blip2Error immediately `UNKNOWN_OPTION`; `INVALID_ARGUMENT` for invalid option values, stop strings without
 * `decode` and a decoder without start token; `SHAPE_MISMATCH` if `promptIds` do not match the prompt;
 * `SEQUENCE_TOO_LONG` if it leaves no room for the requested number of tokens. While it runs, errors of the model;
 * `INVALID_ARGUMENT` for
 * forced or biased ids that are not in the vocabulary; `NOT_FINITE` if logits are NaN or all tokens are suppressed.
 */
export function generateSteps(
  model: LanguageModel,
  prompt: GenerationPrompt,
  options: GenerationOptions = {},
  context: GenerationContext = {},
): Generation {
  if (typeof (model as LanguageModel | undefined)?.start !== 'function')
    throw mustBe('model', 'a language model', model);
  validateGenerationOptions(options);
  expectKnownOptions('third argument of generate', context, Object.keys(CONTEXT));
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
  return new SearchGeneration(run(), () => search.output());
}

const CONTEXT: Readonly<Record<keyof GenerationContext, true>> = { decode: true, defaultNewTokens: true };

function createSearch(settings: SearchSettings): Search {
  if (settings.promptLookupNumTokens > 0) return createPromptLookupSearch(settings);
  return settings.numBeams > 1 ? createBeamSearch(settings) : createRowSearch(settings);
}

/**
 * Runs `generateSteps` to the end and returns the output.
 * @throws Blip2Error with the codes of `generateSteps`.
 */
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
