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
import { Blip2VisionModel } from '@blip2/vision';

import { readCheckpointFamily } from './checkpoint-family.ts';

/** What entries ask of a processor, BLIP-2's or InstructBLIP's. */
export interface CaseProcessor extends Pick<Blip2Processor, 'tokenizer' | 'batchDecode'> {
  process(inputs: ProcessorInputs, options?: ProcessOptions): Promise<ProcessedInputs>;
}

/** The models of one case: each is loaded at its first use, once, in float32. */
export interface CaseModels extends AsyncDisposable {
  imageProcessor(): Promise<BlipImageProcessor>;
  processor(): Promise<CaseProcessor>;
  /** `tokenizer` or `qformer_tokenizer`, as the format calls them. */
  tokenizer(name: string): Promise<TextTokenizer>;
  vision(): Promise<Blip2VisionModel>;
  qformer(): Promise<Blip2QFormerModel>;
  textQFormer(): Promise<TextConditionedQFormer>;
  languageProjection(): Promise<Projection>;
  languageModel(): Promise<CheckpointLanguageModel>;
  whole(): Promise<Blip2ForConditionalGeneration | InstructBlipForConditionalGeneration>;
  base(): Promise<Blip2Model>;
  retrieval(): Promise<Blip2ForImageTextRetrieval>;
  textWithProjection(): Promise<Blip2TextModelWithProjection>;
  visionWithProjection(): Promise<Blip2VisionModelWithProjection>;
}

/** How models are loaded; mutants put their own session factory here. */
export interface CaseModelOptions {
  readonly createSession?: SessionFactory;
}

/** The second tokenizer of InstructBLIP, a folder of its repositories. */
const QFORMER_TOKENIZER = 'qformer_tokenizer';

/**
 * Parts are loaded each by itself, as a user of one package does it, so that their entries judge that package alone.
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
    // The processor's own: it adds the image token where older repositories lack it.
    tokenizer: async (name) => (name === QFORMER_TOKENIZER ? qformerTokenizer() : mainTokenizer()),
    vision: owned((folder) => Blip2VisionModel.fromPretrained(folder, options)),
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
    async [Symbol.asyncDispose]() {
      for (const model of await Promise.allSettled(loaded))
        if (model.status === 'fulfilled') await model.value[Symbol.asyncDispose]();
    },
  };
}

async function isInstructBlip(folder: string): Promise<boolean> {
  return (await readCheckpointFamily(folder)).modelType === 'instructblip';
}

/** Whether the checkpoint is that of a language model alone, without images to process. */
async function isLanguageModel(folder: string | undefined): Promise<boolean> {
  const { modelType } = await readCheckpointFamily(folder);
  return textModelTypes().some((each) => each === modelType);
}

async function loadProcessor(folder: string): Promise<CaseProcessor> {
  return (await isInstructBlip(folder))
    ? InstructBlipProcessor.fromPretrained(folder)
    : Blip2Processor.fromPretrained(folder);
}

function requireFolder(checkpoint: string | undefined): string {
  if (checkpoint === undefined)
    throw new Blip2Error('MISSING_FILE', 'the case has no checkpoint, but the entry needs one');
  return checkpoint;
}

/** A loader that loads once; a failure stays a failure. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loading: Promise<T> | undefined;
  return () => (loading ??= load());
}
