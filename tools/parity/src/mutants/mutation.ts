import type { Tensor } from '@blip2/interfaces';
import type { ModelProto } from '@blip2/onnx';

import type { EntryCall } from '../entry-kind.ts';

/** A checkpoint's `config.json`, to be changed in place. */
export type MutableConfig = Record<string, Record<string, unknown> | undefined>;
/** A checkpoint's tensors by name, widened to float32, to be changed in place. */
export type MutableTensors = Map<string, Tensor<'float32'>>;
/** The inputs of one run of a session, to be changed in place. */
export type Feed = ReadonlyMap<string, Tensor>;

/** A deliberate mistake, made from outside: model code has no flag for it. */
export interface Mutation {
  /** Describes the mistake. */
  readonly name: string;
  /** The case whose entries must fail. */
  readonly case: string;
  /** Entry kinds that it can affect. Others are not run and count as passed. */
  readonly reaches: readonly string[];
  /** Changes the configuration of a copy of the checkpoint. */
  readonly config?: (config: MutableConfig) => void;
  readonly tensors?: (tensors: MutableTensors) => void;
  /** The dtype of the copy. */
  readonly storedAs?: 'float16' | 'bfloat16';
  /** Changes a graph. `graphName` identifies it. */
  readonly graph?: (model: ModelProto, graphName: string) => void;
  /** Creates a function that changes the inputs of each run. It may have state. */
  readonly feed?: () => (feed: Feed, graphName: string) => void;
  /** Changes the call of an entry. */
  readonly call?: (call: EntryCall, kind: string) => EntryCall;
  /** Changes the result of a call. */
  readonly result?: (result: Map<string, unknown>, call: EntryCall, kind: string) => Promise<void> | void;
}

/** Entry kinds by the part that they use. */
export const IMAGE_KINDS: readonly string[] = ['decode_image', 'image_processor', 'processor'];
const WHOLE_KINDS: readonly string[] = ['forward', 'generate', 'sampling_scores', 'sequence_logprobs'];
export const LANGUAGE_KINDS: readonly string[] = [
  ...WHOLE_KINDS,
  'get_text_features',
  'language_model_forward',
  'language_model_generate',
];
export const PROJECTION_KINDS: readonly string[] = [...WHOLE_KINDS, 'language_projection'];
export const QFORMER_KINDS: readonly string[] = [...WHOLE_KINDS, 'qformer_forward', 'get_qformer_features'];
export const VISION_KINDS: readonly string[] = [
  ...WHOLE_KINDS,
  'vision_forward',
  'get_image_features',
  'get_qformer_features',
];
export const MODEL_KINDS: readonly string[] = [
  ...new Set([...VISION_KINDS, ...QFORMER_KINDS, ...PROJECTION_KINDS, ...LANGUAGE_KINDS]),
];
export const GENERATION_KINDS: readonly string[] = ['generate', 'language_model_generate', 'sampling_scores'];
