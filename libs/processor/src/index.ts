export { BlipImageProcessor } from './blip-image-processor.ts';
export {
  Blip2Processor,
  type ProcessedImages,
  type ProcessedTexts,
  type ProcessOptions,
  type ProcessorInputs,
  type ProcessorParts,
  type RawPixelOptions,
} from './blip2-processor.ts';
export { expectFloatPixels, expectFloatSettings } from './float-pixels.ts';
export type { Triple } from './image-processor-settings.ts';
export {
  type CropRounding,
  IMAGE_PROCESSOR_DEFAULTS,
  type ImageProcessorOverrides,
  type ImageProcessorSettings,
  type ImageSize,
} from './image-processor-settings.ts';
export { MAX_IMAGE_PIXELS } from './images/decode-bytes.ts';
export { decodeImage, type DecodeImageOptions } from './images/decode-image.ts';
export { encodeJpeg, type EncodeJpegOptions } from './images/encode-jpeg.ts';
export { encodePng } from './images/encode-png.ts';
export {
  InstructBlipProcessor,
  type InstructBlipProcessorParts,
  type InstructedTexts,
} from './instructblip-processor.ts';
export type { PixelTensor } from './pixel-values.ts';
export type { ImageProcessOptions } from './process-options.ts';
export { processorFolder, type ProcessorSources } from './processor-folder.ts';
export { type ImageSettingsFile, readImageSettings } from './read-image-settings.ts';
export { RESAMPLING_CODES, type ResamplingName } from './resampling/filters.ts';
export { resize } from './resampling/resize.ts';
export { saveImageSettings } from './save-image-settings.ts';
export {
  createImageThreads,
  type ImageThreads,
  type OpenedImage,
  type OpenImageOptions,
  type Resizing,
} from './threads/image-threads.ts';
export { resizingOf } from './threads/resizing-of.ts';
export type { BatchEncodeOptions, BatchEncoding, Side } from './tokenizer/padding.ts';
export {
  type DecodeOptions,
  type EncodeTextOptions,
  Tokenizer,
  type TokenizerFiles,
  type TokenizerLoadOptions,
  type TokenizerOptions,
} from './tokenizer/tokenizer.ts';
