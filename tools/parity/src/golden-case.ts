import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import { type GoldenTensors, readGoldenTensors } from './golden-tensors.ts';
import { type GoldenValue, parseGoldenValue } from './golden-value.ts';
import { asList, asNumber, asObject, asRows, asString, type JsonObject } from './json-shape.ts';

/** The supported version of the format. */
export const GOLDEN_FORMAT = 'blip2-golden/1';
const MANIFEST = 'golden.json';
const TENSORS = 'golden.safetensors';

/** An element passes if `|actual - expected| <= atol + rtol * |expected|`. */
export interface Tolerance {
  readonly atol: number;
  readonly rtol: number;
}

/** One call of Transformers with its inputs and outputs. Names are the manifest's (snake_case). */
export interface GoldenEntry {
  readonly name: string;
  readonly kind: string;
  readonly inputs: ReadonlyMap<string, GoldenValue>;
  readonly options: JsonObject;
  readonly outputs: ReadonlyMap<string, GoldenValue>;
  /** Output name → 0/1 mask `[batch, positions]`; positions with 0 are compared as zeros. */
  readonly compareRows: ReadonlyMap<string, readonly (readonly number[])[]>;
  readonly tolerance: Tolerance;
}

/** A folder with a manifest, its tensors, its images and usually a checkpoint. */
export interface GoldenCase {
  readonly name: string;
  readonly folder: string;
  /** Class named in the checkpoint's `config.json`, or `none`. */
  readonly architecture: string;
  /** Absolute path of the model folder; absent in cases without one. */
  readonly checkpoint?: string;
  /** Image name → absolute path and format (`PNG`, `JPEG`, …). */
  readonly images: ReadonlyMap<string, GoldenImage>;
  readonly entries: readonly GoldenEntry[];
  readonly tensors: GoldenTensors;
}

export interface GoldenImage {
  readonly file: string;
  readonly format: string;
}

/** Folders that contain a `golden.json`, `folder` included, sorted by name. */
export async function findGoldenCases(folder: string): Promise<readonly string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found
    .filter((file) => file.name === MANIFEST && !file.isDirectory())
    .map((file) => file.parentPath)
    .sort();
}

/**
 * Reads a case.
 * @throws Blip2Error `INVALID_ARGUMENT` if the format is unknown or the manifest is malformed.
 */
export async function readGoldenCase(folder: string): Promise<GoldenCase> {
  const where = join(folder, MANIFEST);
  const manifest = asObject(JSON.parse(await readFile(where, 'utf8')), where);
  if (manifest['format'] !== GOLDEN_FORMAT) {
    throw new Blip2Error('INVALID_ARGUMENT', 'The golden format is unknown', {
      where,
      expected: GOLDEN_FORMAT,
      got: JSON.stringify(manifest['format']),
    });
  }
  const entries = asList(manifest['entries'], 'entries').map((entry) => parseEntry(asObject(entry, 'entries')));
  checkUnique(entries);
  const checkpoint = manifest['checkpoint'] === null ? undefined : asObject(manifest['checkpoint'], 'checkpoint');
  return {
    name: asString(manifest['case'], 'case'),
    folder,
    architecture: asString(manifest['architecture'], 'architecture'),
    ...(checkpoint && { checkpoint: join(folder, asString(checkpoint['directory'], 'checkpoint.directory')) }),
    images: parseImages(folder, asObject(manifest['images'], 'images')),
    entries,
    tensors: await readGoldenTensors(join(folder, TENSORS)),
  };
}

/**
 * The folders of all cases in `folder`, itself included.
 * @throws Blip2Error `MISSING_FILE` if there are none.
 */
export async function requireGoldenCases(folder: string): Promise<readonly string[]> {
  const cases = await findGoldenCases(folder).catch(() => []);
  if (cases.length === 0)
    throw new Blip2Error('MISSING_FILE', `The folder contains no ${MANIFEST}`, {
      where: folder,
      expected: 'a folder with one or more golden cases',
    });
  return cases;
}

function parseEntry(entry: JsonObject): GoldenEntry {
  const name = asString(entry['name'], 'name');
  const tolerance = asObject(entry['tolerance'], `${name}.tolerance`);
  return {
    name,
    kind: asString(entry['kind'], `${name}.kind`),
    inputs: parseValues(asObject(entry['inputs'], `${name}.inputs`)),
    options: asObject(entry['options'], `${name}.options`),
    outputs: parseValues(asObject(entry['outputs'], `${name}.outputs`)),
    compareRows: new Map(
      Object.entries(asObject(entry['compare_rows'] ?? {}, `${name}.compare_rows`)).map(([output, mask]) => [
        output,
        asRows(mask, output),
      ]),
    ),
    tolerance: {
      atol: asNumber(tolerance['atol'], `${name}.tolerance.atol`),
      rtol: asNumber(tolerance['rtol'], `${name}.tolerance.rtol`),
    },
  };
}

function parseValues(values: JsonObject): ReadonlyMap<string, GoldenValue> {
  return new Map(Object.entries(values).map(([name, value]) => [name, parseGoldenValue(value)]));
}

function parseImages(folder: string, images: JsonObject): ReadonlyMap<string, GoldenImage> {
  return new Map(
    Object.entries(images).map(([name, given]) => {
      const image = asObject(given, `images.${name}`);
      return [
        name,
        {
          file: join(folder, asString(image['file'], `images.${name}.file`)),
          format: asString(image['format'], `images.${name}.format`),
        },
      ];
    }),
  );
}

function checkUnique(entries: readonly GoldenEntry[]): void {
  const seen = new Set<string>();
  for (const { name } of entries) {
    if (seen.has(name))
      throw new Blip2Error('INVALID_ARGUMENT', 'Two golden entries have the same name', { where: name });
    seen.add(name);
  }
}
