import {
  Blip2Error,
  defined,
  expectKnownOptions,
  f32,
  mustBe,
  type PatchFeatures,
  type PixelValues,
  type Session,
  type Tensor,
  type TensorSpec,
  type VisionEncoder,
} from '@blip2/interfaces';
import {
  type DisposablePart,
  expectFileValue,
  expectFixedAxis,
  expectForwardOptions,
  expectKnownInputs,
  integerSetting,
  objectSetting,
  type OnnxFile,
  positiveOption,
  readOnnxFile,
  withFiniteOutputs,
} from '@blip2/part';
import { lazySessions, type PartOptions } from '@blip2/runtime';

import { encodeInBatches } from '../encode-in-batches.ts';
import { expectPixelValues } from '../expect-pixel-values.ts';

/** What a file may not state about itself. */
export interface OnnxVisionEncoderOptions extends Omit<PartOptions, 'dtype' | 'rows'> {
  /** The output to return, `[batch, positions, hidden]`. Default `last_hidden_state`. */
  readonly output?: string;
  /** Height and width of the images. Default: of the input in the file, else of `preprocessor_config.json`. */
  readonly imageSize?: number;
  /** Width of the output. Default: that in the file; if it states none, that of the output for a black image. */
  readonly hiddenSize?: number;
}

/** A vision encoder in a file. */
export interface OnnxVisionEncoder extends VisionEncoder, DisposablePart {
  prepare(): Promise<void>;
}

const LABEL = 'vision encoder';
const INPUT = 'pixel_values';
const OPTIONS: Readonly<Record<keyof OnnxVisionEncoderOptions, true>> = {
  output: true,
  imageSize: true,
  hiddenSize: true,
  createSession: true,
  threads: true,
  repeated: true,
  device: true,
};

/**
 * A vision encoder in an `.onnx` file as optimum and transformers.js write it: `pixel_values` → `last_hidden_state`.
 * Settings are read from the files next to it, or one folder up if it is in `onnx/`.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for other inputs or a missing output, with their names;
 * `INVALID_ARGUMENT` for a size that neither the file nor its settings state; the codes of `readOnnxFile`.
 */
export async function onnxVisionEncoder(
  file: string,
  options: OnnxVisionEncoderOptions = {},
): Promise<OnnxVisionEncoder> {
  expectKnownOptions('onnxVisionEncoder', options, Object.keys(OPTIONS));
  const { output = 'last_hidden_state', ...session } = options;
  if (typeof output !== 'string') throw mustBe('output', 'the name of an output', output);
  const onnx = await readOnnxFile(file);
  expectKnownInputs(onnx, (name) => name === INPUT, INPUT);
  const input = expectFileValue(onnx, 'inputs', INPUT, f32('batch', 'channels', 'height', 'width'));
  const result = expectFileValue(onnx, 'outputs', output, f32('batch', 'positions', 'hidden'));
  const known = await sizesOf(onnx, input, result, options);
  const sessions = lazySessions(LABEL, withFiniteOutputs(LABEL, defined(session)));
  const open = (): Promise<Session> => sessions.get('encoder', () => onnx.model);
  const [batch = 'batch', , height, width] = input.axes;
  const isFixed = typeof height === 'number' || typeof width === 'number';

  const dispose = async (): Promise<void> => {
    await sessions[Symbol.asyncDispose]();
  };
  const runWith = async (pixelValues: PixelValues, hiddenSize: number | undefined): Promise<PatchFeatures> => {
    const outputs = await (await open()).run({ [INPUT]: pixelValues });
    return expectFeatures(file, output, outputs[output], pixelValues.dims[0], hiddenSize);
  };
  const measured = async (): Promise<number> => {
    const images = typeof batch === 'number' ? batch : 1;
    return (await runWith(blackImages(images, known), undefined)).dims[2];
  };
  const hiddenSize =
    known.hiddenSize ??
    (await measured().catch(async (error: unknown) => {
      await dispose();
      throw error;
    }));
  const sizes = { ...known, hiddenSize };
  const run = (pixelValues: PixelValues): Promise<PatchFeatures> => runWith(pixelValues, hiddenSize);
  return {
    imageSize: sizes.imageSize,
    hiddenSize: sizes.hiddenSize,
    async encode(pixelValues, encodeOptions = {}) {
      expectForwardOptions('encode of the vision encoder', encodeOptions, ['interpolatePosEncoding']);
      const { interpolatePosEncoding = false } = encodeOptions;
      expectPixelValues(pixelValues, { ...sizes, patchSize: 1 }, interpolatePosEncoding && !isFixed);
      if (typeof batch === 'string') return run(pixelValues);
      if (pixelValues.dims[0] % batch !== 0)
        throw new Blip2Error('SHAPE_MISMATCH', 'The file has a fixed number of images', {
          argument: 'pixelValues',
          where: file,
          expected: `a multiple of ${batch}`,
          got: String(pixelValues.dims[0]),
        });
      return encodeInBatches(pixelValues, batch, run);
    },
    async prepare() {
      await open();
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function blackImages(count: number, { numChannels, imageSize }: Sizes): PixelValues {
  const dims = [count, numChannels, imageSize, imageSize] as const;
  return { type: 'float32', dims, data: new Float32Array(count * numChannels * imageSize ** 2) };
}

interface Sizes {
  readonly imageSize: number;
  /** Absent if the file does not state it. */
  readonly hiddenSize?: number;
  readonly numChannels: number;
}

async function sizesOf(
  { file, readSettings }: OnnxFile,
  input: TensorSpec,
  result: TensorSpec,
  options: OnnxVisionEncoderOptions,
): Promise<Sizes> {
  const [, channels, height, width] = input.axes;
  if (typeof height === 'number' && typeof width === 'number' && height !== width)
    throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The images of the file must be square', {
      where: file,
      expected: '[batch, channels, size, size]',
      got: `[${input.axes.join(', ')}]`,
    });
  const processor = await readSettings('preprocessor_config.json');
  const imageSize =
    positiveOption('imageSize', options.imageSize) ??
    (typeof height === 'number'
      ? height
      : integerSetting(
          [objectSetting(processor, 'crop_size'), objectSetting(processor, 'size'), processor],
          'height',
          'shortest_edge',
          'crop_size',
          'size',
        ));
  const hiddenSize = positiveOption('hiddenSize', options.hiddenSize);
  return {
    imageSize: expectFixedAxis(file, input, 2, 'imageSize', imageSize),
    numChannels: typeof channels === 'number' ? channels : 3,
    ...(hiddenSize !== undefined || typeof result.axes[2] === 'number'
      ? { hiddenSize: expectFixedAxis(file, result, 2, 'hiddenSize', hiddenSize) }
      : {}),
  };
}

function expectFeatures(
  file: string,
  name: string,
  value: Tensor | undefined,
  images: number,
  hiddenSize: number | undefined,
): PatchFeatures {
  const [rows, , hidden] = value?.dims ?? [];
  if (value?.type === 'float32' && value.dims.length === 3 && rows === images && hidden === (hiddenSize ?? hidden))
    return value as PatchFeatures;
  throw new Blip2Error('SHAPE_MISMATCH', 'The file must return one row of hidden states per image', {
    where: `${name} of ${file}`,
    expected: `float32 [${images}, positions, ${hiddenSize ?? 'hidden'}]`,
    got: value ? `${value.type} [${value.dims.join(', ')}]` : 'nothing',
  });
}
