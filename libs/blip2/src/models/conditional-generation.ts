import { validateGenerationOptions } from '@blip2/generate';
import { mustBe, type PatchFeatures, type QFormer as QFormerPart, type QueryFeatures } from '@blip2/interfaces';
import type { CheckpointLanguageModel } from '@blip2/language';
import { expectForwardOptions } from '@blip2/part';
import type { LanguageProjection, QFormerForwardOptions, QFormerOutput, QueryTokens } from '@blip2/qformer';
import type { CheckpointVisionEncoder } from '@blip2/vision';

import type { AdapterSelection } from '../adapters/named-adapters.ts';
import type { ModelConfig } from '../checkpoint/model-config.ts';
import { modelTensors } from '../checkpoint/model-tensors.ts';
import { saveModel, type SaveModelOptions } from '../checkpoint/save-model.ts';
import { expectComplete } from '../checkpoint/whole-weights.ts';
import type { CallQueue } from '../lifetime/call-queue.ts';
import type { CheckpointParts } from '../parts/checkpoint-parts.ts';
import { expectEncodeOptions, isPixelValues, type PromptInputs, type PromptTasks } from '../pipeline/blip2-pipeline.ts';
import { expectFit, expectPromptsFit } from '../pipeline/expect-fit.ts';
import { expectImageInputs } from '../pipeline/image-inputs.ts';
import { mergePrompt, type VisualPrefix } from '../pipeline/merge-prompt.ts';
import { FORWARD_OPTIONS, type ForwardOptions, type ForwardOutput, TARGETS } from './forward-options.ts';
import { expectDecoderInputs, forwardPrompt, lossOf, type TargetInputs } from './forward-prompt.ts';
import { type TextGenerator, withGenerate } from './with-generate.ts';

/** The interface shared by the whole models with a language model. */
export interface ConditionalGeneration<Config, QFormer, Pipeline, Inputs extends PromptInputs>
  extends Pick<PromptTasks<Inputs>, 'generate' | 'scoreSequences'>, AsyncDisposable {
  /** The configuration of the checkpoint, with defaults filled in. */
  readonly config: Config;
  /** Pixels `[batch, 3, height, width]` → `[batch, 1 + patches, visionHidden]`. */
  readonly visionModel: CheckpointVisionEncoder;
  /** Patches, with InstructBLIP also the instruction → `[batch, queries, hidden]`. */
  readonly qformer: QFormer;
  /** `[batch, queries, hidden]` → `[batch, queries, embeddingSize]`. */
  readonly languageProjection: LanguageProjection;
  /** Causal or seq2seq, see `architecture`. Its own `forward` and `generate` take text only. */
  readonly languageModel: TextGenerator<CheckpointLanguageModel>;
  /** `[1, queries, hidden]`. */
  readonly queryTokens: QueryTokens;
  /** The same four parts, connected. */
  readonly pipeline: Pipeline;
  /**
   * Computes the logits of every position of a prompt, or of a seq2seq model's decoder.
   * @throws Blip2Error `INVALID_ARGUMENT` for a seq2seq model without labels and decoder ids, a causal model with
   * decoder ids, both ids and embeddings, or, with InstructBLIP, images without an instruction.
   * @throws Blip2Error `SHAPE_MISMATCH` for images of another size, or if image tokens and features differ in number.
   * @throws Blip2Error `SEQUENCE_TOO_LONG`, `DISPOSED`.
   */
  forward(inputs: Inputs & TargetInputs, options?: ForwardOptions): Promise<ForwardOutput>;
  /**
   * The mean cross-entropy of the labels, in nats per token: `loss` of `forward`.
   * @throws Blip2Error `INVALID_ARGUMENT` without labels; the codes of `forward`.
   */
  loss(
    inputs: Inputs & TargetInputs & Required<Pick<TargetInputs, 'labels'>>,
    options?: Pick<ForwardOptions, 'interpolatePosEncoding'>,
  ): Promise<number>;
  /**
   * Writes configuration, tokenizers and weights in the Hugging Face layout, for HF to load. Adapters are merged.
   * @throws Blip2Error `INVALID_ARGUMENT`, `WRITE_FAILED`.
   */
  savePretrained(folder: string, options?: SaveModelOptions): Promise<void>;
  /**
   * Applies other adapters; see `CheckpointParts.setAdapters`.
   * @throws Blip2Error `INVALID_ARGUMENT` for names that the model was not loaded with; `DISPOSED`; `MODEL_CHANGED`.
   */
  setAdapters(names: AdapterSelection): Promise<void>;
  /** Disposes of all parts; later calls fail with `DISPOSED`. */
  dispose(): Promise<void>;
}

/** Outputs of a Q-Former, and those of its queries alone. */
export interface QueryRun {
  readonly outputs: QFormerOutput;
  /** `[batch, queries, hidden]`. */
  readonly queries: QueryFeatures;
}

/** Where the whole models with a language model differ. */
export interface GenerationFamily<C extends ModelConfig, QFormer, Pipeline, Inputs> {
  /** Names of the inputs of a prompt. */
  readonly inputNames: readonly string[];
  loadQFormer(parts: CheckpointParts<C>): Promise<QFormer>;
  createPipeline(
    parts: {
      readonly vision: CheckpointVisionEncoder;
      readonly qformer: QFormer;
      readonly projection: LanguageProjection;
      readonly language: TextGenerator<CheckpointLanguageModel>;
    },
    config: C,
  ): Pipeline;
  /** Checks the inputs of the Q-Former; the result runs it on patches `[batch, 1 + patches, visionHidden]`. */
  queryRunner(
    inputs: Inputs,
  ): (qformer: QFormer, patches: PatchFeatures, options: QFormerForwardOptions) => Promise<QueryRun>;
}

/** The parts of a whole model, and what belongs to all of them. */
export interface GenerationParts<C extends ModelConfig, QFormer> {
  readonly config: C;
  /** The calls of the model. */
  readonly queue: CallQueue;
  readonly vision: CheckpointVisionEncoder;
  readonly qformer: QFormer;
  readonly projection: LanguageProjection;
  readonly language: CheckpointLanguageModel;
  setAdapters(selection: AdapterSelection): Promise<void>;
  savePretrained(folder: string, options?: SaveModelOptions): Promise<void>;
  dispose(): Promise<void>;
}

/** Builds a whole model from the parts of a checkpoint. */
export async function assembleConditionalGeneration<
  C extends ModelConfig,
  QFormer extends Pick<QFormerPart, 'hiddenSize' | 'encoderHiddenSize'> & { readonly queryTokens: QueryTokens },
  Pipeline extends PromptTasks<Inputs>,
  Inputs extends PromptInputs,
>(
  parts: CheckpointParts<C>,
  family: GenerationFamily<C, QFormer, Pipeline, Inputs>,
): Promise<ConditionalGeneration<C, QFormer, Pipeline, Inputs>> {
  const { config, folders, queue } = parts;
  parts.startLanguage();
  await expectComplete(folders, modelTensors(config));
  const loaded = {
    vision: await parts.vision(),
    qformer: await family.loadQFormer(parts),
    projection: await parts.projection(),
    language: await parts.language(),
  };
  // A language model of another source is not one that the projection is known to belong to.
  if (folders.language !== folders.qformer) expectFit(loaded);
  return connectConditionalGeneration(
    {
      config,
      queue,
      ...loaded,
      setAdapters: parts.setAdapters,
      savePretrained: (target, options) =>
        saveModel(folders, config, target, options, { adapters: parts.adapters?.allFolders() ?? [] }),
      dispose: async () => parts[Symbol.asyncDispose](),
    },
    family,
  );
}

/** Connects the parts of a whole model. */
export function connectConditionalGeneration<
  C extends ModelConfig,
  QFormer extends { readonly queryTokens: QueryTokens },
  Pipeline extends PromptTasks<Inputs>,
  Inputs extends PromptInputs,
>(
  parts: GenerationParts<C, QFormer>,
  family: Omit<GenerationFamily<C, QFormer, Pipeline, Inputs>, 'loadQFormer'>,
): ConditionalGeneration<C, QFormer, Pipeline, Inputs> {
  const { config, queue, vision: visionModel, qformer, projection: languageProjection, dispose } = parts;
  const languageModel = withGenerate(parts.language);
  const pipeline = family.createPipeline(
    { vision: visionModel, qformer, projection: languageProjection, language: languageModel },
    config,
  );

  async function encode(inputs: Inputs, outputs: PartOutputs, interpolatePosEncoding: boolean): Promise<EncodedImages> {
    const { pixelValues } = inputs;
    if (!isPixelValues(pixelValues)) return { prefix: pixelValues };
    const runQueries = family.queryRunner(inputs);
    const visionOutputs = await visionModel.forward({ pixelValues }, { ...outputs, interpolatePosEncoding });
    // `useCache` requests the cache of the language model, not that of the Q-Former.
    const { outputs: qformerOutputs, queries } = await runQueries(qformer, visionOutputs.lastHiddenState, outputs);
    return { prefix: await languageProjection.project(queries), visionOutputs, qformerOutputs };
  }

  function expectForwardArguments(inputs: Inputs & TargetInputs, options: ForwardOptions = {}): void {
    expectImageInputs('forward', inputs, [...family.inputNames, ...Object.keys(TARGETS)]);
    expectForwardOptions('forward', options, Object.keys(FORWARD_OPTIONS));
    expectPromptsFit({ projection: languageProjection, language: languageModel });
    expectDecoderInputs(languageModel, inputs);
  }

  async function forward(inputs: Inputs & TargetInputs, options: ForwardOptions = {}): Promise<ForwardOutput> {
    const { outputHiddenStates = config.outputHiddenStates, outputAttentions = config.outputAttentions } = options;
    const outputs = { outputHiddenStates, outputAttentions };
    const { prefix, ...partOutputs } = await encode(inputs, outputs, options.interpolatePosEncoding ?? false);
    const prompt = await mergePrompt({ prefix, text: inputs, layout: config, language: languageModel });
    const { useCache = false } = options;
    return { ...(await forwardPrompt(languageModel, prompt, inputs, { ...outputs, useCache })), ...partOutputs };
  }

  return {
    config,
    visionModel,
    qformer,
    languageProjection,
    languageModel,
    pipeline,
    queryTokens: qformer.queryTokens,
    forward: queue.wrap(forward, expectForwardArguments),
    loss: queue.wrap(
      async (inputs, options = {}) => lossOf(await forward(inputs, { ...NO_STATES, ...options })),
      (inputs, options = {}) => {
        expectForwardOptions('loss', options, ['interpolatePosEncoding']);
        expectForwardArguments(inputs, options);
        if ((inputs.labels as unknown) === undefined) throw mustBe('labels', 'rows of ids', inputs.labels);
      },
    ),
    generate: queue.wrap(pipeline.generate, (inputs, options = {}) => {
      expectImageInputs('generate', inputs, family.inputNames);
      validateGenerationOptions(options);
    }),
    scoreSequences: queue.wrap(pipeline.scoreSequences, (inputs, _, options) => {
      expectImageInputs('scoreSequences', inputs, family.inputNames);
      expectEncodeOptions('scoreSequences', options);
    }),
    setAdapters: parts.setAdapters,
    savePretrained: (target, options) => parts.savePretrained(target, options),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

const NO_STATES: PartOutputs = { outputHiddenStates: false, outputAttentions: false };

type PartOutputs = Required<Pick<ForwardOptions, 'outputHiddenStates' | 'outputAttentions'>>;

interface EncodedImages extends Pick<ForwardOutput, 'visionOutputs' | 'qformerOutputs'> {
  readonly prefix: VisualPrefix;
}
