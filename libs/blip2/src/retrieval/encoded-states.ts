import type { Blip2Config } from '@blip2/config';
import { type Attentions, defined, type HiddenStates } from '@blip2/interfaces';
import type { VisionForwardOptions } from '@blip2/vision';

type StatesOptions = Pick<VisionForwardOptions, 'outputHiddenStates' | 'outputAttentions'>;

/** The outputs of an encoder whose hidden states are projected. */
export interface EncodedStates<Last> {
  /** Final hidden states, `[rows, positions, hidden]`. */
  readonly lastHiddenState: Last;
  /** Embeddings, then the output of each layer, `[rows, positions, hidden]`. */
  readonly hiddenStates?: readonly HiddenStates[];
  /** Of each layer, `[rows, heads, positions, positions]`. */
  readonly attentions?: readonly Attentions[];
}

/** Runs an encoder with the outputs that the options request, or else the configuration. */
export async function encodeStates<Last>(
  config: Blip2Config,
  options: StatesOptions,
  encode: (requested: Required<StatesOptions>) => Promise<EncodedStates<Last>>,
): Promise<EncodedStates<Last>> {
  const { outputHiddenStates = config.outputHiddenStates, outputAttentions = config.outputAttentions } = options;
  const { lastHiddenState, hiddenStates, attentions } = await encode({ outputHiddenStates, outputAttentions });
  return { lastHiddenState, ...defined({ hiddenStates, attentions }) };
}
