import type { Blip2QFormerConfig } from '@blip2/config';

/** Paths of a text-conditioned Q-Former in a checkpoint; that of the norm starts below `qformer`. */
export interface QFormerLayout {
  readonly qformer: string;
  readonly embeddings: string;
  readonly norm: string;
}

/** BLIP-2's retrieval checkpoints. */
export const blip2QFormerLayout: QFormerLayout = { qformer: 'qformer', embeddings: 'embeddings', norm: 'layernorm' };
/** InstructBLIP's checkpoints: the embeddings belong to the Q-Former. */
export const instructBlipQFormerLayout: QFormerLayout = {
  qformer: 'qformer',
  embeddings: 'qformer.embeddings',
  norm: 'embeddings.layernorm',
};

const LAYOUTS: Readonly<Record<Blip2QFormerConfig['modelType'], QFormerLayout>> = {
  blip_2_qformer: blip2QFormerLayout,
  instructblip_qformer: instructBlipQFormerLayout,
};

/** The layout of the model family of a configuration. */
export function qformerLayout({ modelType }: Blip2QFormerConfig): QFormerLayout {
  return LAYOUTS[modelType];
}
