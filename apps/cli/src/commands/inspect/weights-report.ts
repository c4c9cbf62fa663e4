import type { StoredTensor } from '@blip2/interfaces';

import type { PartName, PartReport } from './checkpoint-report.ts';

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

/** Summarizes the floating-point tensors by component, in data-flow order. Integer buffers are not parameters. */
export function partReports(tensors: Iterable<StoredTensor>): PartReport[] {
  const byPart = groupByPart(tensors);
  return PART_ORDER.flatMap((part) => {
    const own = byPart.get(part);
    if (!own) return [];
    const parameters = own.reduce((sum, tensor) => sum + elementsOf(tensor), 0);
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

function groupByPart(tensors: Iterable<StoredTensor>): Map<PartName, StoredTensor[]> {
  const groups = new Map<PartName, StoredTensor[]>();
  for (const tensor of tensors) {
    if (!isParameter(tensor)) continue;
    const part = PREFIXES.find(([prefix]) => tensor.name.startsWith(prefix))?.[1] ?? 'other';
    const group = groups.get(part);
    if (group) group.push(tensor);
    else groups.set(part, [tensor]);
  }
  return groups;
}

function isParameter({ dtype }: StoredTensor): boolean {
  return FLOAT_TYPES.has(dtype);
}

function elementsOf({ shape }: StoredTensor): number {
  return shape.reduce((product, length) => product * length, 1);
}
