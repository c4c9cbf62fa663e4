import { readFile } from 'node:fs/promises';

import { Blip2Error, type Tensor } from '@blip2/interfaces';

import type { GoldenValue } from './golden-value.ts';
import { asList, asNumber, asObject, asString } from './json-shape.ts';

/** The tensors of a case by name. */
export interface GoldenTensors {
  readonly names: readonly string[];
  /**
   * The tensor with this name.
   * @throws Blip2Error `INVALID_ARGUMENT` if there is none.
   */
  get(name: string): Tensor;
}

/** Bytes before the header, which contain its length. */
const LENGTH_BYTES = 8;

/**
 * Reads a safetensors file with float32 tensors and 8-bit pixel values. Golden files are read only here, so that a
 * mistake
 * in the library's own reader cannot affect both sides of a comparison.
 */
export async function readGoldenTensors(file: string): Promise<GoldenTensors> {
  const bytes = await readFile(file);
  const headerLength = Number(bytes.readBigUInt64LE(0));
  const start = LENGTH_BYTES + headerLength;
  const header = asObject(JSON.parse(bytes.toString('utf8', LENGTH_BYTES, start)), file);
  const tensors = new Map<string, Tensor>();
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, data_offsets: offsets } = asObject(value, name);
    const dims = asList(shape, name).map((length) => asNumber(length, name));
    const [from, to] = asList(offsets, name).map((offset) => start + asNumber(offset, name));
    const payload = Uint8Array.from(bytes.subarray(from, to));
    tensors.set(name, checked(name, toTensor(name, asString(dtype, name), dims, payload)));
  }
  return createGoldenTensors(tensors);
}

/** The tensors of a map. */
export function createGoldenTensors(tensors: ReadonlyMap<string, Tensor>): GoldenTensors {
  return {
    names: [...tensors.keys()],
    get(name) {
      const tensor = tensors.get(name);
      if (!tensor) throw new Blip2Error('INVALID_ARGUMENT', 'The golden file has no such tensor', { where: name });
      return tensor;
    },
  };
}

function toTensor(name: string, dtype: string, dims: readonly number[], payload: Uint8Array): Tensor {
  if (dtype === 'F32') return { type: 'float32', dims, data: new Float32Array(payload.buffer) };
  if (dtype === 'U8') return { type: 'uint8', dims, data: payload };
  throw new Blip2Error('UNSUPPORTED_DTYPE', 'The dtype of a golden tensor is not supported', {
    where: name,
    expected: 'F32 or U8',
    got: dtype,
  });
}

function checked(name: string, tensor: Tensor): Tensor {
  const elements = tensor.dims.reduce((product, length) => product * length, 1);
  if (elements === tensor.data.length) return tensor;
  throw new Blip2Error('INVALID_CHECKPOINT', 'The golden tensor has the wrong number of elements', {
    where: name,
    expected: `${elements} elements`,
    got: `${tensor.data.length}`,
  });
}

/** Resolves an input to a tensor, a list of tensors, or its JSON value. */
export function resolveInput(tensors: GoldenTensors, value: GoldenValue): unknown {
  switch (value.form) {
    case 'tensor':
      return tensors.get(value.name);
    case 'tensors':
      return value.names.map((name) => tensors.get(name));
    case 'concat':
      return concatenate(value.names.map((name) => tensors.get(name)));
    case 'json':
      return value.value;
  }
}

/** Concatenates tensors along axis 0. */
function concatenate(parts: readonly Tensor[]): Tensor {
  const [first] = parts;
  const rest = first?.dims.slice(1) ?? [];
  if (!first || parts.some((part) => part.type !== first.type || part.dims.slice(1).join() !== rest.join())) {
    throw new Blip2Error('SHAPE_MISMATCH', 'Tensors can only be concatenated if all axes but the first are equal', {
      got: parts.map((part) => `[${part.dims.join(', ')}]`).join(' '),
    });
  }
  const bytes = new Uint8Array(parts.reduce((sum, { data }) => sum + data.byteLength, 0));
  let done = 0;
  for (const { data } of parts) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), done);
    done += data.byteLength;
  }
  const dims = [parts.reduce((sum, part) => sum + (part.dims[0] ?? 0), 0), ...rest];
  return first.type === 'uint8'
    ? { type: 'uint8', dims, data: bytes }
    : { type: 'float32', dims, data: new Float32Array(bytes.buffer) };
}
