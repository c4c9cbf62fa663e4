import { mustBe } from '@blip2/interfaces';

import type { ArrayWriter } from './array-writer.ts';
import { expectRow } from './expect-rows.ts';
import { type Destination, openTarget, type RowTarget } from './row-target.ts';

/** A `.npy` file with one float32 array `[rows, …shape]`, whose header gets the number of rows at the end. */
export function npyWriter(destination: Destination): ArrayWriter {
  let opened: RowTarget | undefined;
  let shape: readonly number[] = [];
  let count = 0;
  const create = async (dims: readonly number[]): Promise<RowTarget> => {
    const created = await openTarget(destination);
    opened = created;
    shape = dims;
    await created.write(npyHeader([count, ...shape]));
    return created;
  };
  const taken = (): RowTarget | undefined => {
    const closing = opened;
    opened = undefined;
    return closing;
  };
  return {
    async append(where, row) {
      expectRow(where, row);
      const { dims, data } = row;
      if (opened && dims.join() !== shape.join())
        throw mustBe('The shape of every row of an array', `[${shape.join(', ')}]`, `[${dims.join(', ')}]`, { where });
      const target = opened ?? (await create(dims));
      await target.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      count++;
    },
    async finish() {
      const target = taken();
      try {
        await target?.rewrite(npyHeader([count, ...shape]));
        await target?.commit();
      } catch (error) {
        await target?.discard();
        throw error;
      }
    },
    discard: async () => taken()?.discard(),
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
