import { type Axis, f32, type TensorSpec } from '@blip2/interfaces';
import { type EncoderStackOutput, type F32, layeredSpecs, layeredValues } from '@blip2/onnx';

import type { VisionRequest } from './vision-request.ts';

/** Sizes of an encoder that cuts images into square patches. */
export interface EncoderSizes {
  readonly hiddenSize: number;
  readonly numAttentionHeads: number;
  /** Height and width of an image, in pixels. */
  readonly imageSize: number;
  /** Height and width of a patch, in pixels. */
  readonly patchSize: number;
  readonly numChannels: number;
  /** Whether a class position comes before the patches. */
  readonly hasClassPosition: boolean;
}

export interface EncoderSignature {
  readonly inputs: { readonly pixel_values: TensorSpec<'float32', readonly ['batch', number, Axis, Axis]> };
  readonly outputs: {
    readonly last_hidden_state: TensorSpec<'float32', readonly ['batch', Axis, number]>;
  } & Readonly<Record<string, TensorSpec<'float32'>>>;
}

/** Patches along one side of an image, which is cropped to whole patches. */
export function patchesPerSide({ imageSize, patchSize }: Pick<EncoderSizes, 'imageSize' | 'patchSize'>): number {
  return Math.floor(imageSize / patchSize);
}

/** Positions of an image of the configured size. */
export function numPositions(sizes: EncoderSizes): number {
  return (sizes.hasClassPosition ? 1 : 0) + patchesPerSide(sizes) ** 2;
}

/** Inputs and outputs of an encoder of which `layers` blocks run. */
export function encoderSignature(sizes: EncoderSizes, layers: number, request: VisionRequest): EncoderSignature {
  const { hiddenSize, imageSize, numAttentionHeads, numChannels, hasClassPosition } = sizes;
  const { hiddenStates, attentions, interpolatePosEncoding } = request;
  const fixed = numPositions(sizes);
  const positions = interpolatePosEncoding ? (hasClassPosition ? '1+patches' : 'patches') : fixed;
  const states = f32('batch', positions, hiddenSize);
  const maps = f32('batch', numAttentionHeads, positions, positions);
  return {
    inputs: {
      pixel_values: interpolatePosEncoding
        ? f32('batch', numChannels, 'height', 'width')
        : f32('batch', numChannels, imageSize, imageSize),
    },
    outputs: {
      last_hidden_state: states,
      ...(hiddenStates && layeredSpecs('hidden_states', layers + 1, states)),
      ...(attentions && layeredSpecs('attentions', layers, maps)),
    },
  };
}

/** The outputs that a request adds to the final hidden states. */
export function requestedOutputs(
  { hiddenStates, attentions }: VisionRequest,
  stack: EncoderStackOutput,
): Record<string, F32> {
  return {
    ...(hiddenStates && layeredValues('hidden_states', stack.hiddenStates)),
    ...(attentions && layeredValues('attentions', stack.attentions)),
  };
}
