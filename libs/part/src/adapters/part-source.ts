import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';

import { INDEX_FILE, isFolder, SINGLE_FILE } from '@blip2/files';
import type { ResolveOptions } from '@blip2/hub';
import { Blip2Error, defined, mustBe } from '@blip2/interfaces';

import { partFolder } from '../part-folder.ts';
import { ADAPTER_CONFIG_FILE, readAdapterConfig } from './adapter-config.ts';

/** Adapters that are merged into the weights of a part. */
export interface AdapterOptions {
  /** LoRA adapters of PEFT: a folder or a Hub id, or a list of them that apply together. Default: none. */
  readonly adapters?: string | readonly string[];
}

/** The folders that a part is loaded from. */
export interface PartSource {
  readonly folder: string;
  /** Folders of adapters that apply together. */
  readonly adapters: readonly string[];
}

/** A folder of a snapshot in the Hugging Face cache. */
const SNAPSHOT = /[\\/]models--[^\\/]+[\\/]snapshots[\\/]/;

/**
 * Resolves a source and its adapters to local folders. A source that holds only an adapter stands for its base model
 * with this adapter: the base is that of `base_model_name_or_path`.
 * @throws Blip2Error the codes of `partFolder` and `readAdapterConfig`; `UNSAFE_PATH` for an adapter of the Hub whose
 * base is not on the Hub; `INVALID_ARGUMENT`.
 */
export async function partSource(
  source: string,
  { adapters = [], ...options }: ResolveOptions & AdapterOptions = {},
): Promise<PartSource> {
  const listed = expectAdapters(adapters);
  const folder = await partFolder(source, options);
  const { revision: _, ...others } = options;
  const resolved: string[] = [];
  for (const adapter of listed) resolved.push(await partFolder(adapter, others));
  if (!isAdapterOnly(folder)) return { folder, adapters: resolved };
  return { folder: await baseFolder(folder, await isFolder(source), others), adapters: [folder, ...resolved] };
}

/** Whether a folder has an adapter and no model. */
export function isAdapterOnly(folder: string): boolean {
  const has = (name: string): boolean => existsSync(join(folder, name));
  return has(ADAPTER_CONFIG_FILE) && !has(SINGLE_FILE) && !has(INDEX_FILE);
}

/** @throws Blip2Error `INVALID_ARGUMENT` for anything but sources. */
function expectAdapters(adapters: string | readonly string[]): readonly string[] {
  const list: unknown = typeof adapters === 'string' ? [adapters] : adapters;
  if (Array.isArray(list) && list.every((each): each is string => typeof each === 'string' && each !== '')) return list;
  throw mustBe('adapters', 'a folder or a Hub id, or a list of them', adapters, {
    fix: 'Adapters by name are an option of whole models',
  });
}

/** Whether a name is a path of this machine, and not an id of the Hub. */
function isPath(name: string): boolean {
  return isAbsolute(name) || /^[.~]|[\\:]/.test(name) || name.split('/').length !== 2;
}

/** The base model that an adapter names. */
export interface AdapterBase {
  /** A folder, or an id of the Hub. */
  readonly source: string;
  readonly revision: string | undefined;
}

/**
 * The base model of the adapter in a folder. `isOwn` tells a folder of the caller from one that was downloaded. The
 * path in a file of somebody else is not followed: it could be any folder.
 * @throws Blip2Error `MISSING_FILE` if the adapter names no base or a folder that does not exist; `UNSAFE_PATH` for the
 * path in a downloaded adapter; the codes of `readAdapterConfig`.
 */
export async function adapterBase(folder: string, isOwn: boolean): Promise<AdapterBase> {
  const { base: source, revision } = await readAdapterConfig(folder);
  const where = join(folder, ADAPTER_CONFIG_FILE);
  if (source === undefined)
    throw new Blip2Error('MISSING_FILE', 'The adapter does not name its base model', {
      where,
      expected: 'base_model_name_or_path',
      fix: NAME_BOTH,
    });
  const shown = { where, subject: source.slice(0, 200), got: JSON.stringify(source.slice(0, 200)), fix: NAME_BOTH };
  if (!isPath(source)) return { source, revision };
  if (!isOwn || SNAPSHOT.test(folder))
    throw new Blip2Error('UNSAFE_PATH', 'The adapter of the Hub names a folder of this machine as its base model', {
      expected: 'an id of the Hub (owner/name)',
      ...shown,
    });
  if (await isFolder(source)) return { source, revision: undefined };
  throw new Blip2Error('MISSING_FILE', 'The folder of the base model of the adapter does not exist', shown);
}

const NAME_BOTH = 'Pass the base model as the source (--model), and the adapter as an adapter (--adapter)';

/** The local folder of the base model of an adapter. */
async function baseFolder(folder: string, isOwn: boolean, options: ResolveOptions): Promise<string> {
  const { source, revision } = await adapterBase(folder, isOwn);
  const found = await partFolder(source, { ...options, ...defined({ revision }) });
  if (!isAdapterOnly(found)) return found;
  throw new Blip2Error('MISSING_FILE', 'The base model of the adapter is an adapter too', {
    where: join(folder, ADAPTER_CONFIG_FILE),
    got: JSON.stringify(source.slice(0, 200)),
    fix: NAME_BOTH,
  });
}
