import { type TensorSource, tensorSource, writeSafetensors } from '@blip2/checkpoint';
import { MAX_TENSORS } from '@blip2/files';
import { mustBe } from '@blip2/interfaces';

import type { ArrayWriter, Row } from './array-writer.ts';
import { expectRow } from './expect-rows.ts';

/** Writes a complete file. A custom one may move it to another place: `write` creates a file at a path. */
export type PlaceFile = (write: (path: string) => Promise<void>) => Promise<void>;

/**
 * A `.safetensors` file with one tensor per row, of any shape, by its name; a later row of the same name replaces the
 * earlier one. The header of the format holds all names and shapes, so rows are kept in memory until `finish`.
 */
export function tensorsWriter(file: string | PlaceFile): ArrayWriter {
  const place: PlaceFile = typeof file === 'string' ? (write) => write(file) : file;
  const tensors = new Map<string, Row>();
  return {
    async append(name, row) {
      expectRow(name, row);
      if (!tensors.has(name) && tensors.size >= MAX_TENSORS)
        throw mustBe('The number of tensors in a file', `at most ${MAX_TENSORS}`, tensors.size + 1, { where: name });
      tensors.set(name, { dims: [...row.dims], data: row.data.slice() });
    },
    async finish() {
      if (tensors.size === 0) return;
      const sources = [...tensors].map(([name, { dims, data }]): TensorSource =>
        tensorSource(name, { type: 'float32', dims, data }),
      );
      tensors.clear();
      await place((path) => writeSafetensors(path, sources));
    },
    async discard() {
      tensors.clear();
    },
  };
}
