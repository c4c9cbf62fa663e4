import { stat } from 'node:fs/promises';

import { Blip2Error, defined, mustBe } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { argumentPaths } from './argument-bytes.ts';
import { pathOfArgument } from './existing-path.ts';
import { CONVERT, describeOthers } from './image-extensions.ts';
import { type FolderImage, imagesInFolder } from './image-folder.ts';
import { filesMatching, isPattern } from './image-glob.ts';
import { type ImageInput, isUrl, nameOfUrl } from './image-inputs.ts';
import { readImageList } from './image-list.ts';
import { nameOfPath, pathOfUrl, sourceOfPath, systemPath } from './path-names.ts';

export interface ExpandOptions {
  /** Include the subfolders of folders. */
  readonly recursive: boolean;
  /** No note about files that are not read. */
  readonly quiet?: boolean | undefined;
  /** Stops reading stdin. */
  readonly signal: AbortSignal;
}

type Expanding = ExpandOptions & {
  readonly environment: Pick<Environment, 'stdin'>;
  /** Images in folders that cannot be decoded. */
  readonly others: Set<string>;
};

/**
 * Expands the IMAGE arguments to inputs, in order. An argument is a path, a glob, a folder, a URL, `@list`, or `-` for
 * stdin. An argument without images and a folder that cannot be read become inputs with an error, so that the others
 * are still processed. Images in folders that cannot be decoded are counted on stderr.
 */
export async function expandImages(
  args: readonly string[],
  options: ExpandOptions,
  environment: Pick<Environment, 'stdin' | 'stderr'>,
): Promise<ImageInput[]> {
  if (args.filter((arg) => arg === '-' || arg === '@-').length > 1)
    throw new Blip2Error('INVALID_ARGUMENT', 'stdin (- or @-) can be named only once', { got: args.join(' ') });
  const inputs: ImageInput[] = [];
  const pathOf = await argumentPaths(args);
  const expanding = { ...options, environment, others: new Set<string>() };
  // Not `push(...inputs)`: a folder may hold more images than a call can have arguments.
  for (const arg of args) for (const input of await expand(pathOf(arg), expanding)) inputs.push(input);
  if (expanding.others.size > 0 && options.quiet !== true)
    environment.stderr.write(`Not read: ${describeOthers(expanding.others)}. ${CONVERT}.\n`);
  return inputs;
}

async function expand(arg: string, expanding: Expanding): Promise<ImageInput[]> {
  if (arg === '-') return [{ name: '-', source: 'stdin' }];
  if (isUrl(arg)) return fromUrl(arg, expanding);
  if (arg.startsWith('@')) {
    const entries = await readImageList(arg.slice(1), expanding.environment, expanding.signal);
    return entries.map((entry) => (isUrl(entry) ? fromImageUrl(entry) : fromFile(entry)));
  }
  const found = await stat(systemPath(arg)).catch(() => undefined);
  if (found?.isDirectory()) return fromFolder(arg, expanding);
  // An existing file wins over a pattern: brackets are common in file names.
  if (found) return [fromFile(arg)];
  const path = await pathOfArgument(arg);
  if (path !== undefined) return expand(path, expanding);
  return isPattern(arg) ? fromPattern(arg) : [fromFile(arg)];
}

function fromFile(path: string): ImageInput {
  return { name: nameOfPath(path), source: sourceOfPath(path) };
}

function fromFound({ path, error }: FolderImage): ImageInput {
  return error ? { name: nameOfPath(path), error } : fromFile(path);
}

async function fromUrl(url: string, expanding: Expanding): Promise<ImageInput[]> {
  const input = fromImageUrl(url);
  if (!('source' in input) || !(input.source instanceof URL) || input.source.protocol !== 'file:') return [input];
  const path = pathOfUrl(url);
  const found = await stat(systemPath(path)).catch(() => undefined);
  return found?.isDirectory() ? fromFolder(path, expanding) : [input];
}

function fromImageUrl(url: string): ImageInput {
  const name = nameOfUrl(url);
  return URL.canParse(url) ? { name, source: new URL(url) } : { name, error: mustBe('IMAGE', 'a valid URL', name) };
}

async function fromFolder(folder: string, { recursive, others }: Expanding): Promise<ImageInput[]> {
  const found = await imagesInFolder(folder, recursive);
  if (found.images.length === 0) return [{ name: nameOfPath(folder), error: noImages(folder, recursive, found) }];
  for (const path of found.others) others.add(path);
  return found.images.map(fromFound);
}

function noImages(
  folder: string,
  recursive: boolean,
  { others, hasSubfolders }: Awaited<ReturnType<typeof imagesInFolder>>,
): Blip2Error {
  const hints = [
    others.size > 0 && CONVERT,
    hasSubfolders && !recursive && 'Use --recursive to include its subfolders',
  ].filter((hint) => hint !== false);
  const what = others.size > 0 ? 'The folder contains no images that can be decoded' : 'The folder contains no images';
  return new Blip2Error('MISSING_FILE', what, {
    where: nameOfPath(folder),
    ...defined({
      got: others.size > 0 ? describeOthers(others) : undefined,
      fix: hints.length > 0 ? hints.join('. ') : undefined,
    }),
  });
}

async function fromPattern(pattern: string): Promise<ImageInput[]> {
  const paths = await filesMatching(pattern);
  if (paths.length > 0) return paths.map(fromFound);
  return [
    {
      name: nameOfPath(pattern),
      error: new Blip2Error('MISSING_FILE', 'No file has this name or matches this pattern', {
        where: nameOfPath(pattern),
      }),
    },
  ];
}
