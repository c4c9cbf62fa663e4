import type { JsonObject } from '@blip2/files';

/** How an image processor of HF differs from `BlipImageProcessor`. */
interface ImageProcessorClass {
  /** Defaults, as in a file. */
  readonly defaults: JsonObject;
  /** Whether a size of one number is the length of the shorter side, and not of both. */
  readonly keepsRatio: boolean;
}

const CROPPED: JsonObject = {
  size: { shortest_edge: 224 },
  do_center_crop: true,
  crop_size: { height: 224, width: 224 },
};
const SQUARE: JsonObject = {
  size: { height: 224, width: 224 },
  image_mean: [0.5, 0.5, 0.5],
  image_std: [0.5, 0.5, 0.5],
};
const BILINEAR = 2;

/** By name in a file. Source: `models/{clip,bit,siglip,vit}/image_processing_pil_*.py`, transformers 5.18. */
const CLASSES: ReadonlyMap<string, ImageProcessorClass> = new Map([
  ['CLIPImageProcessor', { defaults: CROPPED, keepsRatio: true }],
  ['BitImageProcessor', { defaults: CROPPED, keepsRatio: true }],
  ['SiglipImageProcessor', { defaults: SQUARE, keepsRatio: true }],
  ['ViTImageProcessor', { defaults: { ...SQUARE, resample: BILINEAR }, keepsRatio: false }],
]);

/** The fields of a file, and the defaults of the class that it names: `CLIPImageProcessor` for CLIP's encoder. */
export function withClassDefaults(file: JsonObject): JsonObject {
  const known = CLASSES.get(className(file));
  if (!known) return file;
  const { size } = file;
  return {
    ...known.defaults,
    ...file,
    ...(known.keepsRatio && typeof size === 'number' && { size: { shortest_edge: size } }),
  };
}

/** The class without its backend. Files of transformers before 4.26 name a feature extractor. */
function className(file: JsonObject): string {
  const name = file['image_processor_type'] ?? file['feature_extractor_type'];
  return typeof name === 'string'
    ? name.replace(/(?:Fast|Pil)$/, '').replace('FeatureExtractor', 'ImageProcessor')
    : '';
}
