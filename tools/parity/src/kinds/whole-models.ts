import { type EntryKind, optionsOf } from '../entry-kind.ts';

/** The complete model. Hidden states and attentions are those of the language model. */
export const forwardKind: EntryKind = {
  inputs: [
    'pixel_values',
    'input_ids',
    'attention_mask',
    'labels',
    'decoder_input_ids',
    'decoder_attention_mask',
    'qformer_input_ids',
    'qformer_attention_mask',
  ],
  options: ['output_hidden_states', 'output_attentions', 'interpolate_pos_encoding'],
  async run(call) {
    const { models, inputs } = call;
    const model = await models.whole();
    const { languageModelOutputs, ...outputs } = await model.forward(
      {
        pixelValues: inputs.images('pixel_values'),
        inputIds: inputs.rows('input_ids'),
        ...inputs.optional('attentionMask', 'attention_mask', inputs.rows),
        ...inputs.optional('labels', 'labels', inputs.rows),
        ...inputs.optional('decoderInputIds', 'decoder_input_ids', inputs.rows),
        ...inputs.optional('decoderAttentionMask', 'decoder_attention_mask', inputs.rows),
        ...inputs.optional('qformerInputIds', 'qformer_input_ids', inputs.rows),
        ...inputs.optional('qformerAttentionMask', 'qformer_attention_mask', inputs.rows),
      },
      optionsOf(call),
    );
    return { ...languageModelOutputs, ...outputs };
  },
};

export const getImageFeaturesKind: EntryKind = {
  inputs: ['pixel_values'],
  options: [],
  run: async ({ models, inputs }) =>
    (await models.base()).getImageFeatures({ pixelValues: inputs.images('pixel_values') }),
};

export const getQFormerFeaturesKind: EntryKind = {
  inputs: ['pixel_values'],
  options: [],
  run: async ({ models, inputs }) =>
    (await models.base()).getQFormerFeatures({ pixelValues: inputs.images('pixel_values') }),
};

export const getTextFeaturesKind: EntryKind = {
  inputs: ['input_ids', 'attention_mask'],
  options: [],
  run: async ({ models, inputs }) =>
    (await models.base()).getTextFeatures({
      inputIds: inputs.rows('input_ids'),
      ...inputs.optional('attentionMask', 'attention_mask', inputs.rows),
    }),
};
