import {
  Blip2ForConditionalGeneration,
  Blip2ForImageTextRetrieval,
  Blip2Model,
  Blip2TextModelWithProjection,
  Blip2VisionModelWithProjection,
  InstructBlipForConditionalGeneration,
} from '@blip2/blip2';
import { textModelTypes } from '@blip2/config';
import {
  Blip2Error,
  type LanguageProjection as Projection,
  type ProcessedInputs,
  type SessionFactory,
  type TextTokenizer,
} from '@blip2/interfaces';
import { type CheckpointLanguageModel, loadLanguageModel } from '@blip2/language';
import {
  Blip2Processor,
  BlipImageProcessor,
  InstructBlipProcessor,
  type ProcessOptions,
  type ProcessorInputs,
  Tokenizer,
} from '@blip2/processor';
import { Blip2QFormerModel, LanguageProjection, TextConditionedQFormer } from '@blip2/qformer';
import { type CheckpointVisionEncoder, loadVisionEncoder } from '@blip2/vision';

import { type CaseGradients, createCaseGradients } from './case-gradients.ts';
import { readModelType } from './model-type.ts';

/** The part of a BLIP-2 or InstructBLIP processor that entries use. */
export interface CaseProcessor extends Pick<Blip2Processor, 'tokenizer' | 'batchDecode'> {
  process(inputs: ProcessorInputs, options?: ProcessOptions): Promise<ProcessedInputs>;
}

/** The models of one case. Each is loaded once, on first use, in float32. */
export interface CaseModels extends AsyncDisposable {
  imageProcessor(): Promise<BlipImageProcessor>;
  processor(): Promise<CaseProcessor>;
  /** `name` is `tokenizer` or `qformer_tokenizer`, as in the format. */
  tokenizer(name: string): Promise<TextTokenizer>;
  vision(): Promise<CheckpointVisionEncoder>;
  qformer(): Promise<Blip2QFormerModel>;
  textQFormer(): Promise<TextConditionedQFormer>;
  languageProjection(): Promise<Projection>;
  languageModel(): Promise<CheckpointLanguageModel>;
  whole(): Promise<Blip2ForConditionalGeneration | InstructBlipForConditionalGeneration>;
  base(): Promise<Blip2Model>;
  retrieval(): Promise<Blip2ForImageTextRetrieval>;
  textWithProjection(): Promise<Blip2TextModelWithProjection>;
  visionWithProjection(): Promise<Blip2VisionModelWithProjection>;
  gradients(): Promise<CaseGradients>;
}

/** How models are loaded. Mutants replace the session factory. */
export interface CaseModelOptions {
  readonly createSession?: SessionFactory;
}

/** Subfolder of InstructBLIP checkpoints with the tokenizer of the Q-Former. */
const QFORMER_TOKENIZER = 'qformer_tokenizer';

/**
 * Creates the models of a checkpoint. Each part is loaded separately, as a user of its package would, so that its
 * entries
 * test that package only.
 */
export function createCaseModels(checkpoint: string | undefined, { createSession }: CaseModelOptions = {}): CaseModels {
  const options = { ...(createSession && { createSession }) };
  const loaded: Promise<AsyncDisposable>[] = [];
  const owned = <T extends AsyncDisposable>(load: (folder: string) => Promise<T>): (() => Promise<T>) =>
    once(() => {
      const model = load(requireFolder(checkpoint));
      loaded.push(model);
      return model;
    });
  const processor = once(() => loadProcessor(requireFolder(checkpoint)));
  const mainTokenizer = once(async () =>
    (await isLanguageModel(checkpoint))
      ? Tokenizer.fromPretrained(requireFolder(checkpoint))
      : (await processor()).tokenizer,
  );
  const qformerTokenizer = once(() =>
    Tokenizer.fromPretrained(requireFolder(checkpoint), { subfolder: QFORMER_TOKENIZER }),
  );
  return {
    imageProcessor: once(() => BlipImageProcessor.fromPretrained(requireFolder(checkpoint))),
    processor,
    // The processor's tokenizer: it adds the image token that legacy checkpoints lack.
    tokenizer: async (name) => (name === QFORMER_TOKENIZER ? qformerTokenizer() : mainTokenizer()),
    vision: owned((folder) => loadVisionEncoder(folder, options)),
    qformer: owned((folder) => Blip2QFormerModel.fromPretrained(folder, options)),
    textQFormer: owned((folder) => TextConditionedQFormer.fromPretrained(folder, options)),
    languageProjection: owned((folder) => LanguageProjection.fromPretrained(folder, options)),
    languageModel: owned((folder) => loadLanguageModel(folder, options)),
    whole: owned(async (folder) =>
      (await isInstructBlip(folder))
        ? InstructBlipForConditionalGeneration.fromPretrained(folder, options)
        : Blip2ForConditionalGeneration.fromPretrained(folder, options),
    ),
    base: owned((folder) => Blip2Model.fromPretrained(folder, options)),
    retrieval: owned((folder) => Blip2ForImageTextRetrieval.fromPretrained(folder, options)),
    textWithProjection: owned((folder) => Blip2TextModelWithProjection.fromPretrained(folder, options)),
    visionWithProjection: owned((folder) => Blip2VisionModelWithProjection.fromPretrained(folder, options)),
    gradients: owned((folder) => createCaseGradients(folder, createSession)),
    async [Symbol.asyncDispose]() {
      for (const model of await Promise.allSettled(loaded))
        if (model.status === 'fulfilled') await model.value[Symbol.asyncDispose]();
    },
  };
}

async function isInstructBlip(folder: string): Promise<boolean> {
  return (await readModelType(folder)) === 'instructblip';
}

/** Whether the checkpoint contains only a language model. */
async function isLanguageModel(folder: string | undefined): Promise<boolean> {
  const modelType = await readModelType(folder);
  return textModelTypes().some((each) => each === modelType);
}

async function loadProcessor(folder: string): Promise<CaseProcessor> {
  return (await isInstructBlip(folder))
    ? InstructBlipProcessor.fromPretrained(folder)
    : Blip2Processor.fromPretrained(folder);
}

function requireFolder(checkpoint: string | undefined): string {
  if (checkpoint === undefined)
    throw new Blip2Error('MISSING_FILE', 'The entry needs a checkpoint, but the case has none');
  return checkpoint;
}

/** Calls `load` at most once, even if it fails. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => (loading ??= load());
}
