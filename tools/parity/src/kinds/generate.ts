import { withGenerate } from '@blip2/blip2';
import type { GenerationOptions, PixelValues, Rows, Tensor } from '@blip2/interfaces';

import type { EntryInputs } from '../entry-inputs.ts';
import { type EntryCall, type EntryKind, optionsOf } from '../entry-kind.ts';
import { GENERATION_OPTIONS } from './generation-options.ts';

/** Generation from an image with the complete model, after a given or the default prompt. */
export const generateKind: EntryKind = {
  inputs: ['pixel_values', 'input_ids', 'attention_mask', 'qformer_input_ids', 'qformer_attention_mask'],
  options: [...GENERATION_OPTIONS, 'interpolate_pos_encoding'],
  async run(call) {
    const model = await call.models.whole();
    return describeGenerated(call, await model.generate(imagePrompt(call.inputs), optionsOf<GenerationOptions>(call)));
  },
};

/** Generation from text with the language model only. */
export const languageModelGenerateKind: EntryKind = {
  inputs: ['input_ids', 'attention_mask'],
  options: GENERATION_OPTIONS,
  async run(call) {
    const { models, inputs, wanted } = call;
    // Loaded separately: the checkpoint may contain only the language model.
    const languageModel = withGenerate(await models.languageModel());
    const prompt = {
      inputIds: inputs.rows('input_ids'),
      ...inputs.optional('attentionMask', 'attention_mask', inputs.rows),
    };
    const options = { ...optionsOf<GenerationOptions>(call), outputScores: wanted.has('scores') };
    return describeGenerated(call, await languageModel.generate(prompt, options));
  },
};

/** Logits of the first new token after all logits processors and warpers, before sampling. */
export const samplingScoresKind: EntryKind = {
  inputs: ['pixel_values', 'input_ids', 'attention_mask', 'qformer_input_ids', 'qformer_attention_mask'],
  options: GENERATION_OPTIONS,
  async run(call) {
    const model = await call.models.whole();
    const { scores } = await model.generate(imagePrompt(call.inputs), {
      ...optionsOf<GenerationOptions>(call),
      doSample: true,
      maxNewTokens: 1,
      outputScores: true,
    });
    return { scores: scores?.[0] };
  },
};

/** Log-probabilities of given answers after an image and a prompt. */
export const sequenceLogProbsKind: EntryKind = {
  inputs: ['pixel_values', 'input_ids', 'attention_mask', 'qformer_input_ids', 'qformer_attention_mask', 'candidates'],
  options: [],
  async run({ models, inputs }) {
    const model = await models.whole();
    const [scored = []] = await model.scoreSequences(imagePrompt(inputs), inputs.rows('candidates'));
    const vector = (values: readonly number[]): Tensor => ({
      type: 'float32',
      dims: [values.length],
      data: Float32Array.from(values),
    });
    return {
      tokenLogprobs: scored.map(({ tokenLogProbs }) => vector(tokenLogProbs)),
      sums: vector(scored.map(({ sum }) => sum)),
    };
  },
};

interface ImagePrompt {
  readonly pixelValues: PixelValues;
  readonly inputIds?: Rows;
  readonly attentionMask?: Rows;
  /** InstructBLIP only. */
  readonly qformerInputIds?: Rows;
  readonly qformerAttentionMask?: Rows;
}

function imagePrompt(inputs: EntryInputs): ImagePrompt {
  return {
    pixelValues: inputs.images('pixel_values'),
    ...inputs.optional('inputIds', 'input_ids', inputs.rows),
    ...inputs.optional('attentionMask', 'attention_mask', inputs.rows),
    ...inputs.optional('qformerInputIds', 'qformer_input_ids', inputs.rows),
    ...inputs.optional('qformerAttentionMask', 'qformer_attention_mask', inputs.rows),
  };
}

interface Generated {
  readonly sequences: readonly (readonly number[])[];
  readonly sequencesScores?: readonly number[];
  readonly scores?: readonly Tensor[];
}

async function describeGenerated(
  { models, wanted }: EntryCall,
  { sequences, sequencesScores, scores }: Generated,
): Promise<object> {
  // A case of a language model may have no tokenizer.
  const tokenizer = wanted.has('texts') ? await models.tokenizer('tokenizer') : undefined;
  return {
    newTokens: sequences,
    ...(tokenizer && { texts: sequences.map((row) => tokenizer.decode(row, { skipSpecialTokens: true })) }),
    ...(sequencesScores && {
      sequencesScores: { type: 'float32', dims: [sequencesScores.length], data: Float32Array.from(sequencesScores) },
    }),
    ...(scores && { scores }),
  };
}
