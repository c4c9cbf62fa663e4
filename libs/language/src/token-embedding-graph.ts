import { f32, i64, type TensorSpec } from '@blip2/interfaces';
import { buildGraph, embedding, scale, type Weights, type WeightSource, type WrittenModel } from '@blip2/onnx';

export interface EmbeddingSignature {
  readonly inputs: { readonly input_ids: TensorSpec<'int64', readonly ['batch', 'sequence']> };
  readonly outputs: { readonly inputs_embeds: TensorSpec<'float32', readonly ['batch', 'sequence', number]> };
}

export interface TokenEmbeddingOptions {
  readonly name: string;
  readonly vocabSize: number;
  readonly embeddingSize: number;
  /** Factor of the embeddings. Default 1. */
  readonly factor?: number;
  /** Finds the table below the root of the language model. */
  readonly table: (root: Weights) => Weights;
}

/** The token embedding as a graph of its own: image features are inserted between the embeddings and the decoder. */
export function buildTokenEmbedding(
  { name, vocabSize, embeddingSize, factor = 1, table }: TokenEmbeddingOptions,
  weights: WeightSource,
  prefix: string,
): WrittenModel<EmbeddingSignature> {
  const signature = {
    inputs: { input_ids: i64('batch', 'sequence') },
    outputs: { inputs_embeds: f32('batch', 'sequence', embeddingSize) },
  };
  return buildGraph({ name, signature, weights, prefix }, (g, { input_ids }, root) => {
    const rows = embedding(g, input_ids, table(root), { numEmbeddings: vocabSize, embeddingSize });
    return { inputs_embeds: factor === 1 ? rows : scale(g, rows, factor) };
  });
}
