import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';

import { readLimited } from '@blip2/files';
import { Blip2Error, type StoredTensor } from '@blip2/interfaces';

import { changeTensors, type WeightChange } from '../adapters/weight-change.ts';
import { blockSizeFor, type Conversion, conversionSources } from './weight-plan.ts';

/** Format version. Increased when the same weights convert to other bytes (rounding, layout, names). */
export const FORMAT_VERSION = 1;

/** Files up to this size are hashed: it takes a few milliseconds, and copies and temporary files are recognized. */
const SMALL_FILE_BYTES = 2 ** 23;

/**
 * Hash of everything a converted file depends on, as 32 hexadecimal digits: the format, the scheme of each tensor, and
 * the source files. Small files count by content. Large files count by path, size, inode, `mtime` and `ctime`. `ctime`
 * changes with every write and rename and cannot be set back, so unchanged files are recognized without reading them. A
 * copy of a large checkpoint counts as another one. Converted bytes do not depend on the runtime or CPU, since the
 * runtime prepacks them when it loads them.
 * @throws Blip2Error `MISSING_FILE`
 */
export async function contentKey(conversions: readonly Conversion[]): Promise<string> {
  const files = sourceFiles(conversions);
  const states = await Promise.all(files.map(fileState));
  const place = ({ name, dtype, byteOffset, file }: StoredTensor): readonly (string | number)[] => [
    name,
    dtype,
    byteOffset,
    files.indexOf(file),
  ];
  const tensors = conversions.map(({ name, shape, precision, fold, source, changes, foldSources }) => [
    name,
    shape,
    precision,
    precision === 'q8' || precision === 'q4' ? blockSizeFor(shape[1] ?? 1) : 0,
    ...place(source),
    fold ?? 0,
    // Absent without adapters, so that earlier keys remain valid.
    ...(changes ? [changes.map((change) => [describeChange(change), changeTensors(change).map(place)])] : []),
    ...(foldSources ? [foldSources.map(place)] : []),
  ]);
  return createHash('sha256')
    .update(JSON.stringify([FORMAT_VERSION, states, tensors]))
    .digest('hex')
    .slice(0, 32);
}

/** The numbers and choices of a change. */
function describeChange(change: WeightChange): readonly unknown[] {
  if (change.kind === 'added') return [change.kind, change.scaling];
  return [change.kind, change.scaling, change.rank, change.transposed, change.magnitude !== undefined];
}

/** The distinct files that conversions read. */
export function sourceFiles(conversions: readonly Conversion[]): readonly string[] {
  return [...new Set(conversions.flatMap((conversion) => conversionSources(conversion).map(({ file }) => file)))];
}

/**
 * Strings that change when a file does: its digest if it is small, else its path, size and times.
 * @throws Blip2Error `MISSING_FILE`
 */
export async function fileState(file: string): Promise<readonly string[]> {
  const found = await stat(file, { bigint: true }).catch((cause: unknown) => {
    throw new Blip2Error('MISSING_FILE', 'A weight file no longer exists', {
      where: file,
      fix: 'Load the model again',
      cause,
    });
  });
  if (found.size <= SMALL_FILE_BYTES)
    return [
      createHash('sha256')
        .update(await readLimited(file, SMALL_FILE_BYTES, { code: 'INVALID_CHECKPOINT' }))
        .digest('hex'),
    ];
  return [file, ...[found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].map(String)];
}
