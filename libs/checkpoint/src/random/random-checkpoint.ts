import { CHUNK_BYTES } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import {
  createTemporaryWeights,
  type TemporaryOptions,
  type TemporaryWeights,
} from '../model-folder/temporary-weights.ts';
import type { TensorSource } from '../safetensors/tensor-source.ts';
import { sourceBytes } from '../safetensors/write-safetensors.ts';
import { fillNormal, randomState } from './random-normal.ts';

/** How a weight begins. */
export type Initializer =
  | { readonly kind: 'normal'; readonly std: number; readonly mean?: number }
  | { readonly kind: 'zeros' }
  | { readonly kind: 'ones' };

export interface RandomTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: Initializer;
}

export interface RandomCheckpointOptions extends TemporaryOptions {
  /** A whole number; the same one gives the same weights. Default 0. */
  readonly seed?: number;
}

/** A checkpoint in a temporary folder of its own. It is gone after `dispose`, or when the process exits. */
export type RandomCheckpoint = TemporaryWeights;

/**
 * One float32 tensor by its initializer. Each name has its own stream of random numbers, so neither order nor
 * neighbours matter.
 */
export function randomTensorSource({ name, shape, init }: RandomTensor, seed = 0): TensorSource {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'The seed is impossible', {
      expected: 'a whole number, at least 0',
      got: String(seed),
    });
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
 * Writes random float32 weights, streamed, into a temporary folder of their own and opens them. A folder for 15 GB must
 * lie on a disk with that much
 * space: some systems keep temporary files in memory. A process that is killed by a signal leaves the folder.
 *
 * Fails with `INVALID_ARGUMENT`, `WRITE_FAILED` or an `AbortError`; then nothing is left.
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
