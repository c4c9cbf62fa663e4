import { isJsonObject, type JsonObject } from '@blip2/files';
import { Blip2Error, defined, type ErrorCode, mustBe } from '@blip2/interfaces';

import { withClassDefaults } from './image-processor-classes.ts';
import { RESAMPLING_CODES, type ResamplingName, resamplingName } from './resampling/filters.ts';

/** One value per channel: red, green, blue. */
export type Triple = readonly [number, number, number];

/**
 * Target size in pixels: exact height and width, or the length of the shorter side. The longer side then follows from
 * the aspect ratio, up to `longestEdge`.
 */
export type ImageSize = Sides | { readonly shortestEdge: number; readonly longestEdge?: number };
interface Sides {
  readonly height: number;
  readonly width: number;
}

export type CropRounding = 'down' | 'half-even';

/** Settings of an image processor. */
export interface ImageProcessorSettings {
  readonly doResize: boolean;
  readonly size: ImageSize;
  readonly resample: ResamplingName;
  /** Center-crops to `cropSize` after resizing; smaller images are padded with black. */
  readonly doCenterCrop: boolean;
  readonly cropSize: Sides | undefined;
  /** How the start of a crop is rounded: down as in HF, or `half-even` as in torchvision. Default: down. */
  readonly cropRounding?: CropRounding;
  readonly doRescale: boolean;
  readonly rescaleFactor: number;
  readonly doNormalize: boolean;
  readonly imageMean: Triple;
  readonly imageStd: Triple;
}

/**
 * Settings as callers may write them: one number stands for both sides or all channels; filters have a name or Pillow's
 * number.
 */
export interface ImageProcessorOverrides {
  readonly doResize?: boolean;
  readonly size?: number | readonly [height: number, width: number] | ImageSize;
  readonly resample?: ResamplingName | (typeof RESAMPLING_CODES)[ResamplingName];
  readonly doCenterCrop?: boolean;
  readonly cropSize?: number | readonly [height: number, width: number] | Sides;
  readonly doRescale?: boolean;
  readonly rescaleFactor?: number;
  readonly doNormalize?: boolean;
  readonly imageMean?: number | readonly number[];
  readonly imageStd?: number | readonly number[];
}

/** Names of `ImageProcessorOverrides`. */
export const SETTING_NAMES: readonly (keyof ImageProcessorOverrides)[] = [
  'doResize',
  'size',
  'resample',
  'doCenterCrop',
  'cropSize',
  'doRescale',
  'rescaleFactor',
  'doNormalize',
  'imageMean',
  'imageStd',
];

/** Defaults of HF's `BlipImageProcessor`. BLIP-2 checkpoints set the size to 224 or 364. */
export const IMAGE_PROCESSOR_DEFAULTS: ImageProcessorSettings = {
  doResize: true,
  size: { height: 384, width: 384 },
  resample: 'bicubic',
  doCenterCrop: false,
  cropSize: undefined,
  doRescale: true,
  rescaleFactor: 1 / 255,
  doNormalize: true,
  imageMean: [0.48145466, 0.4578275, 0.40821073],
  imageStd: [0.26862954, 0.26130258, 0.27577711],
};

/** Maximum target size: 4096 x 4096 pixels are 200 MB of float32 per image. */
export const MAX_TARGET_PIXELS: number = 4096 * 4096;
/** Steps of other image processors. A file that enables one is for another class. */
const FOREIGN_STEPS: readonly string[] = ['do_thumbnail', 'do_align_long_axis'];

/**
 * Reads the settings of a `preprocessor_config.json`; absent fields have the defaults of the class that it names.
 * @throws Blip2Error `INVALID_CONFIG` for invalid values.
 */
export function settingsFromJson(file: JsonObject, where: string): ImageProcessorSettings {
  const json = withClassDefaults(file);
  // Without `pad_size`, HF pads to the largest image of a batch: resized images all have the same size. `size_divisor`,
  // which files of BLIP-1 have too, is ignored there.
  const pads = json['do_pad'] === true && (json['pad_size'] ?? null) !== null;
  const foreign = pads ? 'pad_size' : FOREIGN_STEPS.find((step) => json[step] === true);
  if (foreign) throw new Blip2Error('INVALID_CONFIG', `BlipImageProcessor does not support ${foreign}`, { where });
  const required = (key: string, step: unknown): unknown => {
    if (json[key] !== null || step === false) return json[key];
    throw mustBe(key, 'a value, or absent for the default', null, { code: 'INVALID_CONFIG', where });
  };
  const [doResize, doCenterCrop, doRescale, doNormalize] = STEPS.map((step) => toStep(json[step]));
  const overrides = {
    doResize,
    size: required('size', doResize),
    resample: required('resample', doResize),
    doCenterCrop,
    cropSize: json['crop_size'],
    doRescale,
    rescaleFactor: required('rescale_factor', doRescale),
    doNormalize,
    imageMean: required('image_mean', doNormalize),
    imageStd: required('image_std', doNormalize),
  };
  const base = {
    ...IMAGE_PROCESSOR_DEFAULTS,
    ...defined({ cropRounding: toCropRounding(json['crop_rounding'], where) }),
  };
  return mergeSettings(base, overrides, {
    nameOf: (field) => field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    code: 'INVALID_CONFIG',
    where,
  });
}

/** A field of this library, of the settings of other libraries than HF. */
function toCropRounding(value: unknown, where: string): CropRounding | undefined {
  if (value === undefined || value === 'down' || value === 'half-even') return value;
  throw mustBe('crop_rounding', 'down or half-even', value, { code: 'INVALID_CONFIG', where });
}

const STEPS = ['do_resize', 'do_center_crop', 'do_rescale', 'do_normalize'] as const;

/** As in HF, null disables a step; absent steps have the class default. */
const toStep = (step: unknown): unknown => (step === null ? false : step);

/**
 * Overrides settings for one call.
 * @throws Blip2Error `INVALID_ARGUMENT` for invalid values.
 */
export function overrideSettings(
  settings: ImageProcessorSettings,
  overrides: ImageProcessorOverrides,
): ImageProcessorSettings {
  return mergeSettings(settings, overrides, { nameOf: (field) => field, code: 'INVALID_ARGUMENT' });
}

type UncheckedSettings = { readonly [K in keyof ImageProcessorSettings]?: unknown };

/** How errors describe the origin of a setting. */
interface SettingsOrigin {
  nameOf(field: string): string;
  readonly code: ErrorCode;
  readonly where?: string;
}

function mergeSettings(
  base: ImageProcessorSettings,
  given: UncheckedSettings,
  { nameOf, code, where }: SettingsOrigin,
): ImageProcessorSettings {
  const refuse = (field: keyof UncheckedSettings, expected: string): never => {
    const got = JSON.stringify(given[field]) ?? String(given[field]);
    throw new Blip2Error(code, { argument: nameOf(field), expected, got, ...defined({ where }) });
  };
  const read = <K extends keyof ImageProcessorSettings>(
    field: K,
    parse: (value: unknown) => ImageProcessorSettings[K] | undefined,
    expected: string,
  ): ImageProcessorSettings[K] => {
    const value = given[field];
    return value === undefined || value === null ? base[field] : (parse(value) ?? refuse(field, expected));
  };
  const settings = {
    doResize: read('doResize', toBoolean, 'true or false'),
    size: read(
      'size',
      toSize,
      'a number of pixels, [height, width], { height, width } or { shortestEdge, longestEdge }',
    ),
    resample: read(
      'resample',
      resamplingName,
      `one of ${Object.entries(RESAMPLING_CODES)
        .map(([filter, number]) => `${filter} (${number})`)
        .join(', ')}`,
    ),
    doCenterCrop: read('doCenterCrop', toBoolean, 'true or false'),
    cropSize: read('cropSize', toSides, 'a number of pixels, [height, width] or { height, width }'),
    doRescale: read('doRescale', toBoolean, 'true or false'),
    rescaleFactor: read('rescaleFactor', toNumber, 'a finite number'),
    doNormalize: read('doNormalize', toBoolean, 'true or false'),
    imageMean: read('imageMean', toTriple, 'one number or three'),
    imageStd: read(
      'imageStd',
      (value) => (toTriple(value)?.every((std) => std !== 0) ? toTriple(value) : undefined),
      'one number or three, none of them 0',
    ),
  };
  if (settings.doCenterCrop && !settings.cropSize)
    throw refuse('cropSize', 'a number of pixels, [height, width] or { height, width }');
  return { ...settings, ...defined({ cropRounding: base.cropRounding }) };
}

const toBoolean = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined);
const toNumber = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) ? value : undefined;
const toSide = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined;

function toTriple(value: unknown): Triple | undefined {
  const [red, green, blue, ...more] = (Array.isArray(value) ? value : [value, value, value]).map(toNumber);
  return red !== undefined && green !== undefined && blue !== undefined && more.length === 0
    ? [red, green, blue]
    : undefined;
}

function toSize(value: unknown): ImageSize | undefined {
  return toSides(value) ?? (isJsonObject(value) ? toEdges(value) : undefined);
}

function toSides(value: unknown): Sides | undefined {
  const [first, second, ...more] = Array.isArray(value)
    ? value
    : isJsonObject(value)
      ? [value['height'], value['width']]
      : [value, value];
  const [height, width] = [toSide(first), toSide(second)];
  return height !== undefined && width !== undefined && more.length === 0 && height * width <= MAX_TARGET_PIXELS
    ? { height, width }
    : undefined;
}

/** Accepts the keys of files and those of callers. As in HF, the longest edge alone is not a size. */
function toEdges(value: JsonObject): ImageSize | undefined {
  const shortestEdge = toSide(value['shortest_edge'] ?? value['shortestEdge']);
  const longest = value['longest_edge'] ?? value['longestEdge'] ?? undefined;
  const longestEdge = toSide(longest);
  if (
    shortestEdge === undefined ||
    shortestEdge ** 2 > MAX_TARGET_PIXELS ||
    (longest !== undefined && longestEdge === undefined)
  )
    return undefined;
  return longestEdge === undefined ? { shortestEdge } : { shortestEdge, longestEdge };
}
