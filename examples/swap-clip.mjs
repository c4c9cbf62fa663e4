// Replaces the vision encoder with CLIP's, with plain functions and through the container.
//   node examples/swap-clip.mjs [MODEL] [IMAGE]
import { fileURLToPath } from 'node:url';

import { createBlip2, openCheckpointParts } from '@blip2/blip2';
import { Blip2Token, createBlip2Container } from '@blip2/blip2/container';
import { ClipVisionConfig } from '@blip2/config';
import { VisionEncoder } from '@blip2/interfaces';
import { Blip2Processor } from '@blip2/processor';
import { ClipVisionEncoder } from '@blip2/vision';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [model = here('../apps/cli/models/blip2-opt-shapes'), image = here('left-of.png')] = process.argv.slice(2);
console.log('This encoder is untrained: the captions mean nothing until it is trained together with the Q-Former.');

const parts = await openCheckpointParts(model);
const [qformer, projection, language] = await Promise.all([parts.qformer(), parts.projection(), parts.language()]);
// `ClipVisionEncoder.fromPretrained('path/to/clip-vit-large-patch14', { featureLayer: -2 })` loads a stock checkpoint;
// its width must equal the Q-Former's `encoderHiddenSize`.
const { imageSize, patchSize } = parts.config.visionConfig;
const config = ClipVisionConfig.create({
  hiddenSize: qformer.encoderHiddenSize,
  intermediateSize: 256,
  numHiddenLayers: 3,
  numAttentionHeads: 4,
  imageSize,
  patchSize,
});
const vision = await ClipVisionEncoder.fromConfig(config, { seed: 1, featureLayer: -2 });

// With plain functions: the other parts come from the checkpoint, whose encoder is never loaded.
const blip2 = createBlip2({
  vision,
  qformer,
  projection,
  language,
  processor: await Blip2Processor.fromPretrained(model),
});
console.log(`plain functions: ${(await blip2.caption(image)).text}`);

// Through the container: one token is bound to another object.
const container = await createBlip2Container(model);
await container.replace(VisionEncoder, [], () => vision);
console.log(`container: ${(await (await container.get(Blip2Token)).caption(image)).text}`);
await container[Symbol.asyncDispose]();
await blip2.dispose();
await parts[Symbol.asyncDispose]();
