import type { StoredType } from '@blip2/interfaces';

import { ELEMENT_BYTES } from '../safetensors/stored-type.ts';
import { encodeHeader, sourceBytes, type TensorLayout } from '../safetensors/write-safetensors.ts';
import type { ConversionTask } from './convert-rows.ts';
import { blockLayout } from './quantize-rows.ts';
import { blockSizeFor, type Conversion, scalesName, valuesName } from './weight-plan.ts';

/** A converted file before it is written: its first bytes, its size, and the work that fills the rest. */
export interface ConvertedLayout {
  readonly head: Uint8Array;
  readonly fileBytes: number;
  readonly tasks: readonly ConversionTask[];
}

/** Weights that are converted at a time: what a thread holds in memory is some five times as many bytes. */
const WEIGHTS_PER_TASK = 2 ** 22;

/** Places the tensors of a file, wider elements first so that all are aligned, and cuts the work into tasks. */
export function planFile(
  conversions: readonly Conversion[],
  metadata: Readonly<Record<string, string>>,
  file: string,
): ConvertedLayout {
  const tensors = conversions
    .flatMap(outputTensors)
    .toSorted((a, b) => ELEMENT_BYTES[b.dtype] - ELEMENT_BYTES[a.dtype]);
  const head = encodeHeader(tensors, metadata, file);
  const offsets = new Map<string, number>();
  let offset = head.byteLength;
  for (const tensor of tensors) {
    offsets.set(tensor.name, offset);
    offset += sourceBytes(tensor);
  }
  const placed = (name: string): number => offsets.get(name) ?? 0;
  return { head, fileBytes: offset, tasks: conversions.flatMap((conversion) => tasksOf(conversion, placed)) };
}

function outputTensors(conversion: Conversion): TensorLayout[] {
  const { shape, precision } = conversion;
  const [out = 0, inner = 0] = shape;
  const tensor = (name: string, dtype: StoredType, own: readonly number[]): TensorLayout => ({
    name,
    dtype,
    shape: own,
  });
  if (precision === 'fp32') return [tensor(valuesName(conversion), 'F32', shape)];
  if (precision === 'int8')
    return [tensor(valuesName(conversion), 'I8', [inner, out]), tensor(scalesName(conversion), 'F32', [out])];
  const { blocks, bytesPerBlock } = blockLayout(precision === 'q4' ? 4 : 8, inner, blockSizeFor(inner));
  return [
    tensor(valuesName(conversion), 'U8', [out, blocks, bytesPerBlock]),
    tensor(scalesName(conversion), 'F32', [out, blocks]),
  ];
}

function tasksOf(conversion: Conversion, placed: (name: string) => number): ConversionTask[] {
  const { name, source, precision, shape, factors } = conversion;
  const weights = shape.reduce((product, axis) => product * axis, 1);
  // A tensor that stays a float is a column of numbers.
  const inner = precision === 'fp32' ? 1 : (shape[1] ?? 1);
  const rows = weights / inner;
  const step = Math.max(1, Math.floor(WEIGHTS_PER_TASK / inner));
  const common = {
    name,
    precision,
    inner,
    rows,
    file: source.file,
    dtype: source.dtype,
    sourceOffset: source.byteOffset,
    valuesOffset: placed(valuesName(conversion)),
    scalesOffset: placed(scalesName(conversion)),
    ...(factors && { factors }),
  };
  const tasks: ConversionTask[] = [];
  for (let begin = 0; begin < rows; begin += step) tasks.push({ ...common, begin, end: Math.min(begin + step, rows) });
  return tasks;
}
