import {
  createFamilyRegistry,
  type FamilyRegistry,
  readConfig,
  registerTextFamily,
  TextConfig,
  type TextFamily,
} from '@blip2/config';
import type { PlannedWeight, PrecisionChoice } from '@blip2/interfaces';
import type { RecordedWeight } from '@blip2/onnx';
import {
  type InitializeTensor,
  type LoadPartOptions,
  type PartFamilyDefinition,
  partSource,
  type PartWeights,
  plannedFiles,
  registerPartFamily,
} from '@blip2/part';

import { gemma3TextFamily } from './gemma3-text/gemma3-for-causal-lm.ts';
import { gpt2Family } from './gpt2/gpt2-for-causal-lm.ts';
import type { CheckpointLanguageModel, LanguageFamily } from './language-family.ts';
import { llamaFamily } from './llama/llama-for-causal-lm.ts';
import { mistralFamily } from './mistral/mistral-for-causal-lm.ts';
import { mt5Family } from './mt5/mt5-for-conditional-generation.ts';
import { optFamily } from './opt/opt-for-causal-lm.ts';
import { phi3Family } from './phi3/phi3-for-causal-lm.ts';
import { qwen2Family } from './qwen2/qwen2-for-causal-lm.ts';
import { qwen3Family } from './qwen3/qwen3-for-causal-lm.ts';
import { t5Family } from './t5/t5-for-conditional-generation.ts';
import { umt5Family } from './umt5/umt5-for-conditional-generation.ts';

/** By `model_type`. */
const FAMILIES: ReadonlyMap<string, LanguageFamily> = new Map<string, LanguageFamily>([
  ['opt', optFamily],
  ['t5', t5Family],
  ['llama', llamaFamily],
  ['qwen2', qwen2Family],
  ['qwen3', qwen3Family],
  ['mistral', mistralFamily],
  ['phi3', phi3Family],
  ['gpt2', gpt2Family],
  ['gemma3_text', gemma3TextFamily],
  ['mt5', mt5Family],
  ['umt5', umt5Family],
]);

const registry: FamilyRegistry<LanguageFamily> = createFamilyRegistry({
  name: 'language',
  builtIn: FAMILIES,
  registeredBy: 'registerLanguageFamily of @blip2/language',
  isSame: (one, other) => one.part === other.part,
});

/** A family of language models to add at run time. */
export type LanguageFamilyDefinition<C extends TextConfig> = PartFamilyDefinition<
  C['modelType'],
  TextFamily<C>,
  LanguageFamily<C>
>;

/**
 * Adds a family of language models, for everything that looks models up by `model_type`. Adding the same one again has
 * no effect.
 * @throws Blip2Error `INVALID_ARGUMENT` if the type belongs to another family, or a member has the wrong type.
 */
export function registerLanguageFamily<C extends TextConfig>(definition: LanguageFamilyDefinition<C>): void {
  registerPartFamily<TextFamily, LanguageFamily>(definition, {
    registry,
    members: { tokenEmbeddings: 'object' },
    registerConfig: registerTextFamily,
  });
}

/**
 * The family of language models of a `model_type`.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, with the registered types.
 */
export function languageFamily(modelType: string): LanguageFamily {
  return registry.find(modelType);
}

/** Every registered family of language models. */
export function languageFamilies(): readonly LanguageFamily[] {
  return registry.families();
}

/** Loads the language model of a folder, or of a repository on the Hugging Face Hub, of any family. */
export async function loadLanguageModel(
  source: string,
  options: LoadPartOptions = {},
): Promise<CheckpointLanguageModel> {
  const { folder, adapters } = await partSource(source, options);
  const { modelType } = TextConfig.fromJson(await readConfig(folder), folder);
  return languageFamily(modelType).part.fromPretrained(folder, { ...options, adapters });
}

/** Every tensor of a language model's checkpoint, by name and shape. */
export function languageTensors(config: TextConfig, prefix: string): readonly RecordedWeight[] {
  return languageFamily(config.modelType).part.tensors(config, prefix);
}

/** How the weights of a language model are initialized: `_init_weights` of HF. */
export function languageInitializer(config: TextConfig): InitializeTensor {
  return languageFamily(config.modelType).part.initializer(config);
}

/** What each file of a language model's converted weights holds at a precision; none if it is used unconverted. */
export function planLanguage(
  config: TextConfig,
  weights: Pick<PartWeights, 'store' | 'prefix'>,
  dtype?: PrecisionChoice,
): PlannedWeight[][] {
  return plannedFiles(languageFamily(config.modelType).part.plan(config, weights, dtype));
}
