import type { SensitiveLayers } from '@blip2/onnx';

/** Layers of pre-norm vision transformers with a precision of their own. */
export const SENSITIVE_VISION_LAYERS: readonly SensitiveLayers[] = [
  {
    weights: /\.(?:mlp\.(?:fc[12]|weights_(?:in|out))|intermediate\.dense|\d+\.output\.dense)\.weight$/,
    instead: { small: 'int8' },
    reason:
      'Two thirds of the weights and of the time of an encoder. An image is hundreds of rows, which int8 kernels ' +
      'multiply twice as fast as 4-bit blocks on processors with VNNI (ViT-g: 0.46 against 0.88 s); the entire ' +
      'encoder in int8 would take a model of 3.7 billion weights past 3.2 GB',
  },
];
