import {
  Blip2Error,
  type Dims,
  type LanguageProjection,
  type QFormer,
  type Tensor,
  type TextConditionedQFormer,
  type VisionEncoder,
} from '@blip2/interfaces';

import { digest, pseudoRandom } from './pseudo-random.ts';

/** Options of `fakeVisionEncoder`. */
export interface FakeVisionEncoderOptions extends Pick<VisionEncoder, 'imageSize' | 'hiddenSize'> {
  /** Patches per image. */
  readonly patches: number;
}

/**
 * Creates a vision encoder without a model: its outputs are pseudo-random and depend on the pixels of the image only.
 */
export function fakeVisionEncoder({ imageSize, hiddenSize, patches }: FakeVisionEncoderOptions): VisionEncoder {
  const { guard, dispose } = disposable('vision encoder');
  return {
    imageSize,
    hiddenSize,
    encode: guard(async (pixelValues) => scramble(pixelValues, [imageSize, imageSize], patches, hiddenSize)),
    [Symbol.asyncDispose]: dispose,
  };
}

/** Options of `fakeQFormer` and `fakeTextConditionedQFormer`. */
export type FakeQFormerOptions = Pick<QFormer, 'numQueryTokens' | 'hiddenSize' | 'encoderHiddenSize'>;

/** Creates a Q-Former without a model, see `fakeVisionEncoder`. */
export function fakeQFormer({ numQueryTokens, hiddenSize, encoderHiddenSize }: FakeQFormerOptions): QFormer {
  const { guard, dispose } = disposable('Q-Former');
  return {
    conditioning: 'none',
    numQueryTokens,
    hiddenSize,
    encoderHiddenSize,
    query: guard(async (patches) => scramble(patches, [encoderHiddenSize], numQueryTokens, hiddenSize)),
    [Symbol.asyncDispose]: dispose,
  };
}

/** Creates a text-conditioned Q-Former without a model: its outputs depend on the patches and the unmasked ids. */
export function fakeTextConditionedQFormer({
  numQueryTokens,
  hiddenSize,
  encoderHiddenSize,
}: FakeQFormerOptions): TextConditionedQFormer {
  const { guard, dispose } = disposable('Q-Former');
  return {
    conditioning: 'text',
    numQueryTokens,
    hiddenSize,
    encoderHiddenSize,
    query: guard(async (patches, { inputIds, attentionMask }) => {
      const [batch] = patches.dims;
      if (inputIds.length !== batch)
        throw new Blip2Error('SHAPE_MISMATCH', {
          argument: 'inputIds',
          expected: `one row per image (${batch})`,
          got: String(inputIds.length),
        });
      const size = patches.data.length / batch;
      const words = inputIds.map((ids, row) =>
        pseudoRandom(digest(Float32Array.from(ids.filter((_, index) => attentionMask[row]?.[index]))), 0),
      );
      return scramble(
        { ...patches, data: patches.data.map((value, index) => value + (words[Math.floor(index / size)] ?? 0)) },
        [encoderHiddenSize],
        numQueryTokens,
        hiddenSize,
      );
    }),
    [Symbol.asyncDispose]: dispose,
  };
}

/** Options of `fakeLanguageProjection`. */
export type FakeLanguageProjectionOptions = Pick<LanguageProjection, 'inFeatures' | 'outFeatures'>;

/** Creates a projection without a model, see `fakeVisionEncoder`. */
export function fakeLanguageProjection({ inFeatures, outFeatures }: FakeLanguageProjectionOptions): LanguageProjection {
  const { guard, dispose } = disposable('language projection');
  return {
    inFeatures,
    outFeatures,
    project: guard(async (queries) => scramble(queries, [inFeatures], queries.dims[1], outFeatures)),
    [Symbol.asyncDispose]: dispose,
  };
}

interface Disposable {
  /** Wraps a function so that it rejects with `DISPOSED` after `dispose`. */
  guard<Arguments extends readonly unknown[], Result>(
    call: (...values: Arguments) => Promise<Result>,
  ): (...values: Arguments) => Promise<Result>;
  dispose(): Promise<void>;
}

function disposable(name: string): Disposable {
  let isDisposed = false;
  return {
    guard:
      (call) =>
      async (...values) => {
        if (isDisposed) throw new Blip2Error('DISPOSED', `This ${name} has been disposed of`);
        return call(...values);
      },
    async dispose() {
      isDisposed = true;
    },
  };
}

/**
 * Maps each entry of `input` to pseudo-random vectors `[vectors, width]`.
 * @throws Blip2Error `SHAPE_MISMATCH` unless the last dimensions are `lastDims`.
 */
function scramble(
  input: Tensor<'float32', Dims>,
  lastDims: Dims,
  vectors: number,
  width: number,
): Tensor<'float32', [number, number, number]> {
  const got = input.dims.slice(-lastDims.length);
  if (got.join() !== lastDims.join())
    throw new Blip2Error('SHAPE_MISMATCH', 'The input has the wrong dimensions', {
      expected: lastDims.join(' x '),
      got: got.join(' x '),
    });
  const batch = input.dims[0] ?? 0;
  const size = input.data.length / batch;
  const digests = Array.from({ length: batch }, (_, entry) =>
    digest(input.data.subarray(entry * size, (entry + 1) * size)),
  );
  const data = Float32Array.from({ length: batch * vectors * width }, (_, index) =>
    pseudoRandom(digests[Math.floor(index / (vectors * width))] ?? 0, index % (vectors * width)),
  );
  return { type: 'float32', dims: [batch, vectors, width], data };
}
