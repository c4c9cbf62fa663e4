import { defined } from '@blip2/interfaces';

import type { TaskOptions } from '../tasks/task-options.ts';

/** The sampling options of a request, under the names that all its APIs agree on. Null is as absent. */
export interface SamplingFields {
  readonly maxTokens?: number | null | undefined;
  readonly temperature?: number | null | undefined;
  readonly topP?: number | null | undefined;
  readonly topK?: number | null | undefined;
  readonly minP?: number | null | undefined;
  readonly repetitionPenalty?: number | null | undefined;
  readonly seed?: number | null | undefined;
  readonly stop?: string | readonly string[] | null | undefined;
}

/** Below this, the largest logit wins anyway, and dividing by the temperature overflows. */
const LEAST_TEMPERATURE = 0.01;
/** Seeds of the library are 32 bits; clients send any whole number. */
const SEEDS = 2 ** 32;

/**
 * Converts sampling options to those of the library. Without a temperature above 0, or with a `topP` of 0, generation
 * is greedy and the options of sampling have no effect. A limit of tokens above `maxNewTokens` is lowered to it.
 */
export function generationSettings(
  { maxTokens, temperature, topP, topK, minP, repetitionPenalty, seed, stop }: SamplingFields,
  { maxNewTokens }: { readonly maxNewTokens: number },
): TaskOptions {
  const stopStrings = [stop ?? []].flat().filter((text) => text !== '');
  const common = {
    // Absent: the default of the library.
    maxNewTokens: typeof maxTokens === 'number' && maxTokens > 0 ? Math.min(maxTokens, maxNewTokens) : undefined,
    repetitionPenalty: repetitionPenalty ?? undefined,
    stopStrings: stopStrings.length > 0 ? stopStrings : undefined,
  };
  if (!temperature || temperature < LEAST_TEMPERATURE || topP === 0) return defined(common);
  return defined({
    ...common,
    doSample: true,
    temperature,
    topP: topP ?? undefined,
    // 0 and -1 disable it, here as in other servers.
    topK: topK && topK > 0 ? topK : 0,
    minP: minP ?? undefined,
    seed: seed === null || seed === undefined ? undefined : ((seed % SEEDS) + SEEDS) % SEEDS,
  });
}
