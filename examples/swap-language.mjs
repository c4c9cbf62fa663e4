// Replaces the language model, with plain functions and through the container.
//   node examples/swap-language.mjs [MODEL] [IMAGE]
import { fileURLToPath } from 'node:url';

import { createBlip2, openCheckpointParts } from '@blip2/blip2';
import { Blip2Token, createBlip2Container } from '@blip2/blip2/container';
import { LlamaConfig } from '@blip2/config';
import { LanguageModel } from '@blip2/interfaces';
import { LlamaForCausalLM } from '@blip2/language';
import { Blip2Processor } from '@blip2/processor';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [model = here('../apps/cli/models/blip2-opt-shapes'), image = here('left-of.png')] = process.argv.slice(2);
console.log(
  'This language model is untrained: the captions mean nothing until it is trained together with the Q-Former.',
);

const parts = await openCheckpointParts(model);
const { vocabSize, bosTokenId, eosTokenId, padTokenId } = parts.config.textConfig;
const [vision, qformer, projection] = await Promise.all([parts.vision(), parts.qformer(), parts.projection()]);
// `fromPretrained` loads a stock checkpoint of this architecture; the projection must then be trained for its width.
const config = LlamaConfig.create({
  vocabSize,
  bosTokenId,
  eosTokenId,
  padTokenId,
  hiddenSize: projection.outFeatures,
  intermediateSize: 256,
  numHiddenLayers: 2,
  numAttentionHeads: 8,
  numKeyValueHeads: 2,
  initializerRange: 0.5,
});
const language = await LlamaForCausalLM.fromConfig(config, { seed: 1 });

// With plain functions: the other parts come from the checkpoint, whose language model is never loaded.
const blip2 = createBlip2({
  vision,
  qformer,
  projection,
  language,
  processor: await Blip2Processor.fromPretrained(model),
});
console.log(`plain functions: ${JSON.stringify((await blip2.caption(image, { maxNewTokens: 6 })).text)}`);

// Through the container: one token is bound to another object.
const container = await createBlip2Container(model);
await container.replace(LanguageModel, [], () => language);
console.log(
  `container: ${JSON.stringify((await (await container.get(Blip2Token)).caption(image, { maxNewTokens: 6 })).text)}`,
);
await container[Symbol.asyncDispose]();
await blip2.dispose();
await parts[Symbol.asyncDispose]();
