import { mustBe } from '@blip2/interfaces';

import type { ArrayWriter } from './array-writer.ts';
import { expectRow } from './expect-rows.ts';
import { jsonLinesWriter } from './json-lines-writer.ts';
import { npyWriter } from './npy-writer.ts';
import { parquetWriter } from './parquet-writer.ts';
import type { Destination } from './row-target.ts';
import { tensorsWriter } from './tensors-writer.ts';

/**
 * Writes named rows of floats to a file in the format of its extension: `.npy` (one array; names are left out), or
 * `.safetensors`, `.parquet` and `.jsonl` (rows of any shape with their names; in the latter two as `name`, `shape` and
 * the flat `data`).
 * @throws Blip2Error `INVALID_ARGUMENT` for another extension.
 */
export function rowsFile(file: string): ArrayWriter {
  const extension = /\.([^./\\]+)$/.exec(file)?.[1]?.toLowerCase() ?? '';
  const open = FORMATS.get(extension);
  if (open) return open(file);
  throw mustBe('file', `a name that ends in ${[...FORMATS.keys()].map((each) => `.${each}`).join(', ')}`, file);
}

const FORMATS: ReadonlyMap<string, (file: string) => ArrayWriter> = new Map<string, (file: string) => ArrayWriter>([
  ['npy', npyWriter],
  ['safetensors', tensorsWriter],
  ['parquet', parquetRows],
  ['jsonl', jsonRows],
]);

function parquetRows(file: Destination): ArrayWriter {
  const { write, finish, discard } = parquetWriter(file, [
    { name: 'name', type: 'string' },
    { name: 'shape', type: 'int32[]' },
    { name: 'data', type: 'float[]' },
  ]);
  return {
    async append(name, row) {
      expectRow(name, row);
      await write([name, row.dims, [...row.data]]);
    },
    finish,
    discard,
  };
}

function jsonRows(file: Destination): ArrayWriter {
  const { write, finish, discard } = jsonLinesWriter(file);
  return {
    async append(name, row) {
      expectRow(name, row);
      await write({ name, shape: row.dims, data: row.data });
    },
    finish,
    discard,
  };
}
