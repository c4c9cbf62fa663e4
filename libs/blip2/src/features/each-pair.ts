import {
  type AttentionMask,
  defined,
  type PixelValues,
  type ProcessedInputs,
  type Tensor,
  type TokenIds,
} from '@blip2/interfaces';
import { expectFloatPixels, type ProcessOptions, type ProcessorInputs } from '@blip2/processor';

import type { EmbedInputs } from '../retrieval/embed-inputs.ts';
import { rowsOf, type Wanted } from './feature-tools.ts';

/** One image with its text, as the processor returns them. */
export interface ProcessedPair {
  readonly pixelValues: PixelValues;
  readonly inputIds?: readonly TokenIds[];
  readonly attentionMask?: AttentionMask;
  /** Of InstructBLIP. */
  readonly qformerInputIds?: readonly TokenIds[];
  readonly qformerAttentionMask?: AttentionMask;
}

interface Processor {
  process(inputs: ProcessorInputs, options?: ProcessOptions): Promise<ProcessedInputs>;
}

/** Computes the features of images with a text each, one at a time, so that no text is padded. */
export async function eachPair(
  { images, text }: Required<EmbedInputs>,
  processor: Processor,
  { autoOrient = true, allowUrls = false, signal }: Wanted,
  compute: (pair: ProcessedPair) => Promise<Tensor<'float32'>>,
): Promise<Tensor<'float32'>[]> {
  const results: Tensor<'float32'>[] = [];
  for (const [index, image] of images.entries()) {
    signal?.throwIfAborted();
    const options = { autoOrient, allowUrls, ...defined({ signal }) };
    const { pixelValues, ...texts } = await processor.process({ images: [image], text: [text[index] ?? ''] }, options);
    signal?.throwIfAborted();
    results.push(...rowsOf(await compute({ pixelValues: expectFloatPixels(pixelValues), ...texts })));
  }
  return results;
}
