import { Blip2Error, expectDifferentiable, type Tensor } from '@blip2/interfaces';

import type { EntryCall, EntryKind } from '../entry-kind.ts';
import { asString, asStringList } from '../json-shape.ts';

/** Gradients with respect to inputs and tensors of the checkpoint, in the order of the option `names`. */
export const gradientKind: EntryKind = {
  inputs: [
    'prefix_embeds',
    'prompt_ids',
    'targets',
    'encoder_hidden_states',
    'input_ids',
    'attention_mask',
    'states',
    'pixel_values',
    'gradient',
  ],
  options: ['module', 'names'],
  async run(call) {
    const module = asString(call.options['module'], 'module');
    if (module === 'language_model') return languageModelGradient(call);
    const found = module === 'bridge' ? await bridgeGradients(call) : await moduleGradients(call, module);
    return { gradients: asStringList(call.options['names'], 'names').map((name) => named(found, name)) };
  },
};

async function languageModelGradient({ models, inputs }: EntryCall): Promise<object> {
  const model = expectDifferentiable(await models.languageModel());
  const { loss, prefixGradient } = await model.lossAndGradient(
    inputs.vectors('prefix_embeds'),
    inputs.rows('targets'),
    {
      promptIds: inputs.rows('prompt_ids'),
    },
  );
  return { loss: { type: 'float32', dims: [1], data: Float32Array.of(loss) }, gradients: [prefixGradient] };
}

async function bridgeGradients({ models, inputs }: EntryCall): Promise<Readonly<Record<string, Tensor>>> {
  const { bridge, weights } = await (await models.gradients()).bridge();
  const text = inputs.has('input_ids') && {
    text: { inputIds: inputs.rows('input_ids'), attentionMask: inputs.rows('attention_mask') },
  };
  const given = { features: inputs.vectors('encoder_hidden_states'), ...text };
  return bridge.backward(given, inputs.vectors('gradient'), weights);
}

async function moduleGradients(
  { models, inputs }: EntryCall,
  module: string,
): Promise<Readonly<Record<string, Tensor>>> {
  const name = module === 'vision_model' ? 'pixel_values' : 'states';
  const gradients = await models.gradients();
  return gradients.pullback(module, { [name]: inputs.floats(name) }, inputs.floats('gradient'));
}

function named(tensors: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const tensor = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
  if (tensor) return tensor;
  throw new Blip2Error('INVALID_ARGUMENT', { argument: 'names', expected: Object.keys(tensors).join(', '), got: name });
}
