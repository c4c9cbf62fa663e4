import { encoderKey, type ModelFolders, openCheckpointParts, openWholeWeights, questionPrompt } from '@blip2/blip2';
import { type Blip2Config, textFamily } from '@blip2/config';
import { type DifferentiableLanguageModel, expectDifferentiable, type VisionEncoder } from '@blip2/interfaces';
import { Blip2Processor } from '@blip2/processor';
import { type BridgePlan, createTrainableBridge, type NamedTensors, type TrainableBridge } from '@blip2/qformer';

import { initialWeights } from '../bridge/initial-weights.ts';
import type { TextSettings } from '../examples/token-rows.ts';
import type { TrainSettings } from './train-settings.ts';

/** The frozen parts of a model, and its bridge. */
export interface TrainingModel extends AsyncDisposable {
  readonly config: Blip2Config;
  readonly folders: ModelFolders;
  readonly processor: Blip2Processor;
  readonly language: DifferentiableLanguageModel;
  readonly texts: TextSettings;
  readonly bridge: TrainableBridge;
  /** The most ids that an example may have after the image; undefined if nothing limits them. */
  readonly maxIds: number | undefined;
  /** Opens the vision encoder, which is not needed once features are cached. */
  vision(): Promise<VisionEncoder>;
  /** Digest of the vision encoder and the settings of its images. */
  encoderKey(): Promise<string>;
  /** The trained tensors before the first step. */
  initialWeights(): Promise<NamedTensors>;
}

/**
 * Opens a model for training: the frozen parts are used as they are.
 * @throws Blip2Error the codes of `openCheckpointParts`; `UNSUPPORTED_ARCHITECTURE` for a language model that cannot be
 * trained against.
 */
export async function openTrainingModel(
  { source, dtype, localFilesOnly, train, reset, seed }: TrainSettings,
  threads: number,
): Promise<TrainingModel> {
  const parts = await openCheckpointParts(source, {
    threads,
    localFilesOnly,
    repeated: true,
    ...(dtype !== undefined && { dtype: { language: dtype } }),
  });
  try {
    const { config, folders } = parts;
    const weights = await openWholeWeights(folders);
    const language = expectDifferentiable(await parts.language());
    const processor = await Blip2Processor.fromPretrained({ images: folders.images, text: folders.processor });
    const plan: BridgePlan = {
      config: config.qformerConfig,
      numQueryTokens: config.numQueryTokens,
      projection: { inFeatures: config.qformerConfig.hiddenSize, outFeatures: language.embeddingSize },
      trained: train,
    };
    const bridge = createTrainableBridge(plan, weights, { threads });
    const { modelType } = config.textConfig;
    const { maxPositions } = textFamily(modelType).sizes(config.textConfig);
    return {
      config,
      folders,
      processor,
      language,
      texts: { tokenizer: processor.tokenizer, language, toPrompt: questionPrompt },
      bridge,
      maxIds: maxPositions === undefined ? undefined : maxPositions - config.numQueryTokens,
      vision: () => parts.vision(),
      encoderKey: () => encoderKey(source, { localFilesOnly }),
      initialWeights: () => initialWeights(plan, config, weights, { reset, seed }),
      async [Symbol.asyncDispose]() {
        await bridge.dispose();
        await weights[Symbol.asyncDispose]();
        await parts[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await parts[Symbol.asyncDispose]();
    throw error;
  }
}
