// A vision encoder of one's own in the command line: blip2 caption left-of.png --module examples/module-own-encoder.mjs
// It was never trained with this Q-Former: the captions mean nothing, they only show that the parts fit.
import { createPatchAverageEncoder } from './patch-average-encoder.mjs';

/** @type {import('@blip2/cli').Blip2Module} */
export default {
  parts({ config: { visionConfig } }) {
    return { vision: createPatchAverageEncoder(visionConfig) };
  },
};
