import { Blip2Error, f32, i64, type TensorSpec } from '@blip2/interfaces';
import { expectFileValue, expectFixedAxis, expectKnownInputs, type OnnxFile } from '@blip2/part';

import type { CacheSize } from '../decoding/key-value-cache.ts';

/** Names of keys and values: `past_key_values.0.key`, in encoder-decoder models `past_key_values.0.decoder.key`. */
export type CachePart = '' | 'decoder.' | 'encoder.';
export const KINDS = ['key', 'value'] as const;

export function pastName(layer: number, part: CachePart, kind: 'key' | 'value'): string {
  return `past_key_values.${layer}.${part}${kind}`;
}

export function presentName(layer: number, part: CachePart, kind: 'key' | 'value'): string {
  return `present.${layer}.${part}${kind}`;
}

/** Sizes of keys and values that a file may not state. */
export interface CacheOptions {
  readonly keyValueHeads?: number | undefined;
  readonly headSize?: number | undefined;
}

/** What a decoder in a file has as inputs. */
export interface DecoderLayout {
  readonly onnx: OnnxFile;
  readonly cache: CacheSize;
  /** `decoder.` in encoder-decoder models. */
  readonly own: CachePart;
  readonly has: (input: string) => boolean;
  readonly embeds: TensorSpec;
  readonly logits: TensorSpec;
}

const PAST = /^past_key_values\.\d+\.(?:decoder\.|encoder\.)?(?:key|value)$/;
/** Inputs of a decoder that are computed from the state of a decoding. */
const CAUSAL: readonly string[] = [
  'inputs_embeds',
  'attention_mask',
  'position_ids',
  'cache_position',
  'use_cache_branch',
  'num_logits_to_keep',
];
const SEQ2SEQ: readonly string[] = [
  'inputs_embeds',
  'encoder_hidden_states',
  'encoder_attention_mask',
  'cache_position',
  'use_cache_branch',
];
/** Types of those that are not float32. */
const TYPES: Readonly<Record<string, TensorSpec>> = {
  attention_mask: i64('batch', 'past+sequence'),
  position_ids: i64('batch', 'sequence'),
  cache_position: i64('sequence'),
  num_logits_to_keep: i64(),
  encoder_attention_mask: i64('batch', 'source'),
  use_cache_branch: { type: 'bool', axes: [1] },
  encoder_hidden_states: f32('batch', 'source', 'hidden'),
};

/**
 * The layout of a decoder in a file.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for inputs that cannot be given, missing keys and values, or outputs
 * that are missing, with their names; `INVALID_ARGUMENT` for a size that the file does not state.
 */
export function decoderLayout(onnx: OnnxFile, isSeq2Seq: boolean, options: CacheOptions): DecoderLayout {
  const { file, model } = onnx;
  const known = isSeq2Seq ? SEQ2SEQ : CAUSAL;
  expectEmbeddings(onnx);
  expectEncoder(onnx, isSeq2Seq);
  expectKnownInputs(
    onnx,
    (name) => known.includes(name) || PAST.test(name),
    `${known.join(', ')}, past_key_values.N.key, past_key_values.N.value`,
  );
  const has = (input: string): boolean => Object.hasOwn(model.signature.inputs, input);
  for (const [name, spec] of Object.entries(TYPES)) if (has(name)) expectFileValue(onnx, 'inputs', name, spec);
  if (!isSeq2Seq) expectFileValue(onnx, 'inputs', 'attention_mask', i64('batch', 'past+sequence'));
  else expectFileValue(onnx, 'inputs', 'encoder_hidden_states', f32('batch', 'source', 'hidden'));
  const own = isSeq2Seq ? 'decoder.' : '';
  const layers = expectLayers(onnx, isSeq2Seq ? ['decoder.', 'encoder.'] : ['']);
  const past = expectFileValue(onnx, 'inputs', pastName(0, own, 'key'), f32('batch', 'heads', 'past', 'headSize'));
  return {
    onnx,
    own,
    has,
    embeds: expectFileValue(onnx, 'inputs', 'inputs_embeds', f32('batch', 'sequence', 'hidden')),
    logits: expectFileValue(onnx, 'outputs', 'logits', f32('batch', 'sequence', 'vocabulary')),
    cache: {
      layers,
      heads: expectFixedAxis(file, past, 1, 'keyValueHeads', options.keyValueHeads),
      headSize: expectFixedAxis(file, past, 3, 'headSize', options.headSize),
    },
  };
}

/** Image features are embeddings: a decoder that takes ids cannot be given them. */
function expectEmbeddings({ file, model }: OnnxFile): void {
  const names = Object.keys(model.signature.inputs);
  if (names.includes('inputs_embeds') || !names.includes('input_ids')) return;
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The decoder takes token ids, not embeddings', {
    where: file,
    expected: 'inputs_embeds',
    got: 'input_ids',
    fix: 'Export the decoder and the token embedding apart, as for models with images',
  });
}

function expectEncoder({ file, model }: OnnxFile, isSeq2Seq: boolean): void {
  const needed = Object.hasOwn(model.signature.inputs, 'encoder_hidden_states');
  if (needed === isSeq2Seq) return;
  throw new Blip2Error('INVALID_ARGUMENT', {
    argument: 'encoder',
    where: file,
    expected: needed ? 'the file of the encoder, whose hidden states this decoder needs' : 'omitted for this decoder',
    got: needed ? 'nothing' : 'a file',
    fix: needed ? "Pass encoder: 'encoder_model.onnx'" : 'Omit encoder',
  });
}

/** The number of layers, whose keys and values must all be inputs and outputs. */
function expectLayers(onnx: OnnxFile, parts: readonly CachePart[]): number {
  const { inputs } = onnx.model.signature;
  const layers = new Set(Object.keys(inputs).flatMap((name) => /^past_key_values\.(\d+)\./.exec(name)?.[1] ?? []));
  if (layers.size === 0)
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The decoder has no keys and values of earlier positions', {
      where: onnx.file,
      expected: 'past_key_values.0.key, past_key_values.0.value, …',
      got: Object.keys(inputs).join(', '),
      fix: 'Export it with past key values (optimum: a task that ends in -with-past)',
    });
  const spec = f32('batch', 'heads', 'positions', 'headSize');
  for (let layer = 0; layer < layers.size; layer++)
    for (const part of parts)
      for (const kind of KINDS) {
        expectFileValue(onnx, 'inputs', pastName(layer, part, kind), spec);
        expectFileValue(onnx, 'outputs', presentName(layer, part, kind), spec);
      }
  return layers.size;
}
