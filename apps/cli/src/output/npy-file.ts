import { mustBe, type Tensor } from '@blip2/interfaces';

import { type OpenedOutput, openOutput } from './opened-output.ts';
import { outputTarget } from './output-target.ts';
import { writeFailed } from './write-failed.ts';

/**
 * A `.npy` file with one float32 array `[inputs, …shape]`, written row by row under a temporary name until it is
 * complete. A pipe gets the array at the end, because its header holds the number of rows.
 */
export interface NpyFile {
  /** @throws Blip2Error `INVALID_ARGUMENT` if the row has another shape than the rows before; `WRITE_FAILED`. */
  append(name: string, row: Pick<Tensor<'float32'>, 'dims' | 'data'>): Promise<void>;
  /** Completes the file. Without rows, no file is created. */
  finish(): Promise<void>;
  discard(): Promise<void>;
}

export function npyFile(file: string, signal?: AbortSignal | undefined): NpyFile {
  let opened: OpenedOutput | undefined;
  let shape: readonly number[] = [];
  let count = 0;
  const create = async (dims: readonly number[]): Promise<OpenedOutput> => {
    const created = await openOutput(await outputTarget(file), { rewinds: true, signal });
    opened = created;
    shape = dims;
    await created.write(npyHeader([count, ...shape]));
    return created;
  };
  const taken = (): OpenedOutput | undefined => {
    const closing = opened;
    opened = undefined;
    return closing;
  };
  return {
    async append(where, { dims, data }) {
      if (opened && dims.join() !== shape.join())
        throw mustBe('The shape of every embedding', `[${shape.join(', ')}]`, `[${dims.join(', ')}]`, {
          where,
          fix: 'Use --pool, or write .safetensors, .parquet or .jsonl',
        });
      try {
        const output = opened ?? (await create(dims));
        await output.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
        count++;
      } catch (cause) {
        throw writeFailed(file, cause);
      }
    },
    async finish() {
      const output = taken();
      try {
        await output?.rewrite(npyHeader([count, ...shape]));
        await output?.commit();
      } catch (cause) {
        await output?.discard();
        throw writeFailed(file, cause);
      }
    },
    async discard() {
      await taken()?.discard();
    },
  };
}

/** Version 1.0 of NumPy's format (NEP 1): magic, header length, a Python dictionary, data from a multiple of 64. */
const MAGIC: readonly number[] = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0];
const ALIGNMENT = 64;
const LENGTH_BYTES = 2;
/** Digits reserved for the first axis, as in NumPy, so that the header can be rewritten after the array has grown. */
const FIRST_AXIS_DIGITS = 21;

/** The header of a float32 array of this shape, little-endian. Its length does not depend on the first axis. */
export function npyHeader(shape: readonly number[]): Uint8Array {
  const [first = 0, ...others] = shape;
  const dictionary = dictionaryOf(String(first), others);
  const before = MAGIC.length + LENGTH_BYTES;
  // The header ends with a line feed.
  const longest = before + dictionaryOf('0'.repeat(FIRST_AXIS_DIGITS), others).length + 1;
  const length = Math.ceil(longest / ALIGNMENT) * ALIGNMENT - before;
  const header = new Uint8Array(before + length).fill(' '.charCodeAt(0));
  header.set(MAGIC);
  new DataView(header.buffer).setUint16(MAGIC.length, length, true);
  header.set(new TextEncoder().encode(dictionary), before);
  header[header.length - 1] = '\n'.charCodeAt(0);
  return header;
}

function dictionaryOf(first: string, others: readonly number[]): string {
  const tuple = others.length === 0 ? `(${first},)` : `(${[first, ...others].join(', ')})`;
  return `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
}
