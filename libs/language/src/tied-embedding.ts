import type { Weights } from '@blip2/onnx';

/** Where a language model's head lies, at the root of its checkpoint. */
const HEAD = 'lm_head';

/**
 * The table of word embeddings at `path`. One that is tied to the head may be stored under the head's name alone, as
 * the reference reads it too.
 */
export function wordTable(root: Weights, path: string, tied: boolean): Weights {
  const underHead = tied && !root.has(`${path}.weight`) && root.has(`${HEAD}.weight`);
  return root.at(underHead ? HEAD : path);
}

/** The head. One that is tied to the table at `path` may be left out of the file. */
export function headTable(root: Weights, path: string, tied: boolean): Weights {
  return root.at(tied && !root.has(`${HEAD}.weight`) ? path : HEAD);
}
