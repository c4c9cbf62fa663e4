import {
  expectFinite,
  f32,
  type LossAndGradient,
  type Session,
  type Signature,
  type Tensor,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';
import { type Composition, concat, crossEntropy, type F32, gradients, namedTensor, type Value } from '@blip2/onnx';

/** Prefix and text, as inputs of a loss graph. */
export interface JoinedInputs {
  readonly prefix: F32;
  /** Prefix, then text. */
  readonly joined: F32;
}

/** Adds the embeddings of the prefix and of the text after it to the inputs of a loss graph. */
export function joinedInputs({ graph, input }: Composition, width: number): JoinedInputs {
  const prefix = input('prefix_embeds', f32('batch', 'prefix', width));
  const text = input('text_embeds', f32('batch', 'text', width));
  return { prefix, joined: concat(graph, [prefix, text], 1) };
}

/** The outputs of a loss graph: cross entropy, and its gradient with respect to the prefix. */
export function lossOutputs(
  { graph, input }: Composition,
  logits: F32,
  prefix: F32,
): { readonly loss: F32; readonly prefix_gradient: F32 } {
  const labels: Value<'int64'> = input('labels', { type: 'int64', axes: logits.axes.slice(0, -1) });
  const loss = crossEntropy(graph, logits, labels);
  const one = graph.constant('float32', [], [1]);
  const [gradient] = gradients(graph, [{ value: loss, gradient: one }], [prefix]) as [F32];
  return { loss, prefix_gradient: gradient };
}

/** Runs a loss graph. */
export async function runLoss(
  session: Session<Signature>,
  feeds: Readonly<Record<string, Tensor>>,
  targets: readonly TokenIds[],
): Promise<LossAndGradient> {
  const outputs: Readonly<Record<string, Tensor>> = await session.run(feeds);
  const loss = expectFinite('language model', outputs['loss'] as Tensor<'float32'>);
  const prefixGradient: TokenEmbeddings = namedTensor(outputs, 'prefix_gradient', 3);
  return {
    loss: loss.data[0] ?? Number.NaN,
    targetCount: targets.reduce((count, row) => count + row.length, 0),
    prefixGradient: expectFinite('language model', prefixGradient),
  };
}
