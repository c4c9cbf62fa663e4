import type { StoredTensor } from '@blip2/interfaces';

import type { CheckpointReport, PartName, PartReport } from './checkpoint-report.ts';
import { byPrecision, type PrecisionSizes } from './precision-report.ts';

/** Name prefixes of each component in the Hugging Face layout. */
const PREFIXES: readonly (readonly [prefix: string, part: PartName])[] = [
  ['vision_model.', 'vision'],
  ['qformer.', 'qformer'],
  ['query_tokens', 'qformer'],
  ['language_projection.', 'projection'],
  ['language_model.', 'language'],
];
const PART_ORDER: readonly PartName[] = ['vision', 'qformer', 'projection', 'language', 'other'];
const FLOAT_TYPES: ReadonlySet<string> = new Set(['F64', 'F32', 'F16', 'BF16']);
/** Scales and tables that bitsandbytes stores next to a quantized weight. */
const QUANTIZATION_STATE =
  /\.(?:SCB|weight_format|weight\.(?:absmax|quant_map|nested_absmax|nested_quant_map|quant_state.*))$/;

/** A tensor of the model that a checkpoint should have. */
type Expected = Pick<StoredTensor, 'name' | 'shape'>;

/**
 * Summarizes the parameters by component, in data-flow order: tensors of the model in any type, and floating-point
 * tensors that it does not read. Integer buffers and the scales of quantized weights are not parameters.
 */
function partReports(tensors: Iterable<StoredTensor>, expected: readonly Expected[]): PartReport[] {
  const shapes = new Map(expected.map(({ name, shape }) => [name, shape]));
  const byPart = groupByPart(tensors, shapes);
  return PART_ORDER.flatMap((part) => {
    const own = byPart.get(part);
    if (!own) return [];
    // Packed integers have another shape than the parameters that they hold.
    const parameters = own.reduce(
      (sum, { name, dtype, shape }) => sum + elementsOf(FLOAT_TYPES.has(dtype) ? shape : (shapes.get(name) ?? shape)),
      0,
    );
    const bytes = own.reduce((sum, { byteLength }) => sum + byteLength, 0);
    return [
      { part, parameters, bytes, tensors: own.length, dtypes: [...new Set(own.map(({ dtype }) => dtype))].sort() },
    ];
  });
}

/** Bytes that are mapped in place: float32 tensors, which need no conversion. */
export function mappedBytes(tensors: Iterable<StoredTensor>): number {
  return [...tensors].filter(({ dtype }) => dtype === 'F32').reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Files, parameters and sizes of the tensors of a checkpoint; without `sizes`, as they are stored alone. */
export function weightsReport(
  tensors: readonly StoredTensor[],
  expected: readonly Expected[],
  files: number,
  sizes: PrecisionSizes | undefined,
): Partial<CheckpointReport> {
  const parts = partReports(tensors, expected);
  const sum = (key: 'parameters' | 'bytes'): number => parts.reduce((total, part) => total + part[key], 0);
  return {
    files,
    parameters: sum('parameters'),
    parts,
    ...(sizes && {
      bytes: { stored: sum('bytes'), ...byPrecision((precision) => sizes[precision].bytes) },
      precisions: sizes,
    }),
  };
}

function groupByPart(
  tensors: Iterable<StoredTensor>,
  expected: ReadonlyMap<string, unknown>,
): Map<PartName, StoredTensor[]> {
  const groups = new Map<PartName, StoredTensor[]>();
  for (const tensor of tensors) {
    if (!expected.has(tensor.name) && (!FLOAT_TYPES.has(tensor.dtype) || QUANTIZATION_STATE.test(tensor.name)))
      continue;
    const part = PREFIXES.find(([prefix]) => tensor.name.startsWith(prefix))?.[1] ?? 'other';
    const group = groups.get(part);
    if (group) group.push(tensor);
    else groups.set(part, [tensor]);
  }
  return groups;
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
