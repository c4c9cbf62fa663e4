import type { Embedding } from '../../model/model-port.ts';
import { oneLine } from '../../output/one-line.ts';
import { flatNumbers } from '../../tables/result-tables.ts';
import type { ResultObject } from '../../tables/table.ts';

/**
 * An embedding with the name of what it is of: the image, the text, or `image | text`; control characters as escapes.
 */
export interface NamedEmbedding extends Embedding {
  readonly name: string;
}

/** The embedding of a result of `blip2 embed`. */
export function embeddingOf({ image, text, shape, embedding }: ResultObject): NamedEmbedding {
  const names = [image, text].filter((name) => typeof name === 'string');
  return {
    name: oneLine(names.join(' | ')),
    dims: flatNumbers(shape),
    data: Float32Array.from(flatNumbers(embedding)),
  };
}
