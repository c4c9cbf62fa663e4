export { decodeImage, MAX_IMAGE_PIXELS, type DecodeImageOptions } from './images/decode-image.ts';
export { encodePng } from './images/encode-png.ts';
export { resize } from './resampling/resize.ts';
export { RESAMPLING_CODES, type ResamplingName } from './resampling/filters.ts';
export { BlipImageProcessor, type ImageProcessOptions } from './blip-image-processor.ts';
export { IMAGE_PROCESSOR_DEFAULTS, type ImageProcessorOverrides, type ImageProcessorSettings } from './image-processor-settings.ts';
export { Tokenizer, type DecodeOptions, type EncodeTextOptions, type TokenizerFiles, type TokenizerLoadOptions } from './tokenizer/tokenizer.ts';
export type { BatchEncodeOptions, BatchEncoding, Side } from './tokenizer/padding.ts';
export { Blip2Processor, type ProcessOptions, type ProcessorInputs } from './blip2-processor.ts';
