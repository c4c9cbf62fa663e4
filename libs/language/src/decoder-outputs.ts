import { type F32, layeredValues } from '@blip2/onnx';

/** Outputs of one layer of a decoder. */
export interface DecoderLayerOutput {
  readonly hiddenStates: F32;
  /** Keys and values of the new positions, as they are cached. */
  readonly key: F32;
  readonly value: F32;
  /** Attention probabilities, if requested. */
  readonly attentions: F32 | undefined;
}

/** What a decoder's graph has as outputs in addition to its logits. */
export interface DecoderRequest {
  /** Keys and values of earlier positions are inputs, those of the new positions are outputs. */
  readonly cache: boolean;
  readonly lastHiddenState: boolean;
  readonly hiddenStates: boolean;
  readonly attentions: boolean;
}

/** The request that uses every tensor of the checkpoint, and no more. */
export const LOGITS: DecoderRequest = { cache: false, lastHiddenState: false, hiddenStates: false, attentions: false };
/** The request of a decoding step. */
export const DECODING: DecoderRequest = { ...LOGITS, cache: true };

/** The outputs that a request adds to the logits. The last hidden states are those after the final norm. */
export function decoderOutputs(
  request: DecoderRequest,
  embeddings: F32,
  layers: readonly DecoderLayerOutput[],
  last: F32,
): Record<string, F32> {
  const hiddenStates = [embeddings, ...layers.map((layer) => layer.hiddenStates)].slice(0, -1);
  return {
    ...(request.cache && {
      ...layeredValues(
        'new_key',
        layers.map(({ key }) => key),
      ),
      ...layeredValues(
        'new_value',
        layers.map(({ value }) => value),
      ),
    }),
    ...(request.lastHiddenState && { last_hidden_state: last }),
    ...(request.hiddenStates && layeredValues('hidden_states', [...hiddenStates, last])),
    ...(request.attentions &&
      layeredValues(
        'attentions',
        layers.flatMap(({ attentions }) => attentions ?? []),
      )),
  };
}
