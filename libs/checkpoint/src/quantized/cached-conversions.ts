import { readdir, realpath, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { Blip2Error, type Precision } from '@blip2/interfaces';

import type { Header } from '../safetensors/header.ts';
import { readHeader } from '../safetensors/read-header.ts';
import { abandonedFiles, convertedFolder, defaultCacheFolder, packedBytes, packedFolderOf } from './cache-folder.ts';
import { type ConvertedOrigin, isStale, readOrigin } from './converted-origin.ts';

/** A file of converted weights in the cache: one part of a model at one precision. */
export interface CachedConversion {
  readonly file: string;
  /**
   * Hub id of the model that it was made from, where that lies in the hub's cache; else the folder; nothing if the file
   * does not say it.
   */
  readonly model: string | undefined;
  /** `language_model`, `vision_model`, … */
  readonly part: string;
  /** What its matrices are held in, largest share first; `fp32` where all are floats. */
  readonly precisions: readonly Precision[];
  /** What the runtime keeps of it included. */
  readonly bytes: number;
  /** ISO 8601, to the hour. */
  readonly lastUsed: string;
  /**
   * `stale`: what it was made from is gone or has changed, or it has an older form, so that nothing asks for it;
   * `damaged`: it is cut or no such file at all, and would be made again.
   */
  readonly state: 'ready' | 'stale' | 'damaged';
}

export interface ConversionPruneOptions {
  /** Also what has not been used for as long as this, in ms. */
  readonly unusedFor?: number;
}

/** What `removeCachedConversions` takes away. */
export interface ConversionPrunePlan {
  readonly conversions: readonly CachedConversion[];
  /** What conversions that were killed have left. */
  readonly leftovers: readonly string[];
  readonly bytes: number;
}

/** Names of converted files; nothing else in the folder is looked at. */
const FILE_NAME = /^(.+)-[0-9a-f]{32}\.safetensors$/;
/** A model in a hub cache, from the path of one of its files. */
const HUB_FOLDER = /(?:^|[\\/])models--([^\\/]+)/;
/** Ends the names of tensors that are held in integers. */
const INTEGERS = ['int8', 'q8', 'q4'] as const;

/**
 * The converted weights in a cache (default: the folder that conversions use), by model and part. Reads headers only,
 * changes nothing.
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

/** Damaged, outdated and unfinished files, and with `unusedFor` those that nobody wants. Changes nothing. */
export async function planConversionPrune(
  cache: string = defaultCacheFolder(),
  { unusedFor = Infinity }: ConversionPruneOptions = {},
): Promise<ConversionPrunePlan> {
  const all = await listCachedConversions(cache);
  const conversions = all.filter(
    ({ state, lastUsed }) => state !== 'ready' || Date.now() - Date.parse(lastUsed) > unusedFor,
  );
  const leftovers = await abandonedFiles(convertedFolder(cache));
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

/**
 * Takes files out of the cache. A process that has them mapped keeps them, on Linux and macOS: the name goes, the bytes
 * when the last process ends. One that has opened a model
 * but not yet run all of its parts fails when it does. Windows refuses; then the rest is removed still. Fails with
 * `WRITE_FAILED`.
 */
export async function removeCachedConversions({
  conversions,
  leftovers,
}: Pick<ConversionPrunePlan, 'conversions' | 'leftovers'>): Promise<void> {
  const failures: { readonly file: string; readonly cause: unknown }[] = [];
  const files = [...conversions.flatMap(({ file }) => [file, packedFolderOf(file)]), ...leftovers];
  for (const file of files)
    await rm(file, { force: true, recursive: true }).catch((cause: unknown) => failures.push({ file, cause }));
  const [first] = failures;
  if (first)
    throw new Blip2Error('WRITE_FAILED', 'A converted file cannot be removed', {
      where: first.file,
      fix: 'End the programs that use it, or change its permissions',
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
    lastUsed: facts.mtime.toISOString(),
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
    const precision = INTEGERS.find((each) => name.endsWith(`.${each}`));
    if (precision) bytes.set(precision, (bytes.get(precision) ?? 0) + byteLength);
  }
  const sorted = [...bytes].toSorted(([, a], [, b]) => b - a).map(([precision]) => precision);
  return sorted.length > 0 ? sorted : ['fp32'];
}
