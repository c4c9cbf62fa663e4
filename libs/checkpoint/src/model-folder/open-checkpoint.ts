import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

import {
  commonFolder,
  INDEX_FILE,
  MAX_HEADER_BYTES,
  OPEN_CLIP_FILE,
  PICKLED_FILE,
  readFailure,
  readShardIndex,
  resolveFile,
  resolveFolder,
  SHARD_FILE,
  type ShardIndex,
  SINGLE_FILE,
} from '@blip2/files';
import { Blip2Error, type StoredTensor, type WeightStore } from '@blip2/interfaces';

import type { Header } from '../safetensors/header.ts';
import { readHeader } from '../safetensors/read-header.ts';

/** The weights of a model folder. Only headers have been read, and no file is kept open. */
export interface Checkpoint extends WeightStore {
  /** Absolute paths of the weight files, with links resolved, sorted by name. */
  readonly files: readonly string[];
  /** Size of all tensors in bytes. */
  readonly byteLength: number;
  /** The `__metadata__` of the files. `format` is `pt` in files of Hugging Face Transformers. */
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Opens the weights of a model folder in the Hugging Face layout: `model.safetensors`, or shards with
 * `model.safetensors.index.json`; without either, those that open_clip saved. Reads and checks every header. Index and
 * shards must list exactly the same tensors.
 * @throws Blip2Error `MISSING_FILE` (no weights, a missing shard, only `.bin` files), `UNSAFE_PATH` (a file or link
 * outside the folder and its cache), `INVALID_CHECKPOINT` (names the broken rule).
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const real = await resolveFolder(folder);
  const names = new Set(
    await readdir(real).catch((cause: unknown) => {
      throw readFailure(cause, real);
    }),
  );
  // Hugging Face Transformers prefers the single file too.
  if (names.has(SINGLE_FILE)) return openFiles(real, [SINGLE_FILE], undefined);
  if (!names.has(INDEX_FILE) && names.has(OPEN_CLIP_FILE)) return openFiles(real, [OPEN_CLIP_FILE], undefined);
  if (!names.has(INDEX_FILE)) throw noWeights(real, [...names]);
  const index = await readShardIndex(await resolveFile(real, INDEX_FILE));
  return openFiles(real, [...new Set(index.values())].toSorted(), index);
}

function noWeights(folder: string, names: readonly string[]): Blip2Error {
  const shard = names.find((name) => SHARD_FILE.test(name));
  if (shard !== undefined)
    return new Blip2Error('MISSING_FILE', `The folder has shards but no ${INDEX_FILE}`, {
      where: folder,
      got: shard,
      fix: 'Download or copy it from the same repository and revision',
    });
  const pickled = names.find((name) => PICKLED_FILE.test(name));
  if (pickled === undefined)
    return new Blip2Error('MISSING_FILE', 'The folder has no weights', {
      expected: `${SINGLE_FILE} or ${INDEX_FILE}`,
      where: folder,
      fix: 'Pass the folder that contains the weights, or download them',
    });
  return new Blip2Error('MISSING_FILE', 'The folder has only pickled weights, which can run code when loaded', {
    expected: `${SINGLE_FILE} or ${INDEX_FILE}`,
    got: pickled,
    where: folder,
    fix:
      'Use a revision of the repository with safetensors files, or convert them once in Python: ' +
      'model.save_pretrained(folder, safe_serialization=True)',
  });
}

async function openFiles(folder: string, names: readonly string[], index: ShardIndex | undefined): Promise<Checkpoint> {
  const tensors = new Map<string, StoredTensor>();
  const metadata = new Map<string, string>();
  const files: string[] = [];
  let metadataSize = 0;
  for (const name of names) {
    const file = await resolveFile(folder, name);
    const header = await readHeader(file);
    addTensors(tensors, header, index, name, folder);
    for (const [key, value] of header.metadata) {
      metadata.set(key, value);
      metadataSize += key.length + value.length;
    }
    if (metadataSize > MAX_HEADER_BYTES)
      throw new Blip2Error('INVALID_CHECKPOINT', 'The shards have too much __metadata__', {
        expected: `at most ${MAX_HEADER_BYTES} characters`,
        got: `${metadataSize} or more`,
        where: folder,
        fix: 'Save the model again with save_pretrained of Hugging Face Transformers',
      });
    files.push(file);
  }
  if (index !== undefined) requireAll(tensors, index, folder);
  const byteLength = [...tensors.values()].reduce((sum, tensor) => sum + tensor.byteLength, 0);
  const [first = join(folder, SINGLE_FILE), ...rest] = files;
  return Object.freeze({
    folder: commonFolder([first, ...rest]),
    tensors,
    files: Object.freeze(files),
    byteLength,
    metadata,
  });
}

function addTensors(
  tensors: Map<string, StoredTensor>,
  header: Header,
  index: ShardIndex | undefined,
  shard: string,
  folder: string,
): void {
  for (const tensor of header.tensors) {
    const earlier = tensors.get(tensor.name);
    if (earlier)
      throw inconsistent('a tensor is in two shards', tensor.name, folder, {
        got: `${basename(earlier.file)} and ${shard}`,
      });
    const listed = index?.get(tensor.name);
    if (index !== undefined && listed === undefined)
      throw inconsistent('a shard contains a tensor that the index does not list', tensor.name, folder, { got: shard });
    if (listed !== undefined && listed !== shard)
      throw inconsistent('a tensor is in another shard than the index lists', tensor.name, folder, {
        expected: listed,
        got: shard,
      });
    tensors.set(tensor.name, tensor);
  }
}

function requireAll(tensors: ReadonlyMap<string, StoredTensor>, index: ShardIndex, folder: string): void {
  for (const [name, shard] of index) {
    if (!tensors.has(name))
      throw inconsistent('a tensor is not in the shard listed by the index', name, folder, { expected: shard });
  }
}

function inconsistent(
  rule: string,
  tensor: string,
  folder: string,
  details: { expected?: string; got?: string },
): Blip2Error {
  return new Blip2Error('INVALID_CHECKPOINT', `Index and shards disagree: ${rule}`, {
    ...details,
    where: `${JSON.stringify(tensor.slice(0, 200))} in ${folder}`,
    fix: 'Use files from one repository and revision',
  });
}
