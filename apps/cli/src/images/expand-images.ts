import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';

import { Blip2Error, defined, mustBe } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { imagesInFolder } from './image-folder.ts';
import { type ImageInput, isUrl, nameOfUrl, naturalOrder } from './image-inputs.ts';
import { readImageList } from './image-list.ts';

export interface ExpandOptions {
  /** Include the subfolders of folders. */
  readonly recursive: boolean;
  /** Stops reading stdin. */
  readonly signal: AbortSignal;
}

/**
 * Expands the IMAGE arguments to inputs, in order. An argument is a path, a glob, a folder, a URL, `@list`, or `-` for
 * stdin. An argument without images becomes an input with an error, so that the others are still processed.
 */
export async function expandImages(
  args: readonly string[],
  options: ExpandOptions,
  environment: Pick<Environment, 'stdin'>,
): Promise<ImageInput[]> {
  if (args.filter((arg) => arg === '-' || arg === '@-').length > 1)
    throw new Blip2Error('INVALID_ARGUMENT', 'stdin (- or @-) can be named only once', { got: args.join(' ') });
  const inputs: ImageInput[] = [];
  // Not `push(...inputs)`: a folder may hold more images than a call can have arguments.
  for (const arg of args) for (const input of await expand(arg, options, environment)) inputs.push(input);
  return inputs;
}

async function expand(
  arg: string,
  { recursive, signal }: ExpandOptions,
  environment: Pick<Environment, 'stdin'>,
): Promise<ImageInput[]> {
  if (arg === '-') return [{ name: '-', source: 'stdin' }];
  if (isUrl(arg)) return [fromUrl(arg)];
  if (arg.startsWith('@'))
    return (await readImageList(arg.slice(1), environment, signal)).map((entry) =>
      isUrl(entry) ? fromUrl(entry) : { name: entry, source: entry },
    );
  const found = await stat(arg).catch(() => undefined);
  if (found?.isDirectory()) return inFolder(arg, recursive);
  // An existing file wins over a pattern: brackets are common in file names.
  if (found === undefined && /[*?[\]{}]/.test(arg)) return matching(arg);
  return [{ name: arg, source: arg }];
}

function fromUrl(url: string): ImageInput {
  const name = nameOfUrl(url);
  return URL.canParse(url) ? { name, source: new URL(url) } : { name, error: mustBe('IMAGE', 'a valid URL', name) };
}

async function inFolder(folder: string, recursive: boolean): Promise<ImageInput[]> {
  const paths = await imagesInFolder(folder, recursive);
  if (paths.length > 0) return paths.map((path) => ({ name: path, source: path }));
  const fix = recursive ? undefined : 'Use --recursive to include its subfolders';
  return [
    {
      name: folder,
      error: new Blip2Error('MISSING_FILE', 'The folder contains no images', defined({ where: folder, fix })),
    },
  ];
}

async function matching(pattern: string): Promise<ImageInput[]> {
  const { glob } = await import('tinyglobby');
  const paths = (
    await glob(process.platform === 'win32' ? pattern.replaceAll('\\', '/') : pattern, {
      expandDirectories: false,
      absolute: isAbsolute(pattern),
    })
  ).sort(naturalOrder);
  if (paths.length > 0) return paths.map((path) => ({ name: path, source: path }));
  return [
    {
      name: pattern,
      error: new Blip2Error('MISSING_FILE', 'No file has this name or matches this pattern', { where: pattern }),
    },
  ];
}
