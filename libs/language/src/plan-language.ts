import type { TextConfig } from '@blip2/config';
import type { PlannedWeight, PrecisionChoice } from '@blip2/interfaces';
import type { PartWeights } from '@blip2/part';

import { type LanguageGraphs, languagePlans } from './language-weights.ts';
import { llamaGraphs } from './llama/llama-for-causal-lm.ts';
import { optGraphs } from './opt/opt-for-causal-lm.ts';
import { t5Graphs } from './t5/t5-for-conditional-generation.ts';

/**
 * What each file of converted weights of a language model holds at a precision, whichever of the known ones it is; no
 * file where the checkpoint is read as it lies.
 */
export function planLanguage(
  config: TextConfig,
  weights: Pick<PartWeights, 'store' | 'prefix'>,
  dtype?: PrecisionChoice,
): PlannedWeight[][] {
  const { many, few, isOne } = languagePlans(weights, dtype, graphsOf(config));
  return [many, isOne ? undefined : few].flatMap((plan) => (plan ? [plan] : []));
}

function graphsOf(config: TextConfig): LanguageGraphs {
  switch (config.modelType) {
    case 'opt':
      return optGraphs(config);
    case 't5':
      return t5Graphs(config);
    case 'llama':
      return llamaGraphs(config);
  }
}
