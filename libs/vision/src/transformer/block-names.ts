/** Names of the tensors of encoder blocks and embeddings that several families share. */
import type { AttentionLayout, Graph, Weights } from '@blip2/onnx';

import type { PatchEmbeddingWeights } from '../patch-embeddings.ts';

/** The projections of CLIP and SigLIP. */
export const SEPARATE_PROJECTIONS: AttentionLayout = {
  inputs: { separate: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'] },
  inputBias: true,
  output: 'self_attn.out_proj',
};

/** The projections of ViT and DINOv2, named like those of BERT. */
export function bertProjections(inputBias: boolean): AttentionLayout {
  return {
    inputs: { separate: ['attention.attention.query', 'attention.attention.key', 'attention.attention.value'] },
    inputBias,
    output: 'attention.output.dense',
  };
}

/** The embeddings of ViT and DINOv2, below `embeddings`. */
export function classTokenEmbeddings(
  _: Graph,
  weights: Weights,
  positions: number,
  {
    hiddenSize,
    numChannels,
    patchSize,
  }: { readonly hiddenSize: number; readonly numChannels: number; readonly patchSize: number },
): PatchEmbeddingWeights {
  const projection = weights.at('patch_embeddings.projection');
  return {
    kernel: projection.get('weight', [hiddenSize, numChannels, patchSize, patchSize]),
    bias: projection.get('bias', [hiddenSize]),
    classEmbedding: weights.get('cls_token', [1, 1, hiddenSize]),
    positions: weights.get('position_embeddings', [1, positions, hiddenSize]),
  };
}
