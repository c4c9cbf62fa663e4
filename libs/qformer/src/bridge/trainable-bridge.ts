import {
  type AttentionMask,
  Blip2Error,
  expectFinite,
  expectTensor,
  mustBe,
  onesMask,
  type PatchFeatures,
  type Session,
  type Tensor,
  type TokenEmbeddings,
  type TokenIds,
  type WeightStore,
} from '@blip2/interfaces';
import { namedTensor, type RecordedWeight } from '@blip2/onnx';
import type { DisposablePart } from '@blip2/part';
import { asRows, lazySessions, type PartOptions } from '@blip2/runtime';

import { maskBias } from '../mask-bias.ts';
import { textFeeds } from '../text-embeddings.ts';
import { type BridgePlan, buildBridge, buildBridgeGradient, hasText, trainedTensors } from './bridge-graph.ts';

/** Tensors by their names in the checkpoint of a full model. */
export type NamedTensors = Readonly<Record<string, Tensor<'float32'>>>;

/** A text for the Q-Former, rows of equal length. */
export interface BridgeText {
  readonly inputIds: readonly TokenIds[];
  /** Default: no padding. */
  readonly attentionMask?: AttentionMask;
}

/** What a bridge computes from, in addition to its weights. */
export interface BridgeInputs {
  /** Image features, `[batch, patches, encoderHiddenSize]`. */
  readonly features: PatchFeatures;
  /** Required if the Q-Former has a text as input. */
  readonly text?: BridgeText;
}

/** Query tokens, Q-Former and language projection, whose trained weights are inputs of each call. */
export interface TrainableBridge extends DisposablePart {
  /** The trained tensors by name and shape. */
  readonly trained: readonly RecordedWeight[];
  /**
   * The embeddings for the language model, `[batch, queries, outFeatures]`.
   * @param weights The trained tensors. Their data is not copied, so that it may be updated in place between calls.
   */
  forward(inputs: BridgeInputs, weights: NamedTensors): Promise<TokenEmbeddings>;
  /**
   * The gradients with respect to the trained tensors, by name. The forward pass runs again.
   * @param gradient That with respect to the embeddings, in their shape: `prefixGradient` of `lossAndGradient`.
   */
  backward(
    inputs: BridgeInputs,
    gradient: TokenEmbeddings,
    weights: NamedTensors,
  ): Promise<Record<string, Tensor<'float32'>>>;
}

/**
 * Creates a bridge. Tensors that are not trained are mapped from `store`, in which the trained ones need not be.
 * Nothing is loaded before its first use.
 *
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for a Q-Former with relative positions; `INVALID_ARGUMENT` if nothing
 * is trained.
 */
export function createTrainableBridge(
  plan: BridgePlan,
  store: WeightStore,
  options: PartOptions = {},
): TrainableBridge {
  const sessions = lazySessions('bridge', options);
  const trained = trainedTensors(plan);
  if (trained.length === 0) throw mustBe('trained', 'at least one part of the bridge', 'none');
  const dispose = async (): Promise<void> => sessions[Symbol.asyncDispose]();
  const feeds = (inputs: BridgeInputs, weights: NamedTensors): Record<string, Tensor> => ({
    ...inputFeeds(plan, inputs),
    ...weightFeeds(trained, weights),
  });
  return {
    trained,
    async forward(inputs, weights) {
      const session = await sessions.get('forward', () => buildBridge(plan, store));
      const outputs = await run(session, feeds(inputs, weights));
      return expectFinite('bridge', namedTensor(outputs, 'inputs_embeds', 3));
    },
    async backward(inputs, gradient, weights) {
      const given = feeds(inputs, weights);
      expectTensor('gradient', gradient, ['batch', 'queries', 'textHidden']);
      const session = await sessions.get('backward', () => buildBridgeGradient(plan, store));
      const outputs = await run(session, { ...given, gradient });
      const entries = trained.map(({ name }): [string, Tensor<'float32'>] => [
        name,
        expectFinite('bridge', outputs[`gradient.${name}`] as Tensor<'float32'>),
      ]);
      return Object.fromEntries(entries);
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function run(session: Session, feeds: Record<string, Tensor>): Promise<Readonly<Record<string, Tensor>>> {
  return session.run(feeds);
}

function inputFeeds({ config, numQueryTokens }: BridgePlan, { features, text }: BridgeInputs): Record<string, Tensor> {
  expectTensor('features', features, ['batch', 'patches', 'encoderHidden']);
  if (!hasText(config)) {
    if (text) throw mustBe('text', 'absent for a Q-Former without text', 'a text');
    return { encoder_hidden_states: features };
  }
  if (!text) throw mustBe('text', 'given for a Q-Former with text', text);
  const ids = asRows(text.inputIds);
  const [batch] = features.dims;
  const mask = text.attentionMask ? asRows(text.attentionMask, 'attentionMask') : onesMask(batch, ids[0]?.length ?? 0);
  if (ids.length !== batch || mask.length !== batch || mask.some((row, at) => row.length !== ids[at]?.length))
    throw new Blip2Error('SHAPE_MISMATCH', 'inputIds and attentionMask must have one row per image, of equal lengths', {
      argument: 'text',
      expected: `${batch} rows`,
      got: `${ids.length} and ${mask.length}`,
    });
  const [ofQueries = []] = onesMask(1, numQueryTokens);
  return {
    encoder_hidden_states: features,
    ...textFeeds(config, ids),
    attention_bias: maskBias(mask.map((row) => [...ofQueries, ...row])),
  };
}

/** The trained tensors alone, checked by name and shape. */
function weightFeeds(trained: readonly RecordedWeight[], weights: NamedTensors): Record<string, Tensor> {
  const entries = trained.map(({ name, shape }): [string, Tensor] => {
    const tensor = Object.hasOwn(weights, name) ? weights[name] : undefined;
    if (!tensor) throw mustBe(`weights['${name}']`, `a float32 tensor [${shape.join(', ')}]`, tensor);
    if (tensor.dims.join() === shape.join()) return [name, tensor];
    throw new Blip2Error('SHAPE_MISMATCH', `weights['${name}'] has the wrong shape`, {
      argument: `weights['${name}']`,
      expected: `[${shape.join(', ')}]`,
      got: `[${tensor.dims.join(', ')}]`,
    });
  });
  return Object.fromEntries(entries);
}
