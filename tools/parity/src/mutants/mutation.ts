import type { Tensor } from '@blip2/interfaces';
import type { ModelProto } from '@blip2/onnx';

import type { EntryCall } from '../entry-kind.ts';

/** A checkpoint's `config.json`, to be changed in place. */
export type MutableConfig = Record<string, Record<string, unknown> | undefined>;
/** A checkpoint's tensors by name, widened to float32, to be changed in place. */
export type MutableTensors = Map<string, Tensor<'float32'>>;
/** What goes into one run of a session, to be changed in place. */
export type Feed = ReadonlyMap<string, Tensor>;

/** One mistake, made on purpose from outside: model code has no flag for any of them. */
export interface Mutation {
  /** The mistake, in the words of the table that the format's description has. */
  readonly name: string;
  /** The case whose entries must notice it. */
  readonly case: string;
  /** Kinds of entry that it can reach. The others are not run and count as unchanged. */
  readonly reaches: readonly string[];
  /** Changes in a copy of the checkpoint. */
  readonly config?: (config: MutableConfig) => void;
  readonly tensors?: (tensors: MutableTensors) => void;
  /** The type in which the copy is stored. */
  readonly storedAs?: 'float16' | 'bfloat16';
  /** Changes a written graph; `graphName` says which. */
  readonly graph?: (model: ModelProto, graphName: string) => void;
  /** Makes a function that changes what goes into each run; it may remember what it saw. */
  readonly feed?: () => (feed: Feed, graphName: string) => void;
  /** Changes the call that an entry makes. */
  readonly call?: (call: EntryCall, kind: string) => EntryCall;
  /** Changes what a call gave back. */
  readonly result?: (result: Map<string, unknown>, call: EntryCall, kind: string) => Promise<void> | void;
}

/** Kinds by what they run through. */
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
