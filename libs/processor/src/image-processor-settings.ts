import { Blip2Error, type ErrorCode } from '@blip2/interfaces';
import type { JsonObject } from './json-file.ts';
import { isJsonObject } from './json-file.ts';
import { resamplingName, RESAMPLING_CODES, type ResamplingName } from './resampling/filters.ts';

export type Triple = readonly [number, number, number];

/** Everything that decides how a picture becomes pixel values. */
export interface ImageProcessorSettings {
  readonly doResize: boolean;
  readonly size: { readonly height: number; readonly width: number };
  readonly resample: ResamplingName;
  readonly doRescale: boolean;
  readonly rescaleFactor: number;
  readonly doNormalize: boolean;
  readonly imageMean: Triple;
  readonly imageStd: Triple;
}

/** The same as a caller may write them: one number for both sides or all channels, filters by name or by Pillow's number. */
export interface ImageProcessorOverrides {
  readonly doResize?: boolean;
  readonly size?: number | { readonly height: number; readonly width: number };
  readonly resample?: ResamplingName | (typeof RESAMPLING_CODES)[ResamplingName];
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
  doRescale: true,
  rescaleFactor: 1 / 255,
  doNormalize: true,
  imageMean: [0.48145466, 0.4578275, 0.40821073],
  imageStd: [0.26862954, 0.26130258, 0.27577711],
};

/** Larger targets are refused: 4096 x 4096 float values of one picture already take 200 MB. */
const MAX_TARGET_PIXELS: number = 4096 * 4096;
/** Steps that other image processors have and this one does not; a file that turns one on means another class. */
const FOREIGN_STEPS: readonly string[] = ['do_center_crop', 'do_pad', 'do_thumbnail', 'do_align_long_axis'];

/** Settings of a `preprocessor_config.json`, absent fields filled with the class defaults. `INVALID_CONFIG` for impossible values. */
export function settingsFromJson(json: JsonObject, where: string): ImageProcessorSettings {
  const foreign = FOREIGN_STEPS.find((step) => json[step] === true);
  if (foreign) throw new Blip2Error('INVALID_CONFIG', `${foreign} is not a step of BlipImageProcessor`, { where });
  const needed = (key: string, step: unknown): unknown => {
    if (json[key] !== null || step === false) return json[key];
    throw new Blip2Error('INVALID_CONFIG', 'Impossible image processor setting', { where: `${where}: ${key}`, expected: 'a value, or none for the default', got: 'null' });
  };
  const [doResize, doRescale, doNormalize] = [switched(json['do_resize']), switched(json['do_rescale']), switched(json['do_normalize'])];
  const overrides = {
    doResize, size: needed('size', doResize), resample: needed('resample', doResize), doRescale, rescaleFactor: needed('rescale_factor', doRescale),
    doNormalize, imageMean: needed('image_mean', doNormalize), imageStd: needed('image_std', doNormalize),
  };
  return mergeSettings(IMAGE_PROCESSOR_DEFAULTS, overrides, (field) => `${where}: ${field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`, 'INVALID_CONFIG');
}

/** A step that is null is off in the reference; one that is absent has the class default. */
const switched = (step: unknown): unknown => (step === null ? false : step);

/** Settings with some of them replaced for one call. `INVALID_ARGUMENT` for impossible values. */
export function overrideSettings(settings: ImageProcessorSettings, overrides: ImageProcessorOverrides): ImageProcessorSettings {
  return mergeSettings(settings, overrides, (field) => field, 'INVALID_ARGUMENT');
}

type Loose = { readonly [K in keyof ImageProcessorSettings]?: unknown };

function mergeSettings(base: ImageProcessorSettings, given: Loose, name: (field: string) => string, code: ErrorCode): ImageProcessorSettings {
  const refuse = (field: string, expected: string): never => {
    const got = given[field as keyof Loose];
    throw new Blip2Error(code, 'Impossible image processor setting', { where: name(field), expected, got: JSON.stringify(got) ?? String(got) });
  };
  const read = <K extends keyof ImageProcessorSettings>(field: K, parse: (value: unknown) => ImageProcessorSettings[K] | undefined, expected: string): ImageProcessorSettings[K] => {
    const value = given[field];
    return value === undefined || value === null ? base[field] : (parse(value) ?? refuse(field, expected));
  };
  return {
    doResize: read('doResize', toBoolean, 'true or false'),
    size: read('size', toSize, 'a number of pixels or { height, width }'),
    resample: read('resample', resamplingName, `one of ${Object.entries(RESAMPLING_CODES).map(([filter, number]) => `${filter} (${number})`).join(', ')}`),
    doRescale: read('doRescale', toBoolean, 'true or false'),
    rescaleFactor: read('rescaleFactor', toNumber, 'a finite number'),
    doNormalize: read('doNormalize', toBoolean, 'true or false'),
    imageMean: read('imageMean', toTriple, 'one number or three'),
    imageStd: read('imageStd', (value) => toTriple(value)?.every((std) => std !== 0) ? toTriple(value) : undefined, 'one number or three, none of them 0'),
  };
}

const toBoolean = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined);
const toNumber = (value: unknown): number | undefined => (typeof value === 'number' && Number.isFinite(value) ? value : undefined);
const toSide = (value: unknown): number | undefined => (typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined);

function toTriple(value: unknown): Triple | undefined {
  const [red, green, blue, ...more] = (Array.isArray(value) ? value : [value, value, value]).map(toNumber);
  return red !== undefined && green !== undefined && blue !== undefined && more.length === 0 ? [red, green, blue] : undefined;
}

function toSize(value: unknown): ImageProcessorSettings['size'] | undefined {
  const height = toSide(isJsonObject(value) ? value['height'] : value);
  const width = toSide(isJsonObject(value) ? value['width'] : value);
  return height !== undefined && width !== undefined && height * width <= MAX_TARGET_PIXELS ? { height, width } : undefined;
}
