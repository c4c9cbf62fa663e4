import {
  type Attentions,
  expectInputs,
  expectTensor,
  type HiddenStates,
  type OutputsOf,
  type PatchFeatures,
  type PixelValues,
  type Session,
  type Tensor,
  type VisionEncoder,
  type WeightStore,
} from '@blip2/interfaces';
import { layeredTensors, namedTensor, type WrittenModel } from '@blip2/onnx';
import { expectForwardOptions, type ExportedGraph, type PartContext, type PartWeights, sessionKey } from '@blip2/part';
import type { LazySessions } from '@blip2/runtime';

import { encodeInBatches, imagesPerRun } from './encode-in-batches.ts';
import { expectPixelValues } from './expect-pixel-values.ts';
import { FINAL_STATES, type VisionRequest } from './vision-request.ts';
import type { EncoderSignature, EncoderSizes } from './vision-signature.ts';

export interface VisionForwardInputs {
  /** `[batch, channels, height, width]`, normalized. */
  readonly pixelValues: PixelValues;
}

export interface VisionForwardOptions {
  readonly outputHiddenStates?: boolean;
  readonly outputAttentions?: boolean;
  /** Accept images of other sizes than `imageSize` by interpolating the position embeddings. Default false. */
  readonly interpolatePosEncoding?: boolean;
}

/** The outputs of an encoder without a pooler. */
export interface VisionStates {
  /** `[batch, positions, hidden]`, the class position first if there is one. */
  readonly lastHiddenState: PatchFeatures;
  /** Embeddings, then the output of each layer, before any final norm. */
  readonly hiddenStates?: readonly HiddenStates[];
  /** Attention probabilities of each layer, `[batch, heads, positions, positions]`. */
  readonly attentions?: readonly Attentions[];
}

export interface VisionOutput extends VisionStates {
  /** What the pooler computes from the final hidden states, `[batch, hidden]`. */
  readonly poolerOutput: Tensor<'float32', readonly [batch: number, hidden: number]>;
}

/** The outputs of an encoder whose checkpoint may lack the pooler. */
export type OptionallyPooledOutput = VisionStates & Partial<Pick<VisionOutput, 'poolerOutput'>>;

/** The outputs of an encoder's graph. */
export type VisionOutputs = OutputsOf<EncoderSignature>;

/** What an encoder architecture supplies: its sizes and its graph. Everything else is the same for all. */
export interface VisionArchitecture<R, Output extends VisionStates = VisionOutput> {
  readonly sizes: EncoderSizes;
  /** Number of layers of `forward`. */
  readonly layers: number;
  /** Whether images of other sizes are accepted without being asked for. Default false. */
  readonly acceptsAnySize?: boolean | undefined;
  readonly outputDefaults: { readonly outputHiddenStates: boolean; readonly outputAttentions: boolean };
  /** The request of `encode`, whose final hidden states alone are used. */
  encodeRequest(common: VisionRequest): R;
  /** The request of `forward`. */
  forwardRequest(common: VisionRequest): R;
  build(request: R, store: WeightStore): WrittenModel<EncoderSignature>;
  /** The outputs of `forward`: `states`, and what this architecture adds (`withPoolerOutput`). */
  readOutputs(states: VisionStates, outputs: VisionOutputs): Output;
}

/** Adds the output `pooler_output` of the graph. */
export function withPoolerOutput(states: VisionStates, outputs: VisionOutputs): VisionOutput {
  return { ...states, poolerOutput: namedTensor(outputs, 'pooler_output', 2) };
}

/** Adds the output `pooler_output` if the graph has it. */
export function withOptionalPooler(states: VisionStates, outputs: VisionOutputs): OptionallyPooledOutput {
  return 'pooler_output' in outputs ? withPoolerOutput(states, outputs) : states;
}

/** What an encoder has in addition to its architecture. */
export interface EncoderMembers<Output extends VisionStates> extends Pick<
  VisionEncoder,
  'imageSize' | 'hiddenSize' | 'encode' | 'acceptsAnySize'
> {
  forward(inputs: VisionForwardInputs, options?: VisionForwardOptions): Promise<Output>;
}

/** A processor returns the others together with the images. */
const VISION_INPUTS: readonly string[] = [
  'pixelValues',
  'inputIds',
  'attentionMask',
  'qformerInputIds',
  'qformerAttentionMask',
];
const ENCODE_OPTIONS = ['interpolatePosEncoding'] as const;
const FORWARD_OPTIONS = ['outputHiddenStates', 'outputAttentions', ...ENCODE_OPTIONS] as const;

/** The request of an encoder's graph. */
export type EncoderRequest = { readonly [K in keyof VisionRequest]: boolean } & {
  readonly layers?: number;
  readonly pooled?: boolean;
};

/** `encode` in batches, and `forward` with all requested outputs. */
function createVisionEncoder<R extends EncoderRequest, Output extends VisionStates>(
  architecture: VisionArchitecture<R, Output>,
  { store }: PartWeights,
  sessions: LazySessions,
): EncoderMembers<Output> {
  const { sizes, layers, outputDefaults, acceptsAnySize = false } = architecture;
  const isInterpolated = ({ dims }: PixelValues, { interpolatePosEncoding = false }: VisionForwardOptions): boolean =>
    interpolatePosEncoding || (acceptsAnySize && dims.slice(2).some((side) => side !== sizes.imageSize));
  const run = async (pixelValues: PixelValues, request: R): Promise<VisionOutputs> => {
    expectPixelValues(pixelValues, sizes, request.interpolatePosEncoding);
    return (await openEncoder(architecture, store, sessions, request)).run({ pixel_values: pixelValues });
  };
  return {
    imageSize: sizes.imageSize,
    hiddenSize: sizes.hiddenSize,
    ...(acceptsAnySize && { acceptsAnySize }),
    async encode(pixelValues, options = {}) {
      expectForwardOptions('encode of the vision encoder', options, ENCODE_OPTIONS);
      expectTensor('pixelValues', pixelValues, ['batch', 'channels', 'height', 'width']);
      const interpolatePosEncoding = isInterpolated(pixelValues, options);
      expectPixelValues(pixelValues, sizes, interpolatePosEncoding);
      const request = architecture.encodeRequest({ ...FINAL_STATES, interpolatePosEncoding });
      return encodeInBatches(
        pixelValues,
        imagesPerRun(store, pixelValues, sizes.patchSize),
        async (batch) => (await run(batch, request)).last_hidden_state,
      );
    },
    async forward(inputs, options = {}) {
      expectInputs('forward of the vision encoder', inputs, VISION_INPUTS);
      const { pixelValues } = inputs;
      expectForwardOptions('forward of the vision encoder', options, FORWARD_OPTIONS);
      expectTensor('pixelValues', pixelValues, ['batch', 'channels', 'height', 'width']);
      const interpolatePosEncoding = isInterpolated(pixelValues, options);
      const hiddenStates = options.outputHiddenStates ?? outputDefaults.outputHiddenStates;
      const attentions = options.outputAttentions ?? outputDefaults.outputAttentions;
      const request = architecture.forwardRequest({ hiddenStates, attentions, interpolatePosEncoding });
      const outputs = await run(pixelValues, request);
      const states: VisionStates = {
        lastHiddenState: outputs.last_hidden_state,
        ...(hiddenStates && { hiddenStates: layeredTensors(outputs, 'hidden_states', layers + 1, 3) }),
        ...(attentions && { attentions: layeredTensors(outputs, 'attentions', layers, 4) }),
      };
      return architecture.readOutputs(states, outputs);
    },
  };
}

/** How a part creates an encoder, and creates the session of `encode` before its first use. */
export interface EncoderLifecycle<C, O extends object, Output extends VisionStates> {
  create(context: PartContext<C, PartWeights, O>): EncoderMembers<Output>;
  prepare(context: PartContext<C, PartWeights, O>): Promise<void>;
  exportGraphs(context: PartContext<C, PartWeights, O>): readonly ExportedGraph[];
}

/** The lifecycle of encoders of an architecture. */
export function encoderLifecycle<C, O extends object, R extends EncoderRequest, Output extends VisionStates>(
  architectureOf: (context: PartContext<C, PartWeights, O>) => VisionArchitecture<R, Output>,
): EncoderLifecycle<C, O, Output> {
  return {
    create: (context) => createVisionEncoder(architectureOf(context), context.weights, context.sessions),
    async prepare(context) {
      const architecture = architectureOf(context);
      const { weights, sessions } = context;
      await openEncoder(architecture, weights.store, sessions, architecture.encodeRequest(FINAL_STATES));
    },
    exportGraphs(context) {
      const architecture = architectureOf(context);
      const { acceptsAnySize: interpolatePosEncoding = false } = architecture;
      const request = architecture.encodeRequest({ ...FINAL_STATES, interpolatePosEncoding });
      const model = architecture.build(request, context.weights.store);
      return [{ name: 'vision_model', model }];
    },
  };
}

function openEncoder<R extends EncoderRequest, Output extends VisionStates>(
  architecture: VisionArchitecture<R, Output>,
  store: WeightStore,
  sessions: LazySessions,
  request: R,
): Promise<Session<EncoderSignature>> {
  return sessions.get(sessionKey('encoder', { ...request }), () => architecture.build(request, store));
}
