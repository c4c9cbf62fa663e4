import { type ConversionOptions, type SaveOptions } from '@blip2/checkpoint';
import { Blip2VisionConfig, readConfig, writePartConfig } from '@blip2/config';
import { type ResolveOptions, resolveSource } from '@blip2/hub';
import type {
  Attentions,
  HiddenStates,
  PatchFeatures,
  PixelValues,
  PlannedWeight,
  PrecisionChoice,
  Session,
  Tensor,
  VisionEncoder,
} from '@blip2/interfaces';
import { layeredTensors } from '@blip2/onnx';
import {
  convertPartWeights,
  createRandomPartWeights,
  openPartWeights,
  overlayPartWeights,
  type PartWeights,
  type RandomWeightsOptions,
  savePartWeights,
  transformerInitializer,
} from '@blip2/part';
import { type LazySessions, lazySessions, type PartOptions } from '@blip2/runtime';

import { expectPixels } from '../expect-pixels.ts';
import { imagesPerRun, inBatches } from '../in-batches.ts';
import { planEncoder } from '../plan-encoder.ts';
import {
  buildVisionModel,
  NUM_CHANNELS,
  type VisionRequest,
  type VisionSignature,
  visionTensors,
} from './blip2-vision-graph.ts';

export interface VisionForwardInputs {
  /** `[batch, 3, height, width]`, normalised. */
  readonly pixelValues: PixelValues;
}

export interface VisionForwardOptions {
  readonly outputHiddenStates?: boolean;
  readonly outputAttentions?: boolean;
  /** Accept other sizes than `imageSize` by resizing the table of positions. Default false. */
  readonly interpolatePosEncoding?: boolean;
}

export interface VisionOutput {
  /** After the final norm, `[batch, 1 + patches, hidden]`, the class position first. */
  readonly lastHiddenState: PatchFeatures;
  /** The class position normed a second time, as the reference does, `[batch, hidden]`. */
  readonly poolerOutput: Tensor<'float32', [batch: number, hidden: number]>;
  /** Embeddings, then each layer's result; the last one is before the final norm. */
  readonly hiddenStates?: readonly HiddenStates[];
  /** Probabilities of each layer, `[batch, heads, 1 + patches, 1 + patches]`. */
  readonly attentions?: readonly Attentions[];
}

/** BLIP-2's image encoder: the seam, and the full forward of the reference's `Blip2VisionModel`. */
export interface Blip2VisionModel extends VisionEncoder {
  readonly config: Blip2VisionConfig;
  /** @throws Blip2Error `SHAPE_MISMATCH` if the image has another size and positions are not interpolated. */
  forward(inputs: VisionForwardInputs, options?: VisionForwardOptions): Promise<VisionOutput>;
  /** Writes configuration and weights of the encoder alone in the hub layout. Streams. */
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
  dispose(): Promise<void>;
}

/** Where the encoder lies in a whole model's checkpoint. */
const PATH = 'vision_model';
/** The reference's class for the encoder alone. */
const ARCHITECTURES: Readonly<Record<Blip2VisionConfig['modelType'], string>> = {
  blip_2_vision_model: 'Blip2VisionModel',
  instructblip_vision_model: 'InstructBlipVisionModel',
};

/** Puts an encoder together from its configuration and weights. Nothing is loaded before it is used. */
export function createBlip2VisionModel(
  config: Blip2VisionConfig,
  weights: PartWeights,
  options: PartOptions = {},
): Blip2VisionModel {
  const sessions = lazySessions('vision encoder', options);
  const run = (inputs: VisionForwardInputs, request: VisionRequest): Promise<VisionOutput> =>
    forward(sessions, config, weights, inputs, request);
  const dispose = async (): Promise<void> => {
    await sessions[Symbol.asyncDispose]();
    await weights[Symbol.asyncDispose]();
  };
  return {
    config,
    imageSize: config.imageSize,
    hiddenSize: config.hiddenSize,
    async encode(pixelValues, { interpolatePosEncoding = false } = {}) {
      const states = async (some: PixelValues): Promise<HiddenStates> =>
        (await run({ pixelValues: some }, { ...FINAL_STATES, interpolatePosEncoding })).lastHiddenState;
      return inBatches(pixelValues, imagesPerRun(weights.store, pixelValues, config.patchSize), states);
    },
    async prepare() {
      await openSession(sessions, config, weights, FINAL_STATES);
    },
    forward: (inputs, { outputHiddenStates, outputAttentions, interpolatePosEncoding = false } = {}) =>
      run(inputs, {
        hiddenStates: outputHiddenStates ?? config.outputHiddenStates,
        attentions: outputAttentions ?? config.outputAttentions,
        interpolatePosEncoding,
      }),
    async savePretrained(folder, saveOptions) {
      const dtype = await savePartWeights(folder, weights, saveOptions);
      await writePartConfig(folder, Blip2VisionConfig.toJson(config), {
        modelType: config.modelType,
        architecture: ARCHITECTURES[config.modelType],
        dtype,
      });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

function openSession(
  sessions: LazySessions,
  config: Blip2VisionConfig,
  { store, prefix }: PartWeights,
  request: VisionRequest,
): Promise<Session<VisionSignature>> {
  return sessions.get(JSON.stringify(request), () => buildVisionModel(config, store, prefix, request));
}

async function forward(
  sessions: LazySessions,
  config: Blip2VisionConfig,
  weights: PartWeights,
  { pixelValues }: VisionForwardInputs,
  request: VisionRequest,
): Promise<VisionOutput> {
  expectPixels(pixelValues, {
    ...config,
    numChannels: NUM_CHANNELS,
    interpolatePosEncoding: request.interpolatePosEncoding,
  });
  const session = await openSession(sessions, config, weights, request);
  const outputs = await session.run({ pixel_values: pixelValues });
  return {
    lastHiddenState: outputs.last_hidden_state,
    poolerOutput: outputs.pooler_output,
    ...(request.hiddenStates && {
      hiddenStates: layeredTensors(outputs, 'hidden_states', config.numHiddenLayers + 1, 3),
    }),
    ...(request.attentions && { attentions: layeredTensors(outputs, 'attentions', config.numHiddenLayers, 4) }),
  };
}

export interface LoadVisionOptions extends PartOptions, ResolveOptions, ConversionOptions {
  /**
   * Folder of a checkpoint whose final norm takes the place of the encoder's: LAVIS trains this norm, and nothing else
   * of the encoder, with the Q-Former.
   */
  readonly finalNorm?: string;
}

async function fromPretrained(source: string, options: LoadVisionOptions = {}): Promise<Blip2VisionModel> {
  const folder = await resolveSource(source, options);
  const config = Blip2VisionConfig.fromJson(await readConfig(folder), folder);
  return createBlip2VisionModel(
    config,
    await atPrecision(config, await openVisionWeights(folder, options.finalNorm), options),
    options,
  );
}

async function openVisionWeights(folder: string, finalNorm: string | undefined): Promise<PartWeights> {
  const weights = await openPartWeights(folder, PATH);
  return finalNorm === undefined
    ? weights
    : overlayPartWeights(weights, await openPartWeights(finalNorm, PATH), (name) => name.startsWith(FINAL_NORM));
}

const FINAL_NORM = 'post_layernorm.';
const FINAL_STATES: VisionRequest = { hiddenStates: false, attentions: false, interpolatePosEncoding: false };

function atPrecision(
  config: Blip2VisionConfig,
  weights: PartWeights,
  options: PartOptions & ConversionOptions,
): Promise<PartWeights> {
  return convertPartWeights(weights, planVision(config, weights, options.dtype), PATH, options);
}

/**
 * What an encoder's file of converted weights holds at a precision; nothing where the checkpoint is read as it lies.
 */
export function planVision(
  config: Blip2VisionConfig,
  { store, prefix }: Pick<PartWeights, 'store' | 'prefix'>,
  dtype?: PrecisionChoice,
): PlannedWeight[] | undefined {
  return planEncoder(store, dtype, (finder) => void buildVisionModel(config, finder, prefix, FINAL_STATES));
}

async function fromConfig(
  config: Blip2VisionConfig,
  options: RandomWeightsOptions & PartOptions = {},
): Promise<Blip2VisionModel> {
  const { initializer = transformerInitializer(config.initializerRange) } = options;
  const weights = await createRandomPartWeights(visionTensors(config, ''), initializer, options);
  return createBlip2VisionModel(
    config,
    await atPrecision(config, weights, {
      ...(options.dtype && { dtype: options.dtype }),
      convertedDir: weights.store.folder,
    }),
    options,
  );
}

export const Blip2VisionModel: {
  /**
   * Loads the encoder from a folder in the Hugging Face layout, of a whole BLIP-2 model or of the encoder alone. Other
   * precisions than `fp32` are made once, and kept.
   */
  readonly fromPretrained: typeof fromPretrained;
  /** An encoder with random weights, in a temporary file that goes away with it. */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
