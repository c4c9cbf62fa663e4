import { CHUNK_BYTES } from '@blip2/files';
import { Blip2Error, type StoredTensor, type StoredType, type Tensor, type TensorType } from '@blip2/interfaces';

import { fromFloat32, toFloat32 } from './float-conversion.ts';
import { readChunks } from './read-tensor.ts';
import { ELEMENT_BYTES, type FloatStoredType, isFloatType } from './stored-type.ts';

/** A tensor to be written: its bytes come piece by piece, so that no tensor need ever be in memory whole. */
export interface TensorSource {
  readonly name: string;
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  /**
   * Little-endian, row-major bytes in pieces of any size. A piece need only be valid until the next one is asked for.
   */
  chunks(signal?: AbortSignal): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** A tensor of an open checkpoint, to be copied. With a `name` it gets another one. */
export function storedTensorSource(stored: StoredTensor, name: string = stored.name): TensorSource {
  return { name, dtype: stored.dtype, shape: stored.shape, chunks: (signal) => readChunks(stored, { signal }) };
}

const STORED_TYPES: Readonly<Record<TensorType, StoredType>> = {
  float32: 'F32',
  int64: 'I64',
  int32: 'I32',
  uint8: 'U8',
  bool: 'BOOL',
};

/** A tensor that is in memory. */
export function tensorSource(name: string, { type, dims, data }: Tensor): TensorSource {
  return {
    name,
    dtype: STORED_TYPES[type],
    shape: dims,
    chunks: () => [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)],
  };
}

/**
 * The same tensor as type `dtype`, rounded to nearest, ties to even, piece by piece. Integers stay what they are, as in
 * the reference.
 * float64 becomes float16 and bfloat16 by way of float32.
 */
export function convertedSource(source: TensorSource, dtype: FloatStoredType): TensorSource {
  const from = source.dtype;
  if (from === dtype || !isFloatType(from)) return source;
  return { name: source.name, dtype, shape: source.shape, chunks: (signal) => convert(source, from, dtype, signal) };
}

async function* convert(
  source: TensorSource,
  from: FloatStoredType,
  to: FloatStoredType,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const size = ELEMENT_BYTES[from];
  const values = new Float32Array(CHUNK_BYTES / size);
  const target = new Uint8Array(values.length * ELEMENT_BYTES[to]);
  for await (const piece of wholeElements(source.chunks(signal), size, source.name)) {
    const count = piece.byteLength / size;
    toFloat32(piece, from, values.subarray(0, count));
    const written = target.subarray(0, count * ELEMENT_BYTES[to]);
    fromFloat32(values.subarray(0, count), to, written);
    yield written;
  }
}

/** Cuts and joins pieces so that each holds whole elements and at most `chunkBytes`. */
async function* wholeElements(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  size: number,
  name: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  let held = 0;
  for await (const chunk of chunks) {
    for (let done = 0; done < chunk.byteLength;) {
      const taken = Math.min(chunk.byteLength - done, buffer.byteLength - held);
      buffer.set(chunk.subarray(done, done + taken), held);
      done += taken;
      held += taken;
      const whole = held - (held % size);
      if (whole > 0) yield buffer.subarray(0, whole);
      buffer.copyWithin(0, whole, held);
      held -= whole;
    }
  }
  if (held > 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'A tensor ends within an element', {
      expected: `pieces that add up to a multiple of ${size} bytes`,
      where: name,
    });
}
