import { mustBe } from '@blip2/interfaces';

/** Which hidden states `encode` returns. */
export interface FeatureLayerOptions {
  /**
   * The index of the hidden states, as in HF's `hidden_states`: 0 are the states before the first layer, `i` those
   * after layer `i`, negative numbers count from the last layer; none of them has the final norm. Later layers do not
   * run. Default: `last_hidden_state`. BLIP-2's ViT-L/14 uses the second last states (arXiv 2301.12597, section 3.1):
   * −2, followed by a norm that is trained with the Q-Former.
   */
  readonly featureLayer?: number;
}

/**
 * Number of layers that run to compute the states of `featureLayer`; undefined for `last_hidden_state`.
 * @throws Blip2Error `INVALID_ARGUMENT` if there is no such layer.
 */
export function layersOf(
  { featureLayer }: FeatureLayerOptions,
  { numHiddenLayers }: { readonly numHiddenLayers: number },
): number | undefined {
  if (featureLayer === undefined) return undefined;
  const layers = featureLayer < 0 ? numHiddenLayers + 1 + featureLayer : featureLayer;
  if (Number.isInteger(layers) && layers >= 0 && layers <= numHiddenLayers) return layers;
  throw mustBe('featureLayer', `an integer from ${-numHiddenLayers - 1} to ${numHiddenLayers}`, featureLayer);
}
