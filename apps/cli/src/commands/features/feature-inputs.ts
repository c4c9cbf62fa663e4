import { realpath } from 'node:fs/promises';

import type { FeatureImage } from '@blip2/features';
import { Blip2Error, mustBe } from '@blip2/interfaces';

import type { Environment } from '../../environment.ts';
import { expandImages } from '../../images/expand-images.ts';
import { IMAGE_EXTENSIONS } from '../../images/image-extensions.ts';
import type { ImageInput } from '../../images/image-inputs.ts';
import { fileOfName } from '../../images/path-names.ts';
import { LARGEST_INPUT_BYTES, readStdin } from '../../images/read-stdin.ts';

/** Whether an argument is a webdataset archive. */
export function isArchive(argument: string): boolean {
  return /\.(?:tar|tar\.gz|tgz)$/i.test(argument);
}

/** Images of the arguments in order. */
export interface FeatureInputs {
  readonly images: AsyncIterable<FeatureImage>;
  /** Number of images that are not in archives. */
  readonly count: number;
}

/**
 * Finds the images of the arguments. Archives are read while their images are encoded.
 * @throws Blip2Error `INVALID_ARGUMENT` without images; `MISSING_FILE` for lists and archives that cannot be read.
 */
export async function featureInputs(
  args: readonly string[],
  options: { readonly recursive?: boolean; readonly quiet?: boolean },
  environment: Environment,
  signal: AbortSignal,
): Promise<FeatureInputs> {
  const { recursive = false, quiet } = options;
  const groups: (string | ImageInput[])[] = [];
  for (const arg of args) {
    if (isArchive(arg)) {
      // Before anything is computed: a name that is wrong is bad usage.
      await realpath(arg).catch((cause: unknown) => {
        throw new Blip2Error('MISSING_FILE', 'The archive cannot be read', { where: arg, cause });
      });
      groups.push(arg);
    } else groups.push(await expandImages([listOf(arg)], { recursive, quiet, signal }, environment));
  }
  const count = groups.reduce((sum, group) => sum + (typeof group === 'string' ? 0 : group.length), 0);
  if (count === 0 && groups.every((group) => typeof group !== 'string'))
    throw mustBe('INPUT', 'at least one image', args.join(' '));
  return { images: eachImage(groups, environment, signal), count };
}

/** A file of pairs is a list of images. */
function listOf(argument: string): string {
  return /\.jsonl$/i.test(argument) && !argument.startsWith('@') ? `@${argument}` : argument;
}

async function* eachImage(
  groups: readonly (string | readonly ImageInput[])[],
  environment: Environment,
  signal: AbortSignal,
): AsyncGenerator<FeatureImage, void> {
  for (const group of groups) {
    if (typeof group === 'string') yield* ofArchive(group, signal);
    else for (const input of group) yield { name: input.name, read: () => readInput(input, environment, signal) };
  }
}

async function readInput(input: ImageInput, { stdin }: Environment, signal: AbortSignal): Promise<Uint8Array> {
  if ('error' in input) throw input.error;
  if (input.source === 'stdin') return readStdin(stdin, 'an image', signal);
  const file = fileOfName(input.name);
  if (file === undefined) {
    throw new Blip2Error('UNSUPPORTED_IMAGE', 'Features are computed from files, not from URLs', {
      where: input.name,
      fix: 'Download it first',
    });
  }
  const path = await realpath(file, 'buffer').catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'The file cannot be read', { where: input.name, cause });
  });
  const { readLimited } = await import('@blip2/files');
  return readLimited(path, LARGEST_INPUT_BYTES, { code: 'IMAGE_TOO_LARGE', where: input.name });
}

async function* ofArchive(archive: string, signal: AbortSignal): AsyncGenerator<FeatureImage, void> {
  const { fileSource, readSamples } = await import('@blip2/webdataset');
  await using source = await fileSource(archive);
  const extensions = [...IMAGE_EXTENSIONS].map((extension) => extension.slice(1));
  for await (const { key, files, refused } of readSamples(source, { extensions, signal })) {
    for (const [extension, bytes] of files) yield { name: `${archive}/${key}.${extension}`, read: async () => bytes };
    for (const [extension, reason] of refused) {
      const name = `${archive}/${key}.${extension}`;
      const error = new Blip2Error('MISSING_FILE', `The image is not read: ${reason}`, { where: name });
      yield { name, read: () => Promise.reject(error) };
    }
  }
}
