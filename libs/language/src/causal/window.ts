/** Attention within a window: layers of the type `sliding_attention` have an attention bias that excludes what is farther. */
import type { LayerType } from '@blip2/config';
import { f32, type Tensor } from '@blip2/interfaces';
import { type F32, MASKED } from '@blip2/onnx';

import type { CausalRequest, CausalSignature } from './causal-signature.ts';

/** What determines the windows of a decoder. */
export interface Windows {
  /** Positions that a position attends to, itself included; undefined: all. */
  readonly slidingWindow?: number | undefined;
  /** The type of each layer. Default: every layer has the window. */
  readonly layerTypes?: readonly LayerType[];
}

/** Whether a layer has the window. */
export function isWindowed({ slidingWindow, layerTypes }: Windows, layer: number): boolean {
  return slidingWindow !== undefined && (layerTypes?.[layer] ?? 'sliding_attention') === 'sliding_attention';
}

/** The window of a decoder, if any layer has it. */
export function windowOf(windows: Windows, layers: number): number | undefined {
  return Array.from({ length: layers }, (_, layer) => layer).some((layer) => isWindowed(windows, layer))
    ? windows.slidingWindow
    : undefined;
}

/** Adds the bias of windowed layers to the inputs of a decoder, if there are any. */
export function windowSignature(
  signature: CausalSignature,
  config: Windows & { readonly numHiddenLayers: number },
  { cache }: CausalRequest,
): CausalSignature {
  if (windowOf(config, config.numHiddenLayers) === undefined) return signature;
  const total = cache ? 'past+sequence' : 'sequence';
  const { inputs, outputs } = signature;
  return { inputs: { ...inputs, window_bias: f32('batch', 1, 'sequence', total) }, outputs };
}

/** The bias of windowed layers among the inputs of a graph. */
export function windowBias(inputs: Readonly<Record<string, unknown>>): F32 {
  return inputs['window_bias'] as F32;
}

/**
 * An attention bias that also excludes positions at a distance of `window` and more. Distances count padding, as in HF.
 * Slots `pastLength` to the end of the past are unused, and masked already.
 */
export function withinWindow(
  bias: Tensor<'float32', [rows: number, one: 1, sequence: number, total: number]>,
  pastLength: number,
  window: number,
): Tensor<'float32', [rows: number, one: 1, sequence: number, total: number]> {
  const [rows, , sequence, total] = bias.dims;
  if (pastLength + sequence <= window) return bias;
  const data = bias.data.slice();
  const capacity = total - sequence;
  for (let row = 0; row < rows; row++) {
    for (let query = 0; query < sequence; query++) {
      const start = (row * sequence + query) * total;
      const first = pastLength + query - window + 1;
      data.fill(MASKED, start, start + Math.max(0, Math.min(pastLength, first)));
      if (first > pastLength) data.fill(MASKED, start + capacity, start + capacity + first - pastLength);
    }
  }
  return { type: 'float32', dims: bias.dims, data };
}
