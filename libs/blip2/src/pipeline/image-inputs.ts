import { expectInputs, expectTensor, isTensorLike, type Tensor } from '@blip2/interfaces';

/** Axes of images. */
export const PIXEL_AXES: readonly string[] = ['batch', '3', 'height', 'width'];
/** Axes of the embeddings of images. */
const PREFIX_AXES: readonly string[] = ['batch', 'queries', 'embeddingSize'];

/** Names of the inputs of a prompt with images. */
export const PROMPT_INPUTS: readonly string[] = ['pixelValues', 'inputIds', 'inputsEmbeds', 'attentionMask'];

/**
 * Checks the inputs of a call: the names, and the tensor of images or their prefix.
 * @throws Blip2Error `INVALID_ARGUMENT`, `UNKNOWN_OPTION`, `SHAPE_MISMATCH`, `NOT_FINITE`.
 */
export function expectImageInputs(
  where: string,
  inputs: { readonly pixelValues: Tensor<'float32'> },
  names: readonly string[],
): void {
  expectInputs(where, inputs, names);
  const { pixelValues, ...others } = inputs as typeof inputs & { readonly inputsEmbeds?: Tensor<'float32'> };
  const isPrefix = isTensorLike(pixelValues) && Array.isArray(pixelValues.dims) && pixelValues.dims.length === 3;
  expectTensor('pixelValues', pixelValues, isPrefix ? PREFIX_AXES : PIXEL_AXES);
  if (others.inputsEmbeds) expectTensor('inputsEmbeds', others.inputsEmbeds, ['batch', 'sequence', 'embeddingSize']);
}
