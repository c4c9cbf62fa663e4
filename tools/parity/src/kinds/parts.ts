import type { QFormerForwardOptions, TextConditionedQFormer } from '@blip2/qformer';

import type { EntryInputs } from '../entry-inputs.ts';
import { type EntryKind, optionsOf } from '../entry-kind.ts';

/** The vision encoder. Hidden states and attentions are requested unless the options disable them. */
export const visionForwardKind: EntryKind = {
  inputs: ['pixel_values'],
  options: ['output_hidden_states', 'output_attentions', 'interpolate_pos_encoding'],
  async run(call) {
    const vision = await call.models.vision();
    return vision.forward(
      { pixelValues: call.inputs.images('pixel_values') },
      { outputHiddenStates: true, outputAttentions: true, ...optionsOf(call) },
    );
  },
};

/** The Q-Former. Without `query_embeds`, every row uses the model's query tokens. */
export const qformerForwardKind: EntryKind = {
  inputs: [
    'encoder_hidden_states',
    'encoder_attention_mask',
    'query_embeds',
    'query_length',
    'attention_mask',
    'head_mask',
    'input_ids',
  ],
  options: [],
  async run({ models, inputs, wanted }) {
    const outputs = {
      outputHiddenStates: wanted.has('hiddenStates'),
      outputAttentions: wanted.has('attentions') || wanted.has('crossAttentions'),
    };
    if (inputs.has('input_ids')) return readText(await models.textQFormer(), inputs, outputs);
    const qformer = await models.qformer();
    return qformer.forward(
      {
        ...inputs.optional('encoderHiddenStates', 'encoder_hidden_states', inputs.vectors),
        ...inputs.optional('encoderAttentionMask', 'encoder_attention_mask', inputs.rows),
        ...inputs.optional('queryEmbeds', 'query_embeds', inputs.vectors),
        ...inputs.optional('queryLength', 'query_length', inputs.integer),
        ...inputs.optional('attentionMask', 'attention_mask', inputs.rows),
        ...inputs.optional('headMask', 'head_mask', inputs.floats),
      },
      outputs,
    );
  },
};

/** The Q-Former of InstructBLIP, with text. The mask of queries and text is 1 for all queries. */
function readText(
  qformer: TextConditionedQFormer,
  inputs: EntryInputs,
  outputs: QFormerForwardOptions,
): Promise<object> {
  const text = (mask: string): number[][] => inputs.rows(mask).map((row) => row.slice(qformer.numQueryTokens));
  return qformer.read(
    {
      inputIds: inputs.rows('input_ids'),
      ...inputs.optional('attentionMask', 'attention_mask', text),
      encoderHiddenStates: inputs.vectors('encoder_hidden_states'),
    },
    outputs,
  );
}

/** The linear layer between the Q-Former and the language model. */
export const languageProjectionKind: EntryKind = {
  inputs: ['query_output'],
  options: [],
  async run({ models, inputs }) {
    const projection = await models.languageProjection();
    return { projected: await projection.project(inputs.vectors('query_output')) };
  },
};

/** The language model without an image. */
export const languageModelForwardKind: EntryKind = {
  inputs: ['input_ids', 'inputs_embeds', 'attention_mask', 'decoder_input_ids', 'labels'],
  options: [],
  async run({ models, inputs, wanted }) {
    const languageModel = await models.languageModel();
    const prompt = {
      ...inputs.optional('inputIds', 'input_ids', inputs.rows),
      ...inputs.optional('inputsEmbeds', 'inputs_embeds', inputs.vectors),
      ...inputs.optional('attentionMask', 'attention_mask', inputs.rows),
      ...inputs.optional('decoderInputIds', 'decoder_input_ids', inputs.rows),
      ...inputs.optional('labels', 'labels', inputs.rows),
    };
    return languageModel.forward(prompt, {
      outputHiddenStates: wanted.has('hiddenStates') || wanted.has('decoderHiddenStates'),
      outputAttentions: wanted.has('attentions') || wanted.has('decoderAttentions'),
    });
  },
};
