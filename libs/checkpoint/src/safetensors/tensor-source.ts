import { CHUNK_BYTES } from '@blip2/files';
import { Blip2Error, type StoredTensor, type StoredType, type Tensor, type TensorType } from '@blip2/interfaces';

import { fromFloat32, toFloat32 } from './float-conversion.ts';
import { readChunks } from './read-tensor.ts';
import { ELEMENT_BYTES, type FloatStoredType, isFloatType } from './stored-type.ts';

/** A tensor to be written. Its bytes are produced in chunks, so that it never has to be in memory as a whole. */
export interface TensorSource {
  readonly name: string;
  readonly dtype: StoredType;
  readonly shape: readonly number[];
  /** Little-endian, row-major bytes in chunks of any size. A chunk must stay valid until the next one is requested. */
  chunks(signal?: AbortSignal): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
}

/** A tensor of an open checkpoint as a source, optionally under another name. */
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

/** A tensor in memory as a source. */
export function tensorSource(name: string, { type, dims, data }: Tensor): TensorSource {
  return {
    name,
    dtype: STORED_TYPES[type],
    shape: dims,
    chunks: () => [new Uint8Array(data.buffer, data.byteOffset, data.byteLength)],
  };
}

/**
 * The same tensor converted to `dtype`, rounded to nearest, ties to even. Integers are not converted, as in Hugging
 * Face Transformers. float64 is converted to float16 and bfloat16 through float32.
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
  for await (const chunk of wholeElements(source.chunks(signal), size, source.name)) {
    const count = chunk.byteLength / size;
    toFloat32(chunk, from, values.subarray(0, count));
    const written = target.subarray(0, count * ELEMENT_BYTES[to]);
    fromFloat32(values.subarray(0, count), to, written);
    yield written;
  }
}

/** Splits and joins chunks so that each contains whole elements and at most `CHUNK_BYTES`. */
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
    throw new Blip2Error('INVALID_ARGUMENT', 'A tensor source ends within an element', {
      expected: `a multiple of ${size} bytes`,
      where: name,
      fix: 'Correct the tensor source',
    });
}
