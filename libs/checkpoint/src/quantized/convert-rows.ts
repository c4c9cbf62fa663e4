import { closeSync, openSync, readSync, writeSync } from 'node:fs';

import { readFailure, writeFailure } from '@blip2/files';
import { Blip2Error, type Precision, type StoredType } from '@blip2/interfaces';

import { toFloat32 } from '../safetensors/float-conversion.ts';
import { ELEMENT_BYTES, isFloatType } from '../safetensors/stored-type.ts';
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
      return writeFully(target, weights, task.valuesOffset + task.begin * Float32Array.BYTES_PER_ELEMENT);
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
  const { name, dtype, inner, begin, factors } = task;
  if (!isFloatType(dtype))
    throw new Blip2Error('UNSUPPORTED_DTYPE', 'The type of a tensor is not floating point', {
      expected: 'F32, F16, BF16 or F64',
      got: dtype,
      where: name,
      fix: 'Use a checkpoint with floating-point weights',
    });
  const weights = task.transposed ? readColumns(task) : readFloats(task, begin * inner, (task.end - begin) * inner);
  if (factors) multiply(weights, factors, (begin * inner) % factors.length);
  return weights;
}

/** Rows `begin` to `end` of a matrix that is stored as `[inner, rows]`. */
function readColumns(task: ConversionTask): Float32Array {
  const { inner, rows, begin, end } = task;
  const count = end - begin;
  const weights = new Float32Array(count * inner);
  // Whole lines of the file are read, as many at a time as a task without transposition would read.
  const lines = Math.max(1, Math.floor((count * inner) / rows));
  for (let line = 0; line < inner; line += lines) {
    const many = Math.min(lines, inner - line);
    const values = readFloats(task, line * rows, many * rows);
    for (let at = 0; at < many; at++) {
      for (let row = 0; row < count; row++) weights[row * inner + line + at] = values[at * rows + begin + row] ?? 0;
    }
  }
  return weights;
}

/** `count` elements of the tensor in row-major order, from element `first` on. */
function readFloats({ file, dtype, sourceOffset }: ConversionTask, first: number, count: number): Float32Array {
  const weights = new Float32Array(count);
  if (!isFloatType(dtype)) return weights;
  const size = ELEMENT_BYTES[dtype];
  const bytes = dtype === 'F32' ? new Uint8Array(weights.buffer) : new Uint8Array(count * size);
  const source = openSource(file);
  try {
    const position = sourceOffset + first * size;
    for (let done = 0; done < bytes.byteLength;) {
      const read = readSome(source, bytes.subarray(done), position + done, file);
      if (read === 0)
        throw new Blip2Error('INVALID_CHECKPOINT', 'A weight file was truncated after it was opened', {
          where: file,
          fix: 'Download or copy the file again',
        });
      done += read;
    }
  } finally {
    closeSync(source);
  }
  if (dtype !== 'F32') toFloat32(bytes, dtype, weights);
  return weights;
}

/** Multiplies weights with repeated factors, starting at factor `start`. */
function multiply(weights: Float32Array, factors: Float32Array, start: number): void {
  let at = start;
  for (let i = 0; i < weights.length; i++) {
    weights[i] = (weights[i] ?? 0) * (factors[at] ?? 1);
    at = at + 1 === factors.length ? 0 : at + 1;
  }
}

function readSome(source: number, target: Uint8Array, position: number, file: string): number {
  try {
    return readSync(source, target, 0, target.byteLength, position);
  } catch (cause) {
    throw readFailure(cause, file);
  }
}

function openSource(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (cause) {
    throw new Blip2Error('MISSING_FILE', 'A weight file cannot be opened', {
      where: file,
      fix: 'Download or copy the file again, or check its permissions',
      cause,
    });
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
