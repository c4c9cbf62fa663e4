import { Blip2Error, type Tensor } from '@blip2/interfaces';

/** A tensor of a file of recorded outputs. */
export type RecordedTensor = Tensor<'float32'> | Tensor<'uint8'>;

interface Header {
  readonly [name: string]: {
    readonly dtype: string;
    readonly shape: number[];
    readonly data_offsets: readonly [number, number];
  };
}

/**
 * Reads a safetensors file of float32 and uint8 tensors, by name. For recorded outputs of tests, which are trusted:
 * unlike `@blip2/checkpoint`, it does not check the header.
 * @throws Blip2Error `UNSUPPORTED_DTYPE` for tensors of another type.
 */
export function readTensorFile(file: Uint8Array): ReadonlyMap<string, RecordedTensor> {
  const start = 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, start))) as Header;
  return new Map(
    Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(
        ([
          name,
          {
            dtype,
            shape: dims,
            data_offsets: [from, to],
          },
        ]): [string, RecordedTensor] => {
          const data = Uint8Array.from(file.subarray(start + from, start + to));
          if (dtype === 'U8') return [name, { type: 'uint8', dims, data }];
          if (dtype === 'F32') return [name, { type: 'float32', dims, data: new Float32Array(data.buffer) }];
          throw new Blip2Error('UNSUPPORTED_DTYPE', `${name} must be F32 or U8, got ${dtype}`);
        },
      ),
  );
}
