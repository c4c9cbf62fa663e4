import { openCheckpointParts, overlayHeatmap, queryAttention } from '@blip2/blip2';
import { Blip2Error, type PixelValues, type Tensor } from '@blip2/interfaces';
import { BlipImageProcessor, encodePng } from '@blip2/processor';
import { dtypeOption } from '../options/dtype.ts';
import type { HeatmapModel, Load } from './model-port.ts';

/** The library behind the port, in a worker thread: encoder and Q-Former of any BLIP-2 checkpoint; its language model is not loaded. */
export const loadHeatmapModel: Load<HeatmapModel> = async (source, { dtype, ...settings }) => {
  const parts = await openCheckpointParts(source, { ...settings, ...dtypeOption(dtype), isolate: 'worker' });
  const dispose = async (): Promise<void> => parts[Symbol.asyncDispose]();
  try {
    const processor = await BlipImageProcessor.fromPretrained(parts.folder);
    const [vision, qformer] = [await parts.vision(), await parts.qformer()];
    return {
      async overlay(image, options) {
        const { pixelValues } = await processor.process([image], { signal: options.signal });
        if (!isFloat(pixelValues)) throw new Blip2Error('INVALID_CONFIG', 'The image processor neither rescales nor normalises', { where: 'preprocessor_config.json', expected: 'do_rescale or do_normalize' });
        return encodePng(overlayHeatmap(image, await queryAttention({ vision, qformer }, pixelValues, options)));
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
};

function isFloat(pixelValues: Tensor): pixelValues is PixelValues {
  return pixelValues.type === 'float32';
}
