import { closeSync, openSync, readSync } from 'node:fs';

import { readFailure } from '@blip2/files';
import { Blip2Error, type StoredTensor } from '@blip2/interfaces';

import { toFloat32 } from './float-conversion.ts';
import { ELEMENT_BYTES, isFloatType } from './stored-type.ts';

/** A range of elements of a stored tensor, in row-major order. */
export interface FloatRange {
  readonly first: number;
  readonly count: number;
}

/**
 * Reads elements of a stored tensor as float32. Synchronous, for use in a worker thread.
 * @throws Blip2Error `UNSUPPORTED_DTYPE` for integers; `MISSING_FILE`, `INVALID_CHECKPOINT` if the file was deleted or
 * truncated.
 */
export function readFloats(
  { name, file, dtype, byteOffset }: Pick<StoredTensor, 'name' | 'file' | 'dtype' | 'byteOffset'>,
  { first, count }: FloatRange,
): Float32Array {
  if (!isFloatType(dtype))
    throw new Blip2Error('UNSUPPORTED_DTYPE', 'The type of a tensor is not floating point', {
      expected: 'F32, F16, BF16 or F64',
      got: dtype,
      where: name,
      fix: 'Use a checkpoint with floating-point weights',
    });
  const floats = new Float32Array(count);
  const size = ELEMENT_BYTES[dtype];
  const bytes = dtype === 'F32' ? new Uint8Array(floats.buffer) : new Uint8Array(count * size);
  const source = openSource(file);
  try {
    const position = byteOffset + first * size;
    for (let done = 0; done < bytes.byteLength;) {
      const read = readSome(source, bytes.subarray(done), position + done, file);
      if (read === 0)
        throw new Blip2Error('INVALID_CHECKPOINT', 'A weight file was truncated after it was opened', {
          where: file,
          fix: 'Download or copy the file again',
        });
      done += read;
    }
  } finally {
    closeSync(source);
  }
  if (dtype !== 'F32') toFloat32(bytes, dtype, floats);
  return floats;
}

function readSome(source: number, target: Uint8Array, position: number, file: string): number {
  try {
    return readSync(source, target, 0, target.byteLength, position);
  } catch (cause) {
    throw readFailure(cause, file);
  }
}

function openSource(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (cause) {
    throw new Blip2Error('MISSING_FILE', 'A weight file cannot be opened', {
      where: file,
      fix: 'Download or copy the file again, or check its permissions',
      cause,
    });
  }
}
