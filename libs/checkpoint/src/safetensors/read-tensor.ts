import { CHUNK_BYTES } from '@blip2/files';
import { Blip2Error, type StoredTensor, type Tensor } from '@blip2/interfaces';

import { toFloat32 } from './float-conversion.ts';
import { openForReading, readExactly } from './read-header.ts';
import { ELEMENT_BYTES, isFloatType } from './stored-type.ts';

/** Options of `readTensor` and `readRawTensor`. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads the bytes of a tensor in chunks of whole elements, at most 1 MiB each. **All chunks share one buffer**: a chunk
 * is valid until the next one is requested.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_CHECKPOINT` or `MODEL_CHANGED` if the file was deleted, truncated or
 * changed
 * since it was opened; the signal's reason.
 */
export async function* readChunks(
  stored: StoredTensor,
  { signal }: ReadOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(Math.min(CHUNK_BYTES, stored.byteLength));
  const handle = await openForReading(stored.file, stored.version);
  try {
    for (let done = 0; done < stored.byteLength; done += buffer.byteLength) {
      signal?.throwIfAborted();
      const chunk = buffer.subarray(0, Math.min(buffer.byteLength, stored.byteLength - done));
      await readExactly(handle, chunk, stored.byteOffset + done, stored.file);
      yield chunk;
    }
  } finally {
    await handle.close();
  }
}

/**
 * Reads the stored bytes of a tensor: little-endian, row-major.
 * @throws Blip2Error as `readChunks`.
 */
export async function readRawTensor(stored: StoredTensor, options?: ReadOptions): Promise<Uint8Array> {
  const bytes = new Uint8Array(stored.byteLength);
  let done = 0;
  for await (const chunk of readChunks(stored, options)) {
    bytes.set(chunk, done);
    done += chunk.byteLength;
  }
  return bytes;
}

/**
 * Reads a floating-point tensor as float32. float16 and bfloat16 are converted exactly, float64 is rounded.
 * @throws Blip2Error `UNSUPPORTED_DTYPE` for integers; as `readChunks`.
 */
export async function readTensor(stored: StoredTensor, options?: ReadOptions): Promise<Tensor<'float32'>> {
  const { dtype, shape } = stored;
  if (!isFloatType(dtype))
    throw new Blip2Error('UNSUPPORTED_DTYPE', 'The type of a tensor is not floating point', {
      expected: 'F32, F16, BF16 or F64',
      got: dtype,
      where: stored.name,
      fix: 'Read it with readRawTensor',
    });
  const data = new Float32Array(stored.byteLength / ELEMENT_BYTES[dtype]);
  let done = 0;
  for await (const chunk of readChunks(stored, options)) {
    const count = chunk.byteLength / ELEMENT_BYTES[dtype];
    toFloat32(chunk, dtype, data.subarray(done, done + count));
    done += count;
  }
  return { type: 'float32', dims: shape, data };
}
