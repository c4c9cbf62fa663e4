import { slicePositions, type Tensor } from '@blip2/interfaces';
import type { RetrievalEmbeds } from '@blip2/qformer';

/** `[rows, columns]`. */
export type Scores = Tensor<'float32', readonly [rows: number, columns: number]>;
/** One vector of length 1 per text, `[texts, size]`. */
export type TextEmbeds = Tensor<'float32', readonly [texts: number, size: number]>;

/** Cosine of each text and the best query of each image, `[images, texts]` (arXiv 2301.12597, section 3.1). */
export function bestCosines(
  { dims: [images, queries, size], data: vectors }: RetrievalEmbeds,
  { dims: [texts], data: words }: TextEmbeds,
): Scores {
  const data = new Float32Array(images * texts);
  for (let image = 0; image < images; image++) {
    for (let text = 0; text < texts; text++) {
      let best = -Infinity;
      for (let query = 0; query < queries; query++)
        best = Math.max(best, dot(vectors, (image * queries + query) * size, words, text * size, size));
      data[image * texts + text] = best;
    }
  }
  return { type: 'float32', dims: [images, texts], data };
}

function dot(a: Float32Array, aStart: number, b: Float32Array, bStart: number, size: number): number {
  let sum = 0;
  for (let index = 0; index < size; index++) sum += (a[aStart + index] ?? 0) * (b[bStart + index] ?? 0);
  return sum;
}

/** Columns as rows. */
export function transposed({ dims: [rows, columns], data }: Scores): Scores {
  return {
    type: 'float32',
    dims: [columns, rows],
    data: Float32Array.from(
      { length: data.length },
      (_, index) => data[(index % rows) * columns + Math.floor(index / rows)] ?? 0,
    ),
  };
}

/** The first position of every row, which is [CLS] for a text: `[batch, positions, size]` → `[batch, size]`. */
export function firstPosition(embeds: RetrievalEmbeds): TextEmbeds {
  const { dims, data } = slicePositions(embeds, 0, 1);
  return { type: 'float32', dims: [dims[0], dims[2]], data };
}
