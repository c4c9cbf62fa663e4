import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path';

import { Blip2Error } from '@blip2/interfaces';

import type { Environment } from '../environment.ts';
import { imagesInFolder } from './image-folder.ts';
import type { ImageInput } from './image-input.ts';
import { readImageList } from './image-list.ts';
import { isUrl } from './is-url.ts';
import { naturalOrder } from './natural-order.ts';

export interface ExpandOptions {
  /** Look into the subfolders of folders. */
  readonly recursive: boolean;
  /** Stops waiting for stdin. */
  readonly signal: AbortSignal;
}

/**
 * The images that the IMAGE arguments mean, in order. An argument is a path, a glob, a folder, a URL, `@list`, or `-`
 * for stdin. What names no image
 * stays in the result as an input with its error, so that the others are still done.
 */
export async function expandImages(
  args: readonly string[],
  options: ExpandOptions,
  environment: Pick<Environment, 'stdin'>,
): Promise<ImageInput[]> {
  if (args.filter((arg) => arg === '-' || arg === '@-').length > 1)
    throw new Blip2Error('INVALID_ARGUMENT', 'stdin can be read once only', { got: args.join(' ') });
  const inputs: ImageInput[] = [];
  // Not spread into one call: a folder may hold more images than a call takes arguments.
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
  // A file of that very name comes before a pattern: brackets are common in file names.
  if (found === undefined && /[*?[\]{}]/.test(arg)) return matching(arg);
  return [{ name: arg, source: arg }];
}

function fromUrl(name: string): ImageInput {
  return URL.canParse(name)
    ? { name, source: new URL(name) }
    : { name, error: new Blip2Error('INVALID_ARGUMENT', 'Not a valid URL', { got: name }) };
}

async function inFolder(folder: string, recursive: boolean): Promise<ImageInput[]> {
  const paths = await imagesInFolder(folder, recursive);
  if (paths.length > 0) return paths.map((path) => ({ name: path, source: path }));
  const fix = recursive ? undefined : 'Its subfolders are read with --recursive';
  return [
    {
      name: folder,
      error: new Blip2Error('MISSING_FILE', 'The folder holds no images', { where: folder, ...(fix && { fix }) }),
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
