import {
  type AttentionMask,
  Blip2Error,
  type Logits,
  type Session,
  type Tensor,
  type TokenEmbeddings,
} from '@blip2/interfaces';
import { rowsTensor } from '@blip2/runtime';

import { positionsOf } from '../causal/positions.ts';
import type { CachedStep, CachedStepOutput } from '../decoding/cached-stepper.ts';
import type { CacheTensor, NewRows } from '../decoding/key-value-cache.ts';
import { indexTensor, range } from '../language-inputs.ts';
import { type DecoderLayout, KINDS, pastName, presentName } from './decoder-layout.ts';

type Feeds = Record<string, Tensor>;

/** Runs a decoder in a file for new positions. `more` are the inputs that only encoder-decoder models have. */
export async function runDecoder<M>(
  layout: DecoderLayout,
  session: Session,
  { inputsEmbeds, attentionMask, cache, logitPositions }: CachedStep<M>,
  more: Readonly<Feeds> = {},
): Promise<CachedStepOutput & { readonly outputs: Readonly<Record<string, Tensor>> }> {
  const { cache: size, own, has } = layout;
  const past = cache.length;
  const feeds: Feeds = { inputs_embeds: inputsEmbeds, ...more };
  addOptional(feeds, has, inputsEmbeds, attentionMask, past);
  for (const layer of range(size.layers)) {
    feeds[pastName(layer, own, 'key')] = withoutUnused(cache.keys(layer), past);
    feeds[pastName(layer, own, 'value')] = withoutUnused(cache.values(layer), past);
  }
  const outputs = await session.run(feeds);
  const fresh = (kind: (typeof KINDS)[number]): NewRows[] =>
    range(size.layers).map((layer) => newRows(layout, outputs[presentName(layer, own, kind)], past, inputsEmbeds));
  return {
    logits: pickPositions(layout, outputs['logits'], inputsEmbeds, logitPositions),
    newKeys: fresh('key'),
    newValues: fresh('value'),
    outputs,
  };
}

function addOptional(
  feeds: Feeds,
  has: DecoderLayout['has'],
  { dims: [, sequence] }: TokenEmbeddings,
  mask: AttentionMask,
  past: number,
): void {
  if (has('attention_mask')) feeds['attention_mask'] = rowsTensor(mask, 'attentionMask');
  if (has('position_ids')) feeds['position_ids'] = rowsTensor(positionsOf(mask, sequence, 'decoding'), 'attentionMask');
  if (has('cache_position')) feeds['cache_position'] = indexTensor(range(sequence).map((index) => past + index));
  if (has('use_cache_branch'))
    feeds['use_cache_branch'] = { type: 'bool', dims: [1], data: Uint8Array.of(past > 0 ? 1 : 0) };
  // 0 stands for all positions.
  if (has('num_logits_to_keep')) feeds['num_logits_to_keep'] = { type: 'int64', dims: [], data: BigInt64Array.of(0n) };
}

/** The used slots of keys or values: files have no mask for unused ones. */
function withoutUnused({ dims: [rows, heads, capacity, headSize], data }: CacheTensor, length: number): CacheTensor {
  if (capacity === length) return { type: 'float32', dims: [rows, heads, capacity, headSize], data };
  const used = new Float32Array(rows * heads * length * headSize);
  for (let head = 0; head < rows * heads; head++) {
    const from = head * capacity * headSize;
    used.set(data.subarray(from, from + length * headSize), head * length * headSize);
  }
  return { type: 'float32', dims: [rows, heads, length, headSize], data: used };
}

/** The new positions of keys or values `[rows, heads, past + sequence, headSize]`, one row per position. */
function newRows(
  { onnx: { file }, cache: { heads, headSize } }: DecoderLayout,
  present: Tensor | undefined,
  past: number,
  { dims: [rows, sequence] }: TokenEmbeddings,
): NewRows {
  const total = past + sequence;
  const { data } = expectDims(file, 'present keys and values', present, [rows, heads, total, headSize]);
  const fresh = new Float32Array(rows * sequence * heads * headSize);
  for (let row = 0; row < rows; row++)
    for (let head = 0; head < heads; head++)
      for (let position = 0; position < sequence; position++) {
        const from = ((row * heads + head) * total + past + position) * headSize;
        fresh.set(data.subarray(from, from + headSize), ((row * sequence + position) * heads + head) * headSize);
      }
  return { type: 'float32', dims: [rows, sequence, heads * headSize], data: fresh };
}

function pickPositions(
  { onnx: { file } }: DecoderLayout,
  logits: Tensor | undefined,
  { dims: [rows, sequence] }: TokenEmbeddings,
  positions: readonly number[],
): Logits {
  const width = logits?.dims[2] ?? 0;
  const { data } = expectDims(file, 'logits', logits, [rows, sequence, width]);
  const picked = new Float32Array(rows * positions.length * width);
  for (let row = 0; row < rows; row++)
    positions.forEach((position, index) => {
      const from = (row * sequence + position) * width;
      picked.set(data.subarray(from, from + width), (row * positions.length + index) * width);
    });
  return { type: 'float32', dims: [rows, positions.length, width], data: picked };
}

/** @throws Blip2Error `SHAPE_MISMATCH` if a file returns a tensor of another shape. */
export function expectDims(
  file: string,
  name: string,
  tensor: Tensor | undefined,
  dims: readonly number[],
): Tensor<'float32'> {
  if (tensor?.type === 'float32' && tensor.dims.length === dims.length && tensor.dims.every((d, i) => d === dims[i]))
    return tensor as Tensor<'float32'>;
  throw new Blip2Error('SHAPE_MISMATCH', `The file returned ${name} of another shape`, {
    where: file,
    expected: `float32 [${dims.join(', ')}]`,
    got: tensor ? `${tensor.type} [${tensor.dims.join(', ')}]` : 'nothing',
  });
}
