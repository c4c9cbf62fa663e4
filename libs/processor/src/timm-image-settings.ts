/**
 * Image settings of models of timm and open_clip, whose configuration describes the preprocessing, as they would be in
 * a `preprocessor_config.json`.
 */
import { isJsonObject, type JsonObject } from '@blip2/files';
import { Blip2Error, mustBe } from '@blip2/interfaces';

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] } as const;
const CLIP = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const;
/** timm's `DEFAULT_CROP_PCT`. */
const CROP_PART = 0.875;

/**
 * The settings in `config.json` of timm: those of `timm.data.create_transform` for evaluation. Source:
 * `resolve_data_config` and `transforms_imagenet_eval`, timm 1.0.29. Undefined for files of others.
 * @throws Blip2Error `INVALID_CONFIG` for invalid values, and for modes that add a border.
 */
export function timmImageSettings(json: JsonObject): JsonObject | undefined {
  const where = 'config.json';
  const images = json['pretrained_cfg'];
  if (!isJsonObject(images)) return undefined;
  const [, height, width] = sizes(images['input_size'] ?? [3, 224, 224], `${where}.pretrained_cfg.input_size`);
  const part = images['crop_pct'] ?? CROP_PART;
  if (typeof part !== 'number' || !(part > 0 && part <= 1))
    throw invalid('crop_pct', 'a number above 0, at most 1', part, `${where}.pretrained_cfg`);
  return transform(
    {
      mode: images['crop_mode'] ?? 'center',
      crop: [height, width],
      scaled: [Math.floor(height / part), Math.floor(width / part)],
      interpolation: images['interpolation'] ?? 'bicubic',
      mean: images['mean'] ?? IMAGENET.mean,
      std: images['std'] ?? IMAGENET.std,
    },
    `${where}.pretrained_cfg`,
  );
}

/** Modes of resizing of open_clip, as those of timm. */
const MODES: ReadonlyMap<unknown, string> = new Map([
  [undefined, 'center'],
  ['shortest', 'center'],
  ['squash', 'squash'],
]);

/**
 * The settings in `open_clip_config.json`: those of `image_transform` for inference. Source: `transform.py`, open_clip
 * 3.3. Undefined for files of others.
 * @throws Blip2Error `INVALID_CONFIG` for invalid values, and for modes that add a border.
 */
export function openClipImageSettings(json: JsonObject): JsonObject | undefined {
  const where = 'open_clip_config.json';
  const [model, images = {}] = [json['model_cfg'], json['preprocess_cfg']];
  const vision = isJsonObject(model) ? model['vision_cfg'] : undefined;
  if (!isJsonObject(vision) || !isJsonObject(images)) return undefined;
  const size = vision['image_size'] ?? 224;
  const [height, width] = sizes(Array.isArray(size) ? size : [size, size], `${where}.model_cfg.vision_cfg.image_size`);
  return transform(
    {
      mode: MODES.get(images['resize_mode']) ?? images['resize_mode'],
      crop: [height, width],
      scaled: [height, width],
      interpolation: images['interpolation'] ?? 'bicubic',
      mean: images['mean'] ?? CLIP.mean,
      std: images['std'] ?? CLIP.std,
    },
    `${where}.preprocess_cfg`,
  );
}

interface Transform {
  readonly mode: unknown;
  readonly crop: readonly [height: number, width: number];
  /** Before cropping. */
  readonly scaled: readonly [height: number, width: number];
  readonly interpolation: unknown;
  readonly mean: unknown;
  readonly std: unknown;
}

function transform(
  { mode, crop, scaled: [height, width], interpolation, mean, std }: Transform,
  where: string,
): JsonObject {
  if (mode !== 'center' && mode !== 'squash') throw invalid('the mode of cropping', 'center or squash', mode, where);
  if (mode === 'center' && height !== width)
    throw invalid('the image size', 'a square, unless the mode is squash', `${height} x ${width}`, where);
  return {
    size: mode === 'center' ? { shortest_edge: height } : { height, width },
    resample: interpolation,
    do_center_crop: true,
    crop_size: { height: crop[0], width: crop[1] },
    // Ours: torchvision rounds the start of a crop in another way than HF.
    crop_rounding: 'half-even',
    image_mean: mean,
    image_std: std,
  };
}

function sizes(value: unknown, where: string): readonly [number, number, number] {
  const all = Array.isArray(value) ? (value as readonly unknown[]) : [];
  if (all.length >= 2 && all.length <= 3 && all.every((side) => Number.isSafeInteger(side) && Number(side) > 0))
    return [...all, 0] as unknown as [number, number, number];
  throw invalid('the image size', 'positive integers', value, where);
}

function invalid(what: string, expected: string, got: unknown, where: string): Blip2Error {
  return mustBe(what, expected, got, { code: 'INVALID_CONFIG', where });
}
