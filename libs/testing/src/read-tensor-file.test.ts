import { expect, test } from 'vitest';

import { readTensorFile } from './read-tensor-file.ts';

/** A safetensors file with this header and payload. */
function fileOf(header: object, payload: Uint8Array): Uint8Array {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, payload]);
}

test('reads float32 and uint8 tensors by name', () => {
  const payload = Buffer.concat([new Uint8Array(Float32Array.of(1, -2.5).buffer), Uint8Array.of(7, 255)]);
  const header = {
    __metadata__: { made: 'here' },
    x: { dtype: 'F32', shape: [1, 2], data_offsets: [0, 8] },
    y: { dtype: 'U8', shape: [2], data_offsets: [8, 10] },
  };
  expect([...readTensorFile(fileOf(header, payload))]).toEqual([
    ['x', { type: 'float32', dims: [1, 2], data: Float32Array.of(1, -2.5) }],
    ['y', { type: 'uint8', dims: [2], data: Uint8Array.of(7, 255) }],
  ]);
});

test('refuses other types', () => {
  const header = { x: { dtype: 'F16', shape: [1], data_offsets: [0, 2] } };
  expect(() => readTensorFile(fileOf(header, new Uint8Array(2)))).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED_DTYPE' }) as Error,
  );
});
