import { writeSync } from 'node:fs';

import { writeFailure } from '@blip2/files';
import { Blip2Error, type Precision, type StoredType } from '@blip2/interfaces';

import { addChanges, type PreparedChange } from '../adapters/changed-rows.ts';
import { readFloats } from '../safetensors/read-floats.ts';
import { ELEMENT_BYTES } from '../safetensors/stored-type.ts';
import { blockLayout, quantizeBlocks, quantizeColumns } from './quantize-rows.ts';
import { blockSizeFor } from './weight-plan.ts';

/** A range of rows of one tensor to convert. Plain data, so that it can be sent to a worker. */
export interface ConversionTask {
  readonly name: string;
  readonly precision: Precision;
  readonly file: string;
  readonly dtype: StoredType;
  /** Byte offset of the tensor in `file`. */
  readonly sourceOffset: number;
  /** Byte offset of the values of the whole tensor in the target. */
  readonly valuesOffset: number;
  /** Byte offset of the scales of the whole tensor in the target. */
  readonly scalesOffset: number;
  /** Number of rows of the tensor. */
  readonly rows: number;
  /** Length of a row. */
  readonly inner: number;
  /** First row of the range. */
  readonly begin: number;
  /** End of the range, exclusive. */
  readonly end: number;
  /** Whether the source is stored as `[inner, rows]`. */
  readonly transposed?: true;
  /** Factors of the weights, repeated over the tensor in row-major order. */
  readonly factors?: Float32Array;
  /** Changes of adapters, which are made before the factors apply. */
  readonly changes?: readonly PreparedChange[];
}

/** Number of bytes that a task reads. */
export function taskBytes({ begin, end, inner, dtype }: ConversionTask): number {
  return (end - begin) * inner * ELEMENT_BYTES[dtype];
}

/**
 * Reads, converts and writes the rows of a task. `target` is the descriptor of an open file. Synchronous, for use in a
 * worker thread.
 * @throws Blip2Error `MISSING_FILE`, `INVALID_CHECKPOINT` for a truncated file or weights that are not finite,
 * `UNSUPPORTED_DTYPE`, `WRITE_FAILED`.
 */
export function convertRows(task: ConversionTask, target: number): void {
  const weights = readRows(task);
  switch (task.precision) {
    case 'fp32':
      return writeFully(target, weights, task.valuesOffset + task.begin * task.inner * Float32Array.BYTES_PER_ELEMENT);
    case 'int8':
      return convertColumns(task, weights, target);
    case 'q8':
    case 'q4':
      return convertBlocks(task, weights, target);
  }
}

function convertColumns(task: ConversionTask, weights: Float32Array, target: number): void {
  const count = task.end - task.begin;
  const values = new Int8Array(weights.length);
  const scales = new Float32Array(count);
  expectFinite(quantizeColumns(weights, count, values, scales), task);
  writeFully(target, scales, task.scalesOffset + task.begin * scales.BYTES_PER_ELEMENT);
  if (count === task.rows) return writeFully(target, values, task.valuesOffset);
  // The file stores the matrix transposed, so these rows are a strip of its columns.
  for (let column = 0; column < task.inner; column++) {
    writeFully(
      target,
      values.subarray(column * count, (column + 1) * count),
      task.valuesOffset + column * task.rows + task.begin,
    );
  }
}

function convertBlocks(task: ConversionTask, weights: Float32Array, target: number): void {
  const layout = blockLayout(task.precision === 'q4' ? 4 : 8, task.inner, blockSizeFor(task.inner));
  const count = task.end - task.begin;
  const rowBytes = layout.blocks * layout.bytesPerBlock;
  const values = new Uint8Array(count * rowBytes);
  const scales = new Float32Array(count * layout.blocks);
  expectFinite(quantizeBlocks(weights, count, layout, values, scales), task);
  writeFully(target, values, task.valuesOffset + task.begin * rowBytes);
  writeFully(target, scales, task.scalesOffset + task.begin * layout.blocks * scales.BYTES_PER_ELEMENT);
}

function expectFinite(finite: boolean, { name, file }: ConversionTask): void {
  if (!finite)
    throw new Blip2Error('INVALID_CHECKPOINT', 'A weight is not a finite number and cannot be quantized', {
      where: `${name} in ${file}`,
      fix: 'Use dtype fp32, or other weights',
    });
}

function readRows(task: ConversionTask): Float32Array {
  const { begin, end, rows, inner, factors, changes, transposed = false } = task;
  const weights = baseRows(task);
  if (changes) addChanges(weights, changes, { rows, inner, begin, end, transposed });
  if (factors) multiply(weights, factors, (begin * inner) % factors.length);
  return weights;
}

/**
 * The rows of a task as they are stored, in float32.
 * @throws Blip2Error the codes of `readFloats`.
 */
export function baseRows(task: Omit<ConversionTask, 'precision' | 'valuesOffset' | 'scalesOffset'>): Float32Array {
  const { inner, begin, end } = task;
  return task.transposed ? readColumns(task) : readElements(task, begin * inner, (end - begin) * inner);
}

type SourceRows = Parameters<typeof baseRows>[0];

/** Rows `begin` to `end` of a matrix that is stored as `[inner, rows]`. */
function readColumns(task: SourceRows): Float32Array {
  const { inner, rows, begin, end } = task;
  const count = end - begin;
  const weights = new Float32Array(count * inner);
  // Whole lines of the file are read, as many at a time as a task without transposition would read.
  const lines = Math.max(1, Math.floor((count * inner) / rows));
  for (let line = 0; line < inner; line += lines) {
    const many = Math.min(lines, inner - line);
    const values = readElements(task, line * rows, many * rows);
    for (let at = 0; at < many; at++) {
      for (let row = 0; row < count; row++) weights[row * inner + line + at] = values[at * rows + begin + row] ?? 0;
    }
  }
  return weights;
}

function readElements({ name, file, dtype, sourceOffset }: SourceRows, first: number, count: number): Float32Array {
  return readFloats({ name, file, dtype, byteOffset: sourceOffset }, { first, count });
}

/** Multiplies weights with repeated factors, starting at factor `start`. */
function multiply(weights: Float32Array, factors: Float32Array, start: number): void {
  let at = start;
  for (let i = 0; i < weights.length; i++) {
    weights[i] = (weights[i] ?? 0) * (factors[at] ?? 1);
    at = at + 1 === factors.length ? 0 : at + 1;
  }
}

function writeFully(target: number, { buffer, byteOffset, byteLength }: ArrayBufferView, position: number): void {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  try {
    for (let done = 0; done < byteLength;) done += writeSync(target, bytes, done, byteLength - done, position + done);
  } catch (cause) {
    throw writeFailure('converted weights', cause);
  }
}
