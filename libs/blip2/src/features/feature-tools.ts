import { defined, expectFinite, type Rows, type Tensor } from '@blip2/interfaces';
import type { CheckpointLanguageModel } from '@blip2/language';
import type { BlipImageProcessor } from '@blip2/processor';

import type { ModelConfig } from '../checkpoint/model-config.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import type { MergedPrompt } from '../pipeline/merge-prompt.ts';
import type { EmbedInputs } from '../retrieval/embed-inputs.ts';
import type { RetrievalTaskOptions } from '../retrieval/encode-retrieval-inputs.ts';
import { atLayer, type FeaturePart } from './feature-parts.ts';

/** The features to compute, and how images are decoded. */
export interface Wanted extends RetrievalTaskOptions {
  readonly part: FeaturePart;
  readonly layer: number | undefined;
}

/** Computes the features of inputs that have been checked: one tensor per input. */
export type Extract = (inputs: EmbedInputs, wanted: Wanted) => Promise<Tensor<'float32'>[]>;

/** What the features of a whole model are computed with. */
export interface FeatureTools<C extends ModelConfig, Processor> {
  readonly parts: CheckpointParts<C>;
  readonly imageProcessor: BlipImageProcessor;
  /** Loaded when a text is first processed. */
  processor(): Promise<Processor>;
}

/** `[rows, …dims]` → one tensor per row. The copies do not keep the whole batch in memory. */
export function rowsOf({ dims: [rows = 0, ...dims], data }: Tensor<'float32'>): Tensor<'float32'>[] {
  const size = data.length / rows;
  return Array.from({ length: rows }, (_, row) => ({
    type: 'float32',
    dims,
    data: data.slice(row * size, (row + 1) * size),
  }));
}

/** The options of a forward that returns the hidden states of all layers. */
export const HIDDEN_STATES = { outputHiddenStates: true, outputAttentions: false } as const;

/** A prompt of ids, or of embeddings. */
type LanguageInputs = { readonly inputIds?: Rows } & Partial<Pick<MergedPrompt, 'inputsEmbeds' | 'attentionMask'>>;

/** The hidden states of a language model, of its encoder if it has one: `[rows, positions, hidden]`. */
export async function languageStates(
  language: CheckpointLanguageModel,
  { inputIds, inputsEmbeds, attentionMask }: LanguageInputs,
  { layer }: Pick<Wanted, 'layer'>,
): Promise<Tensor<'float32'>> {
  const options = { ...HIDDEN_STATES, outputHiddenStates: layer !== undefined };
  const inputs = inputsEmbeds ? { inputsEmbeds, ...defined({ attentionMask }) } : { inputIds: inputIds ?? [] };
  const { last, all } = await statesOf(language, inputs, options);
  return expectFinite('language model', layer === undefined ? last : atLayer(all, layer));
}

async function statesOf(
  language: CheckpointLanguageModel,
  inputs: Pick<LanguageInputs, 'inputIds' | 'inputsEmbeds' | 'attentionMask'>,
  options: { readonly outputHiddenStates: boolean; readonly outputAttentions: boolean },
): Promise<{ readonly last: Tensor<'float32'>; readonly all: readonly Tensor<'float32'>[] | undefined }> {
  if (language.architecture === 'causal') {
    const { lastHiddenState: last, hiddenStates: all } = await language.forward(inputs, options);
    return { last, all };
  }
  const { encoderLastHiddenState, encoderHiddenStates: all } = await language.forward(inputs, options);
  return { last: atLayer(encoderLastHiddenState && [encoderLastHiddenState], -1), all };
}
