import type { LanguageModelV3CallOptions, SharedV3Warning } from '@ai-sdk/provider';
import type { TaskOptions } from '@blip2/blip2';
import { type ChoiceSchema, choiceSchema, generationSettings } from '@blip2/blip2/messages';
import { Blip2Error } from '@blip2/interfaces';

import { unsupported } from './messages.ts';

/** What is generated, from the options of a call. */
export interface CallSettings {
  readonly options: TaskOptions;
  /** The values that are ranked, if the call has a schema. */
  readonly choice: ChoiceSchema | undefined;
  /** Settings that have no effect. */
  readonly warnings: SharedV3Warning[];
}

/**
 * Converts the options of a call. Penalties are ignored with a warning; what would change the kind of the answer is
 * refused.
 * @throws UnsupportedFunctionalityError for tools, and for JSON without a schema that has one enum property.
 */
export function callSettings(call: LanguageModelV3CallOptions): CallSettings {
  const { tools = [], toolChoice, responseFormat, presencePenalty, frequencyPenalty } = call;
  if (tools.length > 0 && toolChoice?.type !== 'none') throw unsupported('tools');
  const warnings: SharedV3Warning[] = [];
  if (presencePenalty) warnings.push({ type: 'unsupported', feature: 'presencePenalty' });
  if (frequencyPenalty) warnings.push({ type: 'unsupported', feature: 'frequencyPenalty' });
  const choice = responseFormat?.type === 'json' ? schemaOf(responseFormat.schema) : undefined;
  const sampled = ['seed', 'topP', 'topK'] as const;
  if (!call.temperature)
    for (const feature of sampled)
      if (call[feature] !== undefined)
        warnings.push({ type: 'unsupported', feature, details: 'It has an effect with a temperature above 0 only' });
  return {
    options: generationSettings(
      {
        maxTokens: call.maxOutputTokens,
        temperature: call.temperature,
        topP: call.topP,
        topK: call.topK,
        seed: call.seed,
        stop: call.stopSequences,
      },
      { maxNewTokens: Infinity },
    ),
    choice,
    warnings,
  };
}

function schemaOf(schema: unknown): ChoiceSchema {
  try {
    return choiceSchema(schema, 'schema');
  } catch (error) {
    if (error instanceof Blip2Error) throw unsupported('JSON', error.message);
    throw error;
  }
}
