import type { JsonObject } from '@blip2/files';
import { isJsonObject } from '@blip2/files';
import { Blip2Error, type ErrorCode } from '@blip2/interfaces';

import { RESAMPLING_CODES, type ResamplingName, resamplingName } from './resampling/filters.ts';

export type Triple = readonly [number, number, number];

/** Pixels: exactly so high and wide, or the shorter side, the longer following and at most `longestEdge`. */
export type ImageSize = Sides | { readonly shortestEdge: number; readonly longestEdge?: number };
interface Sides {
  readonly height: number;
  readonly width: number;
}

/** Everything that decides how an image becomes pixel values. */
export interface ImageProcessorSettings {
  readonly doResize: boolean;
  readonly size: ImageSize;
  readonly resample: ResamplingName;
  /** Takes the middle after resizing, `cropSize` pixels; where the image is smaller, it is filled up with black. */
  readonly doCenterCrop: boolean;
  readonly cropSize: Sides | undefined;
  readonly doRescale: boolean;
  readonly rescaleFactor: number;
  readonly doNormalize: boolean;
  readonly imageMean: Triple;
  readonly imageStd: Triple;
}

/**
 * The same as a caller may write them: one number for both sides or all channels, filters by name or by Pillow's
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

/** Class defaults of the reference's `BlipImageProcessor`; repositories of BLIP-2 set the size to 224 or 364. */
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

/** Larger targets are refused: 4096 x 4096 float values of one image already take 200 MB. */
export const MAX_TARGET_PIXELS: number = 4096 * 4096;
/** Steps that other image processors have and this one does not; a file that turns one on means another class. */
const FOREIGN_STEPS: readonly string[] = ['do_pad', 'do_thumbnail', 'do_align_long_axis'];

/**
 * Settings of a `preprocessor_config.json`, absent fields filled with the class defaults. `INVALID_CONFIG` for
 * impossible values.
 */
export function settingsFromJson(json: JsonObject, where: string): ImageProcessorSettings {
  const foreign = FOREIGN_STEPS.find((step) => json[step] === true);
  if (foreign) throw new Blip2Error('INVALID_CONFIG', `${foreign} is not a step of BlipImageProcessor`, { where });
  const needed = (key: string, step: unknown): unknown => {
    if (json[key] !== null || step === false) return json[key];
    throw new Blip2Error('INVALID_CONFIG', 'Impossible image processor setting', {
      where: `${where}: ${key}`,
      expected: 'a value, or none for the default',
      got: 'null',
    });
  };
  const [doResize, doCenterCrop, doRescale, doNormalize] = [
    switched(json['do_resize']),
    switched(json['do_center_crop']),
    switched(json['do_rescale']),
    switched(json['do_normalize']),
  ];
  const overrides = {
    doResize,
    size: needed('size', doResize),
    resample: needed('resample', doResize),
    doCenterCrop,
    cropSize: json['crop_size'],
    doRescale,
    rescaleFactor: needed('rescale_factor', doRescale),
    doNormalize,
    imageMean: needed('image_mean', doNormalize),
    imageStd: needed('image_std', doNormalize),
  };
  return mergeSettings(
    IMAGE_PROCESSOR_DEFAULTS,
    overrides,
    (field) => `${where}: ${field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
    'INVALID_CONFIG',
  );
}

/** A step that is null is off in the reference; one that is absent has the class default. */
const switched = (step: unknown): unknown => (step === null ? false : step);

/** Settings with some of them replaced for one call. `INVALID_ARGUMENT` for impossible values. */
export function overrideSettings(
  settings: ImageProcessorSettings,
  overrides: ImageProcessorOverrides,
): ImageProcessorSettings {
  return mergeSettings(settings, overrides, (field) => field, 'INVALID_ARGUMENT');
}

type Loose = { readonly [K in keyof ImageProcessorSettings]?: unknown };

function mergeSettings(
  base: ImageProcessorSettings,
  given: Loose,
  name: (field: string) => string,
  code: ErrorCode,
): ImageProcessorSettings {
  const refuse = (field: string, expected: string): never => {
    const got = given[field as keyof Loose];
    throw new Blip2Error(code, 'Impossible image processor setting', {
      where: name(field),
      expected,
      got: JSON.stringify(got) ?? String(got),
    });
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
    throw new Blip2Error(code, 'There is no size to crop to', {
      where: name('cropSize'),
      expected: 'a number of pixels, [height, width] or { height, width }',
      got: 'nothing',
    });
  return settings;
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

/** The names of a file's and of a caller's object. The longest edge alone is nothing that the reference resizes to. */
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
