import { readdir, realpath, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { defaultCacheFolder, lastUsed } from '@blip2/files';
import { Blip2Error, type Precision } from '@blip2/interfaces';

import type { Header } from '../safetensors/header.ts';
import { readHeader } from '../safetensors/read-header.ts';
import {
  abandonedFiles,
  convertedFolder,
  foreignFiles,
  packedBytes,
  packedFolderOf,
  recordedFile,
} from './cache-folder.ts';
import { type ConvertedOrigin, isStale, readOrigin } from './converted-origin.ts';

/** A converted file in the cache: one part of a model at one precision. */
export interface CachedConversion {
  readonly file: string;
  /** Repository id of the source model if it is in the Hub's cache, else its folder; undefined if unknown. */
  readonly model: string | undefined;
  /** Name of the part: `language_model`, `vision_model`, … */
  readonly part: string;
  /** Precisions of its matrices, largest share first; `fp32` if all are floats. */
  readonly precisions: readonly Precision[];
  /** Size in bytes, including the runtime's prepacked weights. */
  readonly bytes: number;
  /** Time of last use, to the hour (ISO 8601). */
  readonly lastUsed: string;
  /**
   * `stale`: its source was deleted or changed, or its format is outdated, so it is never used again. `damaged`: it is
   * truncated or invalid, and would be created again.
   */
  readonly state: 'ready' | 'stale' | 'damaged';
}

/** Options of `planConversionPrune`. */
export interface ConversionPruneOptions {
  /** Also prunes files that have not been used for this long, in milliseconds. Default: no limit. */
  readonly unusedFor?: number;
}

/** Files that `removeCachedConversions` deletes. */
export interface ConversionPrunePlan {
  readonly conversions: readonly CachedConversion[];
  /** Files left by conversions that were killed. */
  readonly leftovers: readonly string[];
  readonly bytes: number;
}

/** Pattern of the names of converted files. Other files in the folder are ignored. */
const FILE_NAME = /^(.+)-[0-9a-f]{32}\.safetensors$/;
/** The folder of a model in the Hub's cache, within the path of one of its files. */
const HUB_FOLDER = /(?:^|[\\/])models--([^\\/]+)/;
/** Precisions that are suffixes of the names of quantized tensors. */
const INTEGER_PRECISIONS = ['int8', 'q8', 'q4'] as const;

/**
 * Lists the converted files in a cache (default: the default cache folder), sorted by model and part. Read-only; reads
 * headers only.
 */
export async function listCachedConversions(
  cache: string = defaultCacheFolder(),
): Promise<readonly CachedConversion[]> {
  const folder = convertedFolder(cache);
  const names = (await readdir(folder).catch(() => [])).filter((name) => FILE_NAME.test(name));
  const found = await Promise.all(names.map((name) => describe(join(folder, name))));
  const order = ({ model = '', part, precisions }: CachedConversion): string => [model, part, ...precisions].join('\0');
  return found.filter((conversion) => conversion !== undefined).toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
}

/** Milliseconds between two looks at unfinished files. */
const LOOK_INTERVAL = 1_000;
/** Number of looks after which files that are still unchanged are known to be abandoned. */
const LOOKS = 62;

/**
 * Finds damaged, stale and unfinished files, and with `unusedFor` those not used for that long. Read-only. Unfinished
 * files of other machines and containers that share the cache are watched for a minute: they are only included if they
 * do not change.
 */
export async function planConversionPrune(
  cache: string = defaultCacheFolder(),
  { unusedFor = Infinity }: ConversionPruneOptions = {},
  wait: (milliseconds: number) => Promise<unknown> = sleep,
): Promise<ConversionPrunePlan> {
  const all = await listCachedConversions(cache);
  const conversions = all.filter(
    ({ state, lastUsed }) => state !== 'ready' || Date.now() - Date.parse(lastUsed) > unusedFor,
  );
  const leftovers = await watchAbandoned(convertedFolder(cache), wait);
  const sizes = await Promise.all(
    leftovers.map(async (path) => {
      const facts = await stat(path).catch(() => undefined);
      return facts?.isDirectory() ? packedBytes(path) : (facts?.size ?? 0);
    }),
  );
  return {
    conversions,
    leftovers,
    bytes: [...conversions.map(({ bytes }) => bytes), ...sizes].reduce((sum, size) => sum + size, 0),
  };
}

async function watchAbandoned(
  folder: string,
  wait: (milliseconds: number) => Promise<unknown>,
): Promise<readonly string[]> {
  let abandoned = await abandonedFiles(folder);
  const foreign = await foreignFiles(folder);
  for (let look = 1; look < LOOKS && foreign.some((path) => !abandoned.includes(path)); look++) {
    await wait(LOOK_INTERVAL);
    abandoned = await abandonedFiles(folder);
  }
  return abandoned;
}

/**
 * Deletes files from the cache. On Linux and macOS, processes that have mapped them keep them; processes that have
 * opened a model but not yet run all of its parts fail when they do. Windows refuses to delete files in use; the others
 * are still deleted.
 * @throws Blip2Error `WRITE_FAILED` if a file cannot be deleted.
 */
export async function removeCachedConversions({
  conversions,
  leftovers,
}: Pick<ConversionPrunePlan, 'conversions' | 'leftovers'>): Promise<void> {
  const failures: { readonly file: string; readonly cause: unknown }[] = [];
  const files = [
    ...conversions.flatMap(({ file }) => [file, recordedFile(file).record, packedFolderOf(file)]),
    ...leftovers,
  ];
  for (const file of files)
    await rm(file, { force: true, recursive: true }).catch((cause: unknown) => failures.push({ file, cause }));
  const [first] = failures;
  if (first)
    throw new Blip2Error('WRITE_FAILED', 'A converted file cannot be deleted', {
      where: first.file,
      fix: 'Stop the programs that use it, or change its permissions',
      cause: first.cause,
    });
}

async function describe(file: string): Promise<CachedConversion | undefined> {
  const facts = await stat(file).catch(() => undefined);
  if (!facts?.isFile()) return undefined;
  const header = await readHeader(await realpath(file)).catch(() => undefined);
  const origin = header && readOrigin(header.metadata);
  return {
    file,
    model: origin && modelOf(origin),
    part: FILE_NAME.exec(basename(file))?.[1] ?? '',
    precisions: header ? precisionsOf(header) : [],
    bytes: facts.size + (await packedBytes(packedFolderOf(file))),
    lastUsed: ((await lastUsed(recordedFile(file))) ?? facts.mtime).toISOString(),
    state: origin ? ((await isStale(origin)) ? 'stale' : 'ready') : 'damaged',
  };
}

function modelOf({ source }: ConvertedOrigin): string {
  const [, name] = HUB_FOLDER.exec(source) ?? [];
  return name === undefined ? source : name.replace('--', '/');
}

function precisionsOf({ tensors }: Header): Precision[] {
  const bytes = new Map<Precision, number>();
  for (const { name, byteLength } of tensors) {
    const precision = INTEGER_PRECISIONS.find((each) => name.endsWith(`.${each}`));
    if (precision) bytes.set(precision, (bytes.get(precision) ?? 0) + byteLength);
  }
  const sorted = [...bytes].toSorted(([, a], [, b]) => b - a).map(([precision]) => precision);
  return sorted.length > 0 ? sorted : ['fp32'];
}
