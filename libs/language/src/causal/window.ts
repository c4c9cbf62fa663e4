/** Attention within a window: layers of the type `sliding_attention` have a bias that excludes what is farther. */
import type { LayerType } from '@blip2/config';
import { type AttentionMask, f32, type Tensor } from '@blip2/interfaces';
import { type F32, MASKED } from '@blip2/onnx';

import type { CausalRequest, CausalSignature } from './causal-signature.ts';
import { positionsOf } from './positions.ts';

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

/** What a window is applied to. */
export interface WindowedStep {
  /** The mask over past and new positions. */
  readonly mask: AttentionMask;
  /** Whether padding counts as positions, as in `positionsOf`. */
  readonly use: 'decoding' | 'forward';
  readonly window: number;
}

type Bias = Tensor<'float32', [rows: number, one: 1, sequence: number, total: number]>;

/**
 * An attention bias that also excludes positions at a distance of `window` and more. Unused slots between past and new
 * positions are masked already.
 */
export function withinWindow(bias: Bias, { mask, use, window }: WindowedStep): Bias {
  const [rows, , sequence, total] = bias.dims;
  const length = mask[0]?.length ?? 0;
  if (length <= window) return bias;
  const data = bias.data.slice();
  const pastLength = length - sequence;
  const slotOf = (key: number): number => (key < pastLength ? key : total - length + key);
  const positions = positionsOf(mask, length, use);
  for (let row = 0; row < rows; row++) {
    const at = positions[row] ?? [];
    for (let query = 0; query < sequence; query++) {
      const start = (row * sequence + query) * total;
      const first = (at[pastLength + query] ?? 0) - window + 1;
      for (let key = 0; key < length; key++) if ((at[key] ?? 0) < first) data[start + slotOf(key)] = MASKED;
    }
  }
  return { type: 'float32', dims: bias.dims, data };
}

/** The bias of windowed layers among the inputs of a run, if there are any. */
export function windowFeed(
  bias: Bias,
  { window, ...step }: Omit<WindowedStep, 'window'> & { readonly window: number | undefined },
): { readonly window_bias?: Bias } {
  return window === undefined ? {} : { window_bias: withinWindow(bias, { ...step, window }) };
}
