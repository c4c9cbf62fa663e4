// A module with a custom vision encoder. It was not trained with this Q-Former: the captions are meaningless and only
// show that the parts fit.
//   blip2 caption left-of.png --module examples/module-own-encoder.mjs
import { createPatchAverageEncoder } from './patch-average-encoder.mjs';

/** @type {import('@blip2/cli').Blip2Module} */
export default {
  parts({ config: { visionConfig } }) {
    return { vision: createPatchAverageEncoder(visionConfig) };
  },
};
