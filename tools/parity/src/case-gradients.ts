import { type ModelWeights, openModelWeights, readTensor } from '@blip2/checkpoint';
import { Blip2Config, Blip2QFormerConfig, ClipVisionConfig, readConfig } from '@blip2/config';
import { Blip2Error, type SessionFactory, type Tensor } from '@blip2/interfaces';
import { buildPullback, trainedWeights, type WeightSource, type WrittenModel } from '@blip2/onnx';
import {
  BRIDGE_PARTS,
  buildMatchingHead,
  buildRetrievalProjection,
  createTrainableBridge,
  type NamedTensors,
  type TrainableBridge,
} from '@blip2/qformer';
import { createSession as createOnnxSession } from '@blip2/runtime';
import { buildClipVisionModel } from '@blip2/vision';

/** Gradients of the graphs of a checkpoint that have no function of their own for it. */
export interface CaseGradients extends AsyncDisposable {
  /** The whole bridge is trained. */
  bridge(): Promise<{ readonly bridge: TrainableBridge; readonly weights: NamedTensors }>;
  /** The gradients of a module by the names of its inputs and tensors. All its tensors are trained. */
  pullback(module: string, inputs: NamedTensors, gradient: Tensor<'float32'>): Promise<NamedTensors>;
}

/** The builder of a module, and the names of its differentiated input and output. */
interface Module {
  readonly build: (weights: WeightSource) => WrittenModel;
  readonly input: string;
  readonly output: string;
}

export async function createCaseGradients(
  folder: string,
  createSession: SessionFactory = createOnnxSession,
): Promise<CaseGradients> {
  const store = await openModelWeights(folder);
  const opened: AsyncDisposable[] = [store];
  return {
    async bridge() {
      const config = Blip2QFormerConfig.fromJson(await readConfig(folder), folder);
      const [outFeatures = 0, inFeatures = 0] = shapeOf(store, 'language_projection.weight');
      const [, numQueryTokens = 0] = shapeOf(store, 'query_tokens');
      const plan = { config, numQueryTokens, projection: { inFeatures, outFeatures }, trained: BRIDGE_PARTS };
      const bridge = createTrainableBridge(plan, store, { createSession });
      opened.push(bridge);
      return {
        bridge,
        weights: await readAll(
          store,
          bridge.trained.map(({ name }) => name),
        ),
      };
    },
    async pullback(module, inputs, gradient) {
      const { build, input, output } = await moduleOf(module, folder);
      const weights = trainedWeights(store, () => true);
      const model = buildPullback({ build, weights, outputs: [output], inputs: [input] });
      await using session = await createSession(model);
      const feeds = { ...inputs, ...(await readAll(store, model.weightNames)), [`gradient.${output}`]: gradient };
      const outputs: Readonly<Record<string, Tensor>> = await session.run(feeds);
      return Object.fromEntries(
        Object.entries(outputs).map(([name, tensor]) => [name.slice('gradient.'.length), tensor as Tensor<'float32'>]),
      );
    },
    async [Symbol.asyncDispose]() {
      for (const each of opened.toReversed()) await each[Symbol.asyncDispose]();
    },
  };
}

async function moduleOf(name: string, folder: string): Promise<Module> {
  const json = await readConfig(folder);
  if (name === 'vision_model') {
    const config = ClipVisionConfig.fromJson(json, folder);
    const states = { hiddenStates: false, attentions: false, interpolatePosEncoding: false, pooled: false };
    const request = { ...states, layers: config.numHiddenLayers };
    return {
      build: (weights) => buildClipVisionModel(config, weights, name, request),
      input: 'pixel_values',
      output: 'last_hidden_state',
    };
  }
  const { qformerConfig, imageTextHiddenSize: outFeatures } = Blip2Config.fromJson(json, folder);
  const { hiddenSize: inFeatures } = qformerConfig;
  if (name === 'itm_head')
    return { build: (weights) => buildMatchingHead(inFeatures, weights, name), input: 'states', output: 'logits' };
  if (name === 'vision_projection' || name === 'text_projection')
    return {
      build: (weights) => buildRetrievalProjection({ inFeatures, outFeatures }, weights, name),
      input: 'states',
      output: 'embeds',
    };
  throw new Blip2Error('INVALID_ARGUMENT', { argument: 'module', expected: 'a module of the format', got: name });
}

function shapeOf({ tensors }: ModelWeights, name: string): readonly number[] {
  return tensors.get(name)?.shape ?? [];
}

async function readAll({ tensors }: ModelWeights, names: readonly string[]): Promise<NamedTensors> {
  const entries = names.map(async (name): Promise<[string, Tensor<'float32'>]> => {
    const stored = tensors.get(name);
    if (!stored) throw new Blip2Error('MISSING_WEIGHT', `The checkpoint has no tensor ${name}`);
    const { dims, data } = await readTensor(stored);
    return [name, { type: 'float32', dims, data }];
  });
  return Object.fromEntries(await Promise.all(entries));
}
