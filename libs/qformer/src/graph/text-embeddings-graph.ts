/**
 * Token and position embeddings of the Q-Former's text (HF `Blip2TextEmbeddings`); checkpoint path `embeddings`, in
 * InstructBLIP `qformer.embeddings`.
 */
import type { Blip2QFormerConfig } from '@blip2/config';
import { f32, i64, type TensorSpec } from '@blip2/interfaces';
import {
  add,
  buildGraph,
  embedding,
  type RecordedWeight,
  recordWeights,
  type WeightSource,
  type WrittenModel,
} from '@blip2/onnx';

export interface TextEmbeddingsSignature {
  readonly inputs: {
    readonly input_ids: TensorSpec<'int64', readonly ['batch', 'sequence']>;
    readonly position_ids: TensorSpec<'int64', readonly ['batch', 'sequence']>;
  };
  readonly outputs: { readonly embeddings: TensorSpec<'float32', readonly ['batch', 'sequence', number]> };
}

/** Sums of token and position embeddings. The first norm of the Q-Former follows after the queries are prepended. */
export function buildTextEmbeddings(
  { vocabSize, maxPositionEmbeddings, hiddenSize }: Blip2QFormerConfig,
  weights: WeightSource,
  prefix: string,
): WrittenModel<TextEmbeddingsSignature> {
  const ids = i64('batch', 'sequence');
  const signature = {
    inputs: { input_ids: ids, position_ids: ids },
    outputs: { embeddings: f32('batch', 'sequence', hiddenSize) },
  };
  return buildGraph(
    { name: 'text_embeddings', signature, weights, prefix },
    (g, { input_ids, position_ids }, root) => ({
      embeddings: add(
        g,
        embedding(g, input_ids, root.at('word_embeddings'), { numEmbeddings: vocabSize, embeddingSize: hiddenSize }),
        embedding(g, position_ids, root.at('position_embeddings'), {
          numEmbeddings: maxPositionEmbeddings,
          embeddingSize: hiddenSize,
        }),
      ),
    }),
  );
}

/** Both embeddings, by name and shape. */
export function textEmbeddingsTensors(config: Blip2QFormerConfig, prefix: string): RecordedWeight[] {
  return recordWeights((weights) => void buildTextEmbeddings(config, weights, prefix));
}
