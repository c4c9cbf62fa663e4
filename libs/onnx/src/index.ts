export type { Attribute } from './attribute.ts';
export { buildGraph, type GraphPlan } from './build-graph.ts';
export { composeGraph, type Composition } from './compose-graph.ts';
export { type ConstantType, DATA_TYPE, type ElementType } from './element-type.ts';
export type { AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto } from './generated/onnx_pb.ts';
export { buildPullback, type PullbackPlan, type PullbackSignature } from './gradient/build-pullback.ts';
export { gradients, type Seed } from './gradient/gradients.ts';
export type { InputGradients, OwnPullback } from './gradient/own-pullback.ts';
export { withPullback } from './gradient/pullback.ts';
export { Graph, RUNTIME_DOMAIN } from './graph.ts';
export type { GraphInputs, GraphOutputs, WrittenModel } from './graph-types.ts';
export { layeredSpecs, layeredTensors, layeredValues, namedTensor } from './layered.ts';
export { decodeModel, encodeModel } from './model-proto.ts';
export { activation } from './nn/activation.ts';
export {
  attention,
  type AttentionInputs,
  type AttentionOptions,
  type AttentionOutputs,
  splitHeads,
} from './nn/attention.ts';
export { crossEntropy } from './nn/cross-entropy.ts';
export { embedding, type EmbeddingOptions } from './nn/embedding.ts';
export {
  type AttentionLayout,
  encoderBlock,
  type EncoderBlockLayout,
  type EncoderBlockOptions,
  type EncoderBlockOutput,
  encoderStack,
  type EncoderStackOutput,
} from './nn/encoder-block.ts';
export { feedForward, type FeedForwardLayout, type FeedForwardOptions } from './nn/feed-forward.ts';
export { layerNorm, type LayerNormOptions } from './nn/layer-norm.ts';
export { ADDED_BIAS, linear, type LinearOptions } from './nn/linear.ts';
export { MASKED } from './nn/masked.ts';
export { rmsNorm, type RmsNormOptions } from './nn/rms-norm.ts';
export { rotaryEmbedding, type RotaryHeads, type Rotations } from './nn/rotary-embedding.ts';
export type { NodeOptions, NodeValues, OutputSpec } from './node-options.ts';
export { assumeAxes } from './ops/assume-axes.ts';
export { cast } from './ops/cast.ts';
export { patchConv, type PatchConvOptions } from './ops/conv.ts';
export { add, binary, maximum, mul, runtimeUnary, scale, unary } from './ops/elementwise.ts';
export { firstPosition, gather } from './ops/gather.ts';
export { matMul, type MatMulOptions } from './ops/matmul.ts';
export { meanOf } from './ops/mean.ts';
export { reduce } from './ops/reduce.ts';
export { resizeBicubicLike } from './ops/resize.ts';
export { concat, expandBatch, reshape, slice, splitLast, transpose } from './ops/shape.ts';
export { softmax } from './ops/softmax.ts';
export { planWeights } from './plan/plan-weights.ts';
export { expectPrecision, type PartPrecisions, partPrecisions } from './plan/precision.ts';
export { type RecordedWeight, recordWeights } from './plan/record-weights.ts';
export { type SensitiveLayers, sensitivePrecision } from './plan/sensitive-layers.ts';
export { writeSection } from './section.ts';
export { DEFAULT_OPSET, expectOpset, MAX_OPSET, MIN_OPSET } from './standard/opsets.ts';
export { expectUsableWeight } from './usable-weight.ts';
export type { F32, Value } from './value.ts';
export {
  type QuantizedValue,
  storeFinder,
  trainedWeights,
  type WeightFinder,
  Weights,
  type WeightSource,
} from './weights.ts';
export {
  type GraphMessage,
  type GraphNode,
  type Initializer,
  type ModelMessage,
  type NodeAttribute,
  type ValueInfo,
  writeModel,
} from './write-model.ts';
