import type { PlannedWeight, PrecisionChoice, WeightStore } from '@blip2/interfaces';
import { partPrecisions, planWeights, type WeightFinder } from '@blip2/onnx';

/**
 * At `small` these have 8 bits: two thirds of an encoder's weights, and of its time. An image is hundreds of rows,
 * which bytes multiply twice as fast as blocks of 4 bits on
 * processors with VNNI (ViT-g: 0.46 for 0.88 s); all of the encoder in bytes would take a model of 3.7 billion weights
 * past 3.2 GB.
 */
const FEED_FORWARD = /\.mlp\.fc[12]\.weight$/;

/** How an encoder's graph is to read its weights; nothing where they are read as they lie. */
export function planEncoder(
  store: WeightStore,
  dtype: PrecisionChoice | undefined,
  build: (weights: WeightFinder) => void,
): PlannedWeight[] | undefined {
  const plan = planWeights(store, partPrecisions(dtype).prefill, build);
  return dtype === 'small'
    ? plan?.map((weight) => (FEED_FORWARD.test(weight.name) ? { ...weight, precision: 'int8' } : weight))
    : plan;
}
