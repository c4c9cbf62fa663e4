import { CHUNK_BYTES } from '@blip2/files';
import { mustBe } from '@blip2/interfaces';

import {
  createTemporaryWeights,
  type TemporaryOptions,
  type TemporaryWeights,
} from '../model-folder/temporary-weights.ts';
import type { TensorSource } from '../safetensors/tensor-source.ts';
import { sourceBytes } from '../safetensors/write-safetensors.ts';
import { fillNormal, randomState } from './random-normal.ts';

/** Distribution of the initial values of a tensor. */
export type Initializer =
  | { readonly kind: 'normal'; readonly std: number; readonly mean?: number }
  | { readonly kind: 'zeros' }
  | { readonly kind: 'ones' };

/** A tensor to initialize. */
export interface RandomTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: Initializer;
}

/** Options of `createRandomCheckpoint`. */
export interface RandomCheckpointOptions extends TemporaryOptions {
  /** Non-negative integer. The same seed gives the same weights. Default 0. */
  readonly seed?: number;
}

/** Random weights in a temporary folder, which is deleted by `dispose` or when the process exits. */
export type RandomCheckpoint = TemporaryWeights;

/**
 * A float32 tensor with initial values as a source. Each tensor name has a separate stream of random numbers, so values
 * do not depend on the order or number of tensors.
 * @throws Blip2Error `INVALID_ARGUMENT` for an invalid seed.
 */
export function randomTensorSource({ name, shape, init }: RandomTensor, seed = 0): TensorSource {
  if (!Number.isSafeInteger(seed) || seed < 0) throw mustBe('seed', 'a non-negative integer', seed);
  const source: TensorSource = {
    name,
    dtype: 'F32',
    shape,
    chunks: () => randomChunks(name, init, sourceBytes(source), seed),
  };
  return source;
}

function* randomChunks(
  name: string,
  init: Initializer,
  bytes: number,
  seed: number,
): Generator<Uint8Array, void, undefined> {
  const buffer = new Float32Array(Math.min(CHUNK_BYTES, bytes) / Float32Array.BYTES_PER_ELEMENT);
  const state = randomState(seed, name);
  if (init.kind !== 'normal') buffer.fill(init.kind === 'ones' ? 1 : 0);
  for (let done = 0; done < bytes;) {
    const piece = buffer.subarray(0, Math.min(buffer.byteLength, bytes - done) / Float32Array.BYTES_PER_ELEMENT);
    if (init.kind === 'normal') fillNormal(piece, state, init.std, init.mean ?? 0);
    yield new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength);
    done += piece.byteLength;
  }
}

/**
 * Writes random float32 weights to a new temporary folder and opens them. The disk of `folder` must have room for all
 * weights: some systems keep temporary files in memory. The folder of a process that was killed is deleted by the
 * next one. On failure nothing is left.
 * @throws Blip2Error `INVALID_ARGUMENT`, `WRITE_FAILED`; the signal's reason.
 */
export async function createRandomCheckpoint(
  specs: Iterable<RandomTensor>,
  options: RandomCheckpointOptions = {},
): Promise<RandomCheckpoint> {
  const { seed = 0, ...temporary } = options;
  return createTemporaryWeights(
    'random',
    [...specs].map((spec) => randomTensorSource(spec, seed)),
    temporary,
  );
}
