import type { Blip2Config } from '@blip2/config';
import type { Attentions, HiddenStates, QueryFeatures } from '@blip2/interfaces';
import type { QFormerTextInputs, RetrievalEmbeds, RetrievalProjection, TextConditionedQFormer } from '@blip2/qformer';
import type { CheckpointParts } from '../checkpoint-parts.ts';
import type { LoadOptions } from '../load-options.ts';
import type { RandomOptions } from '../random-parts.ts';
import { saveModel, type SaveModelOptions } from '../save-model.ts';
import { openRandomRetrieval, openRetrieval } from './open-retrieval.ts';
import { textModelContent } from './retrieval-content.ts';

export interface TextProjectionOptions {
  readonly outputHiddenStates?: boolean;
  readonly outputAttentions?: boolean;
}

export interface TextProjectionOutput {
  /** Every position projected and of length 1, `[texts, sequence, size]`; position 0 stands for the text. */
  readonly textEmbeds: RetrievalEmbeds;
  /** States of the Q-Former, `[texts, sequence, hidden]`. */
  readonly lastHiddenState: QueryFeatures;
  readonly hiddenStates?: readonly HiddenStates[];
  readonly attentions?: readonly Attentions[];
}

/** The text half of a retrieval model (`Blip2TextModelWithProjection` of the reference). */
export interface Blip2TextModelWithProjection extends AsyncDisposable {
  readonly config: Blip2Config;
  readonly qformer: TextConditionedQFormer;
  readonly textProjection: RetrievalProjection;
  forward(inputs: QFormerTextInputs, options?: TextProjectionOptions): Promise<TextProjectionOutput>;
  /** Writes the parts of this model, its configuration and its tokenizer in the hub layout. */
  savePretrained(folder: string, options?: SaveModelOptions): Promise<void>;
  dispose(): Promise<void>;
}

async function assemble(parts: CheckpointParts): Promise<Blip2TextModelWithProjection> {
  const { config, folder } = parts;
  const qformer = await parts.textQFormer();
  const textProjection = await parts.textProjection();
  const dispose = async (): Promise<void> => parts[Symbol.asyncDispose]();
  return {
    config, qformer, textProjection,
    async forward(inputs, { outputHiddenStates = config.outputHiddenStates, outputAttentions = config.outputAttentions } = {}) {
      const { lastHiddenState, hiddenStates, attentions } = await qformer.read(inputs, { outputHiddenStates, outputAttentions });
      return { textEmbeds: await textProjection.project(lastHiddenState), lastHiddenState, ...(hiddenStates && { hiddenStates }), ...(attentions && { attentions }) };
    },
    savePretrained: (target, options) => saveModel(folder, config, target, options, textModelContent),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

async function fromPretrained(source: string, options: LoadOptions = {}): Promise<Blip2TextModelWithProjection> {
  return openRetrieval(source, options, textModelContent, assemble);
}

async function fromConfig(config: Blip2Config, options: RandomOptions & LoadOptions = {}): Promise<Blip2TextModelWithProjection> {
  return openRandomRetrieval(config, options, textModelContent, assemble);
}

export const Blip2TextModelWithProjection: {
  /** Loads the text half from the folder of a whole retrieval model, or of itself. */
  readonly fromPretrained: typeof fromPretrained;
  /** Random weights, in a temporary file that goes away with the model. */
  readonly fromConfig: typeof fromConfig;
} = { fromPretrained, fromConfig };
