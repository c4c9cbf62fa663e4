import { defined, type PlannedWeight, type StoredType } from '@blip2/interfaces';

import { ELEMENT_BYTES } from '../safetensors/stored-type.ts';
import { encodeHeader, sourceBytes, type TensorLayout } from '../safetensors/write-safetensors.ts';
import type { ConversionTask } from './convert-rows.ts';
import { blockLayout } from './quantize-rows.ts';
import { blockSizeFor, type Conversion, scalesName, valuesName } from './weight-plan.ts';

/** Plan of a converted file: length and header, size, and the tasks that write the tensors. */
export interface ConvertedLayout {
  readonly head: Uint8Array;
  readonly fileBytes: number;
  readonly tasks: readonly ConversionTask[];
}

/** Number of weights per task. A thread needs about five times as many bytes of memory. */
const WEIGHTS_PER_TASK = 2 ** 22;

/** Plans a file: places its tensors, wider elements first so that all are aligned, and splits the work into tasks. */
export function planFile(
  conversions: readonly Conversion[],
  metadata: Readonly<Record<string, string>>,
  file: string,
): ConvertedLayout {
  const tensors = plannedTensors(conversions);
  const head = encodeHeader(tensors, metadata, file);
  const offsets = new Map<string, number>();
  let offset = head.byteLength;
  for (const tensor of tensors) {
    offsets.set(tensor.name, offset);
    offset += sourceBytes(tensor);
  }
  const offsetOf = (name: string): number => offsets.get(name) ?? 0;
  return { head, fileBytes: offset, tasks: conversions.flatMap((conversion) => tasksOf(conversion, offsetOf)) };
}

/** The tensors of a converted file in their order. */
export function plannedTensors(plan: readonly PlannedWeight[]): TensorLayout[] {
  return plan.flatMap(outputTensors).toSorted((a, b) => ELEMENT_BYTES[b.dtype] - ELEMENT_BYTES[a.dtype]);
}

function outputTensors(conversion: PlannedWeight): TensorLayout[] {
  const { shape, precision } = conversion;
  const [out = 0, inner = 0] = shape;
  const tensor = (name: string, dtype: StoredType, dims: readonly number[]): TensorLayout => ({
    name,
    dtype,
    shape: dims,
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

/** The rows that a conversion consists of, and how many of them a task has. */
export function rowLayout({ shape, precision, changes }: Conversion): {
  readonly rows: number;
  readonly inner: number;
  readonly step: number;
} {
  const weights = shape.reduce((product, axis) => product * axis, 1);
  // A tensor that stays float32 is treated as one column, unless an adapter changes its rows.
  const [rows = 1] = precision === 'fp32' && !changes ? [weights] : shape;
  const inner = weights / rows;
  return { rows, inner, step: Math.max(1, Math.floor(WEIGHTS_PER_TASK / inner)) };
}

function tasksOf(conversion: Conversion, offsetOf: (name: string) => number): ConversionTask[] {
  const { name, source, precision, factors, prepared: changes, transposed } = conversion;
  const { rows, inner, step } = rowLayout(conversion);
  const common = {
    name,
    precision,
    inner,
    rows,
    file: source.file,
    dtype: source.dtype,
    sourceOffset: source.byteOffset,
    valuesOffset: offsetOf(valuesName(conversion)),
    scalesOffset: offsetOf(scalesName(conversion)),
    ...defined({ factors, transposed, changes }),
  };
  const tasks: ConversionTask[] = [];
  for (let begin = 0; begin < rows; begin += step) tasks.push({ ...common, begin, end: Math.min(begin + step, rows) });
  return tasks;
}
