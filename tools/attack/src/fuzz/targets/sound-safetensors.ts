import fc, { type Arbitrary } from 'fast-check';

/** Bytes of a safetensors file with a header and zeros as data. */
export function safetensors(header: unknown, dataBytes: number): Uint8Array {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.byteLength));
  return Buffer.concat([length, text, Buffer.alloc(dataBytes)]);
}

const SIZES = { F32: 4, F16: 2, BF16: 2, F64: 8, I64: 8, I8: 1, U8: 1, BOOL: 1 } as const;

/** A sound header: tensors follow each other without gaps. */
export const soundHeader: Arbitrary<{ readonly header: Record<string, unknown>; readonly dataBytes: number }> = fc
  .array(
    fc.record({
      name: fc.oneof(fc.string({ minLength: 1, maxLength: 12 }), fc.constantFrom('a.weight', 'a.bias', 'qformer.x')),
      dtype: fc.constantFrom(...(Object.keys(SIZES) as (keyof typeof SIZES)[])),
      shape: fc.array(fc.nat(4), { maxLength: 4 }),
    }),
    { maxLength: 6 },
  )
  .map((tensors) => {
    let end = 0;
    const header: Record<string, unknown> = {};
    for (const { name, dtype, shape } of tensors) {
      if (Object.hasOwn(header, name)) continue;
      const bytes = shape.reduce((product, axis) => product * axis, SIZES[dtype]);
      header[name] = { dtype, shape, data_offsets: [end, end + bytes] };
      end += bytes;
    }
    return { header, dataBytes: end };
  });
