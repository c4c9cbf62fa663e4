import { type Graph, linear, type Value, type Weights } from '@blip2/onnx';

/** Path of a language model's head, at the root of its checkpoint. */
const HEAD = 'lm_head';

/**
 * The token embedding at `path`. A checkpoint may store an embedding that is tied to the head under the name of the
 * head alone; HF loads such checkpoints too.
 */
export function tokenEmbedding(root: Weights, path: string, tied: boolean): Weights {
  const isUnderHead = tied && !root.has(`${path}.weight`) && root.has(`${HEAD}.weight`);
  return root.at(isUnderHead ? HEAD : path);
}

/** The head. One that is tied to the token embedding at `path` may be absent from the checkpoint. */
export function headWeights(root: Weights, path: string, tied: boolean): Weights {
  return root.at(tied && !root.has(`${HEAD}.weight`) ? path : HEAD);
}

export interface HeadOptions {
  readonly inFeatures: number;
  readonly vocabSize: number;
  /** Path of the token embedding. */
  readonly embedding: string;
  /** Whether the head is tied to it. */
  readonly tied: boolean;
}

/** Logits over the vocabulary, `[…, inFeatures]` → `[…, vocabSize]`. */
export function languageModelHead(
  g: Graph,
  x: Value<'float32'>,
  root: Weights,
  { inFeatures, vocabSize, embedding, tied }: HeadOptions,
): Value<'float32'> {
  const weights = headWeights(root, embedding, tied);
  return linear(g, x, weights, { inFeatures, outFeatures: vocabSize, bias: false });
}
