// Replaces the vision encoder, with plain functions and through the container.
//   node examples/swap-vision.mjs [MODEL] [IMAGE]
import { fileURLToPath } from 'node:url';

import { createBlip2, openCheckpointParts } from '@blip2/blip2';
import { Blip2Token, createBlip2Container } from '@blip2/blip2/container';
import { VisionEncoder } from '@blip2/interfaces';
import { Blip2Processor } from '@blip2/processor';

import { createPatchAverageEncoder } from './patch-average-encoder.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [model = here('../apps/cli/models/blip2-opt-shapes'), image = here('left-of.png')] = process.argv.slice(2);
console.log(
  'This encoder was not trained with the Q-Former: the captions mean nothing and only show that the parts fit.',
);

// With plain functions: the other parts come from the checkpoint, whose encoder is never loaded.
const parts = await openCheckpointParts(model);
const { imageSize, patchSize, hiddenSize } = parts.config.visionConfig;
const vision = createPatchAverageEncoder({ imageSize, patchSize, hiddenSize });
const [qformer, projection, language] = await Promise.all([parts.qformer(), parts.projection(), parts.language()]);
const blip2 = createBlip2({
  vision,
  qformer,
  projection,
  language,
  processor: await Blip2Processor.fromPretrained(model),
});
console.log(`plain functions: ${(await blip2.caption(image)).text}`);
await blip2.dispose();
await parts[Symbol.asyncDispose]();

// Through the container: one token is bound to another object.
const container = await createBlip2Container(model);
await container.replace(VisionEncoder, [], () => createPatchAverageEncoder({ imageSize, patchSize, hiddenSize }));
console.log(`container: ${(await (await container.get(Blip2Token)).caption(image)).text}`);
await container[Symbol.asyncDispose]();
