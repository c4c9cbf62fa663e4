import { type EntryKind, optionsOf } from '../entry-kind.ts';

/** Token and position embeddings of a text, optionally after the query tokens. */
export const textEmbeddingsKind: EntryKind = {
  inputs: ['input_ids'],
  options: ['with_query_tokens'],
  async run(call) {
    const model = await call.models.retrieval();
    return { embeddings: await model.textEmbeddings({ inputIds: call.inputs.rows('input_ids') }, optionsOf(call)) };
  },
};

/** Image-text matching of pairs (ITM), or the similarities of all images and texts (ITC). */
export const imageTextRetrievalKind: EntryKind = {
  inputs: ['pixel_values', 'input_ids', 'attention_mask'],
  options: ['use_image_text_matching_head'],
  async run(call) {
    const { models, inputs } = call;
    const model = await models.retrieval();
    return model.forward(
      {
        pixelValues: inputs.images('pixel_values'),
        inputIds: inputs.rows('input_ids'),
        ...inputs.optional('attentionMask', 'attention_mask', inputs.rows),
      },
      optionsOf(call),
    );
  },
};

/** The text encoder with projection. */
export const textModelWithProjectionKind: EntryKind = {
  inputs: ['input_ids', 'attention_mask'],
  options: [],
  async run({ models, inputs }) {
    const model = await models.textWithProjection();
    const text = {
      inputIds: inputs.rows('input_ids'),
      ...inputs.optional('attentionMask', 'attention_mask', inputs.rows),
    };
    return model.forward(text, { outputHiddenStates: true, outputAttentions: true });
  },
};

/** The vision encoder with projection. */
export const visionModelWithProjectionKind: EntryKind = {
  inputs: ['pixel_values'],
  options: [],
  run: async ({ models, inputs }) =>
    (await models.visionWithProjection()).forward(
      { pixelValues: inputs.images('pixel_values') },
      { outputHiddenStates: true, outputAttentions: true },
    ),
};
