import { type DifferentiableLanguageModel, type PatchFeatures, type TokenEmbeddings } from '@blip2/interfaces';
import type { NamedTensors, TrainableBridge } from '@blip2/qformer';

import type { ExampleIds } from '../examples/token-rows.ts';

/** Examples that go through the model together. */
export interface Piece {
  readonly features: PatchFeatures;
  readonly rows: readonly ExampleIds[];
}

/** Mean loss over all targets of a batch, and its gradients in the order of the trained tensors. */
export interface BatchGradients {
  readonly loss: number;
  readonly targetCount: number;
  readonly gradients: readonly Float32Array[];
}

/**
 * The loss of a batch and its gradients: per piece, the bridge runs forward, the language model returns the loss and
 * its gradient, and the bridge runs backward. Gradients of the pieces are added.
 */
export async function batchGradients(
  bridge: TrainableBridge,
  language: DifferentiableLanguageModel,
  weights: NamedTensors,
  pieces: readonly Piece[],
): Promise<BatchGradients> {
  const all = pieces.reduce((sum, { rows }) => sum + rows.reduce((count, { targets }) => count + targets.length, 0), 0);
  let loss = 0;
  const sums: Float32Array[] = [];
  for (const { features, rows } of pieces) {
    const embeddings = await bridge.forward({ features }, weights);
    const result = await language.lossAndGradient(
      embeddings,
      rows.map(({ targets }) => targets),
      { promptIds: rows.map(({ prompt }) => prompt) },
    );
    const share = result.targetCount / all;
    loss += result.loss * share;
    const gradients = await bridge.backward({ features }, scaled(result.prefixGradient, share), weights);
    bridge.trained.forEach(({ name }, index) => {
      const { data } = gradients[name] ?? { data: new Float32Array() };
      const sum = sums[index];
      if (sum) addTo(sum, data);
      else sums[index] = data;
    });
  }
  return { loss, targetCount: all, gradients: sums };
}

function scaled({ type, dims, data }: TokenEmbeddings, factor: number): TokenEmbeddings {
  return { type, dims, data: data.map((value) => value * factor) };
}

function addTo(sum: Float32Array, other: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (other[i] ?? 0);
}
