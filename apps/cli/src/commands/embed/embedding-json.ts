import type { Embedding, FeaturePart } from '../../model/model-port.ts';
import { oneLine } from '../../output/display-text.ts';
import type { ResultObject, Table } from '../../tables/table.ts';
import { flatNumbers, oneRowTable, stringColumn } from '../../tables/table-cells.ts';

/** The JSON keys of an embedding; `embedding` is nested according to `shape`. */
export function embeddingJson(part: FeaturePart, { dims, data }: Embedding): ResultObject {
  const [rows, size] = dims;
  const embedding =
    rows === undefined || size === undefined
      ? [...data]
      : Array.from({ length: rows }, (_, row) => [...data.subarray(row * size, (row + 1) * size)]);
  return { part, shape: dims, embedding };
}

/** An embedding with its name: the image, the text, or `image | text`, with control characters escaped. */
export interface NamedEmbedding extends Embedding {
  readonly name: string;
}

/** Reads an embedding from a result of `blip2 embed`. */
export function embeddingOf({ image, text, shape, embedding }: ResultObject): NamedEmbedding {
  const names = [image, text].filter((name) => typeof name === 'string');
  return {
    name: oneLine(names.join(' | ')),
    dims: flatNumbers(shape),
    data: Float32Array.from(flatNumbers(embedding)),
  };
}

/** Results of `embed` as a table. `embedding` is flat, row-major; `shape` holds its axes. */
export function embedTable(names: readonly ('image' | 'text')[]): Table {
  return oneRowTable([
    ...names.map(stringColumn),
    stringColumn('part'),
    { name: 'shape', type: 'int32[]' },
    { name: 'embedding', type: 'float[]' },
  ]);
}
