import { Blip2Error, isError } from '@blip2/interfaces';
import { fileSource, indexTar, readIndexedSamples, readSamples, readTarIndex, type Sample } from '@blip2/webdataset';

import type { ShardInput, ShardWork } from './plan-shards.ts';

/** An input of a shard: the bytes of an image, or why there are none. */
export type ShardImage = { readonly name: string } & ({ readonly bytes: Uint8Array } | { readonly error: Error });

/** Options of `shardImages`. */
export interface ShardImagesOptions {
  /** Reads an image by its name. Archives are read by this package. */
  readonly read: (name: string, signal: AbortSignal | undefined) => Promise<Uint8Array>;
  readonly signal?: AbortSignal | undefined;
}

/** Extensions of images in archives, in lower case and without the dot; the first that a sample has is taken. */
const EXTENSIONS = ['jpg', 'jpeg', 'png', 'webp', 'avif', 'gif', 'tif', 'tiff'] as const;
const COMPRESSED = /\.(?:tar\.gz|tgz)$/i;

/**
 * An archive as an input of a run, with the number of its samples: from the index next to it, or from its headers. A
 * compressed archive has to be read from its start, so it is one shard.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_ARCHIVE`.
 */
export async function archiveInput(archive: string, signal?: AbortSignal): Promise<ShardInput> {
  await using source = await fileSource(archive);
  if (COMPRESSED.test(archive)) return { kind: 'archive', archive };
  const index = (await readTarIndex(archive)) ?? (await indexTar(source, { ...(signal && { signal }) }));
  return { kind: 'archive', archive, samples: index.samples.length };
}

/**
 * The images of a shard, in order, one for each input: an image that cannot be read is an error in its place.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_ARCHIVE` for an archive; the signal's reason.
 */
export async function* shardImages(
  work: ShardWork,
  { read, signal }: ShardImagesOptions,
): AsyncGenerator<ShardImage, void> {
  if (work.kind === 'names') {
    for (const name of work.names) yield await readImage(name, read, signal);
    return;
  }
  const { archive, start, end } = work;
  await using source = await fileSource(archive);
  const options = { extensions: EXTENSIONS, ...(signal && { signal }) };
  if (end === undefined) {
    for await (const sample of readSamples(source, options)) yield imageOf(archive, sample);
    return;
  }
  const index = (await readTarIndex(archive)) ?? (await indexTar(source, options));
  for await (const sample of readIndexedSamples(source, index, { ...options, start, end })) {
    yield imageOf(archive, sample);
  }
}

async function readImage(
  name: string,
  read: ShardImagesOptions['read'],
  signal: AbortSignal | undefined,
): Promise<ShardImage> {
  signal?.throwIfAborted();
  try {
    return { name, bytes: await read(name, signal) };
  } catch (error) {
    signal?.throwIfAborted();
    if (!isError(error)) throw error;
    return { name, error };
  }
}

/** The image of a sample. Its name is that of the archive with the key. */
function imageOf(archive: string, { key, files, refused }: Sample): ShardImage {
  const name = `${archive}/${key}`;
  const found = EXTENSIONS.find((extension) => files.has(extension));
  const bytes = found && files.get(found);
  if (bytes) return { name: `${name}.${found}`, bytes };
  const [extension, reason] = [...refused][0] ?? [];
  const what = reason === undefined ? 'The sample has no image' : `The image is not read: ${reason}`;
  const where = extension === undefined ? name : `${name}.${extension}`;
  return { name: where, error: new Blip2Error('MISSING_FILE', what, { where }) };
}
