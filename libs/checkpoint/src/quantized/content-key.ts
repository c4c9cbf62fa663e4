import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';

import { Blip2Error } from '@blip2/interfaces';

import { blockSizeFor, type Conversion } from './weight-plan.ts';

/** Raised whenever the same weights would be converted to other bytes: roundings, layouts, names. */
export const FORMAT_VERSION = 1;

/** Files up to this size are read whole: it takes a few milliseconds, and temporary ones are known again. */
const SMALL_FILE_BYTES = 2 ** 23;

/**
 * What a converted file depends on, as 32 hexadecimal digits: the format, the scheme of every tensor, and the files
 * that it is made from. Small files count by their bytes.
 * Of large ones count the place, the size, the file's number, and when contents and file were last changed: the last
 * one (`ctime`) moves with every write and rename
 * and cannot be set back, so that files need not be read to know that they are the same. A large checkpoint that has
 * been copied is another one.
 * Converted bytes do not depend on runtime or processor: the runtime packs them when it loads them.
 */
export async function contentKey(conversions: readonly Conversion[]): Promise<string> {
  const files = sourceFiles(conversions);
  const states = await Promise.all(files.map(fileState));
  const tensors = conversions.map(({ name, shape, precision, fold, source }) => [
    name,
    shape,
    precision,
    precision === 'q8' || precision === 'q4' ? blockSizeFor(shape[1] ?? 1) : 0,
    source.name,
    source.dtype,
    source.byteOffset,
    files.indexOf(source.file),
    fold ?? 0,
  ]);
  return createHash('sha256')
    .update(JSON.stringify([FORMAT_VERSION, states, tensors]))
    .digest('hex')
    .slice(0, 32);
}

/** The files that a conversion reads, each once. */
export function sourceFiles(conversions: readonly Conversion[]): readonly string[] {
  return [...new Set(conversions.map(({ source }) => source.file))];
}

/**
 * What changes when a file does, as texts: its digest if it is small, or its place and times. Fails with
 * `MISSING_FILE`.
 */
export async function fileState(file: string): Promise<readonly string[]> {
  const found = await stat(file, { bigint: true }).catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'A weight file is gone', { where: file, cause });
  });
  if (found.size <= SMALL_FILE_BYTES)
    return [
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex'),
    ];
  return [file, ...[found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].map(String)];
}
