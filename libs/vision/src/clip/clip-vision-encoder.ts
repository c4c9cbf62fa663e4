import { type ConversionOptions, type SaveOptions } from '@blip2/checkpoint';
import { ClipVisionConfig, readConfig, writePartConfig } from '@blip2/config';
import { type ResolveOptions, resolveSource } from '@blip2/hub';
import { Blip2Error, type OutputsOf, type VisionEncoder } from '@blip2/interfaces';
import { layeredTensors, namedTensor } from '@blip2/onnx';
import {
  convertPartWeights,
  createRandomPartWeights,
  type InitializeTensor,
  openPartWeights,
  type PartWeights,
  type RandomWeightsOptions,
  savePartWeights,
} from '@blip2/part';
import { type LazySessions, lazySessions, type PartOptions } from '@blip2/runtime';

import type { VisionForwardInputs, VisionForwardOptions, VisionOutput } from '../blip2/blip2-vision-model.ts';
import { expectPixels } from '../expect-pixels.ts';
import { planEncoder } from '../plan-encoder.ts';
import {
  buildClipVisionModel,
  type ClipVisionRequest,
  type ClipVisionSignature,
  clipVisionTensors,
} from './clip-vision-graph.ts';

export interface ClipVisionOptions extends PartOptions {
  /**
   * Which of the states `encode` gives: 0 those before the first layer, `i` those after the `i`-th, negative ones
   * counted from the last. Default −1. Layers behind it never run.
   * BLIP-2's ViT-L/14 gives its second last states (arXiv 2301.12597, section 3.1): −2. There a norm that is trained
   * with the Q-Former comes after them.
   */
  readonly featureLayer?: number;
}

/** CLIP's image encoder without its projection: the seam, and the full forward of the reference's `CLIPVisionModel`. */
export interface ClipVisionEncoder extends VisionEncoder {
  readonly config: ClipVisionConfig;
  /**
   * All layers. `lastHiddenState` and the last of `hiddenStates` are before the final norm; `poolerOutput` is the class
   * position after it; the first of `hiddenStates` is after the norm of the embeddings.
   * @throws Blip2Error `SHAPE_MISMATCH` if the image has another size and positions are not interpolated.
   */
  forward(inputs: VisionForwardInputs, options?: VisionForwardOptions): Promise<VisionOutput>;
  /** Writes configuration and weights of the encoder alone in the hub layout. Streams. */
  savePretrained(folder: string, options?: SaveOptions): Promise<void>;
  dispose(): Promise<void>;
}

/** Where the encoder lies in the checkpoint, of a whole CLIP model and of the encoder alone. */
const PATH = 'vision_model';
/** The reference's class for the encoder alone. */
const ARCHITECTURE = 'CLIPVisionModel';

/** Puts an encoder together from its configuration and weights. Nothing is loaded before it is used. */
export function createClipVisionEncoder(
  config: ClipVisionConfig,
  weights: PartWeights,
  { featureLayer = -1, ...options }: ClipVisionOptions = {},
): ClipVisionEncoder {
  const featureLayers = layersBefore(featureLayer, config);
  const sessions = lazySessions('vision encoder', options);
  const dispose = async (): Promise<void> => {
    await sessions[Symbol.asyncDispose]();
    await weights[Symbol.asyncDispose]();
  };
  return {
    config,
    imageSize: config.imageSize,
    hiddenSize: config.hiddenSize,
    async encode(pixelValues, { interpolatePosEncoding = false } = {}) {
      const request = {
        layers: featureLayers,
        pooled: false,
        hiddenStates: false,
        attentions: false,
        interpolatePosEncoding,
      };
      return (await run(sessions, config, weights, { pixelValues }, request)).last_hidden_state;
    },
    forward: (inputs, forwardOptions = {}) => forward(sessions, config, weights, inputs, forwardOptions),
    async savePretrained(folder, saveOptions) {
      const dtype = await savePartWeights(folder, underPath(weights), saveOptions);
      await writePartConfig(folder, ClipVisionConfig.toJson(config), {
        modelType: config.modelType,
        architecture: ARCHITECTURE,
        dtype,
      });
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** The same weights as the encoder's own checkpoint names them: with the path of the whole model. */
function underPath({ store, original = store, prefix, ...weights }: PartWeights): PartWeights {
  const start = prefix === '' ? '' : `${prefix}.`;
  const own = [...original.tensors.values()]
    .filter(({ name }) => name.startsWith(start))
    .map((tensor) => ({ ...tensor, name: `${PATH}.${tensor.name.slice(start.length)}` }));
  return {
    ...weights,
    store: { ...original, tensors: new Map(own.map((tensor) => [tensor.name, tensor])) },
    prefix: '',
  };
}

/** How many layers run for these states. */
function layersBefore(featureLayer: number, { numHiddenLayers }: ClipVisionConfig): number {
  const layers = featureLayer < 0 ? numHiddenLayers + 1 + featureLayer : featureLayer;
  if (Number.isInteger(layers) && layers >= 0 && layers <= numHiddenLayers) return layers;
  throw new Blip2Error('INVALID_ARGUMENT', 'The encoder has no such states', {
    where: 'featureLayer',
    expected: `${-numHiddenLayers - 1} to ${numHiddenLayers}`,
    got: String(featureLayer),
  });
}

async function run(
  sessions: LazySessions,
  config: ClipVisionConfig,
  { store, prefix }: PartWeights,
  { pixelValues }: VisionForwardInputs,
  request: ClipVisionRequest,
): Promise<OutputsOf<ClipVisionSignature>> {
  expectPixels(pixelValues, { ...config, interpolatePosEncoding: request.interpolatePosEncoding });
  const session = await sessions.get(JSON.stringify(request), () =>
    buildClipVisionModel(config, store, prefix, request),
  );
  return session.run({ pixel_values: pixelValues });
}

async function forward(
  sessions: LazySessions,
  config: ClipVisionConfig,
  weights: PartWeights,
  inputs: VisionForwardInputs,
  { outputHiddenStates, outputAttentions, interpolatePosEncoding = false }: VisionForwardOptions,
): Promise<VisionOutput> {
  const layers = config.numHiddenLayers;
  const hiddenStates = outputHiddenStates ?? config.outputHiddenStates;
  const attentions = outputAttentions ?? config.outputAttentions;
  const outputs = await run(sessions, config, weights, inputs, {
    layers,
    pooled: true,
    hiddenStates,
    attentions,
    interpolatePosEncoding,
  });
  return {
    lastHiddenState: outputs.last_hidden_state,
    poolerOutput: namedTensor(outputs, 'pooler_output', 2),
    ...(hiddenStates && { hiddenStates: layeredTensors(outputs, 'hidden_states', layers + 1, 3) }),
    ...(attentions && { attentions: layeredTensors(outputs, 'attentions', layers, 4) }),
  };
}

/** The reference's `_init_weights` of CLIP: attention and feed-forward by width and depth, norms one, biases zero. */
function clipInitializer({
  hiddenSize,
  numHiddenLayers,
  initializerRange,
  initializerFactor: factor,
}: ClipVisionConfig): InitializeTensor {
  const width = hiddenSize ** -0.5;
  const deep = width * (2 * numHiddenLayers) ** -0.5;
  const deviations: readonly (readonly [ending: RegExp, std: number])[] = [
    [/class_embedding$/, width],
    [/out_proj\.weight$/, width],
    [/_proj\.weight$/, deep],
    [/fc1\.weight$/, (2 * hiddenSize) ** -0.5],
    [/fc2\.weight$/, deep],
  ];
  return (name) => {
    if (/norm[^.]*\.weight$/.test(name)) return { kind: 'ones' };
    if (name.endsWith('.bias')) return { kind: 'zeros' };
    return {
      kind: 'normal',
      std: factor * (deviations.find(([ending]) => ending.test(name))?.[1] ?? initializerRange),
    };
  };
}

async function fromPretrained(
  source: string,
  options: ClipVisionOptions & ResolveOptions & ConversionOptions = {},
): Promise<ClipVisionEncoder> {
  const folder = await resolveSource(source, options);
  const config = ClipVisionConfig.fromJson(await readConfig(folder), folder);
  return createClipVisionEncoder(
    config,
    await atPrecision(config, await openPartWeights(folder, PATH), options),
    options,
  );
}

function atPrecision(
  config: ClipVisionConfig,
  weights: PartWeights,
  options: PartOptions & ConversionOptions,
): Promise<PartWeights> {
  const request = {
    layers: config.numHiddenLayers,
    pooled: true,
    hiddenStates: false,
    attentions: false,
    interpolatePosEncoding: false,
  };
  const plan = planEncoder(
    weights.store,
    options.dtype,
    (finder) => void buildClipVisionModel(config, finder, weights.prefix, request),
  );
  return convertPartWeights(weights, plan, PATH, options);
}

async function fromConfig(
  config: ClipVisionConfig,
  options: RandomWeightsOptions & ClipVisionOptions = {},
): Promise<ClipVisionEncoder> {
  const { initializer = clipInitializer(config) } = options;
  const weights = await createRandomPartWeights(clipVisionTensors(config, ''), initializer, options);
  return createClipVisionEncoder(
    config,
    await atPrecision(config, weights, {
      ...(options.dtype && { dtype: options.dtype }),
      convertedDir: weights.store.folder,
    }),
    options,
  );
}

export const ClipVisionEncoder: {
  /** Loads the encoder from a folder in the Hugging Face layout, of a whole CLIP model or of the encoder alone. */
  readonly fromPretrained: typeof fromPretrained;
  /** An encoder with random weights, in a temporary file that goes away with it. */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
