import {
  Blip2Error,
  type LanguageModel,
  type LanguageProjection,
  type QFormer,
  type VisionEncoder,
} from '@blip2/interfaces';

/** The widths of adjacent parts. */
export interface PartWidths {
  readonly vision: Pick<VisionEncoder, 'hiddenSize'>;
  readonly qformer: Pick<QFormer, 'hiddenSize' | 'encoderHiddenSize'>;
  readonly projection: Pick<LanguageProjection, 'inFeatures' | 'outFeatures'>;
  readonly language: Pick<LanguageModel, 'embeddingSize'>;
}

/** The widths that prompts with images need to be equal. */
export interface PromptWidths {
  readonly projection: Pick<LanguageProjection, 'outFeatures'>;
  readonly language: Pick<LanguageModel, 'embeddingSize'>;
}

/**
 * Checks that each part accepts the output width of the one before it.
 * @throws Blip2Error `SHAPE_MISMATCH`.
 */
export function expectFit(parts: PartWidths): void {
  expectImagePartsFit(parts);
  expectSame(...languageWidths(parts), 'Use parts that were trained together, or another projection');
}

/**
 * Checks the parts up to the projection.
 * @throws Blip2Error `SHAPE_MISMATCH`.
 */
export function expectImagePartsFit({ vision, qformer, projection }: Omit<PartWidths, 'language'>): void {
  expectEncoderFits(vision, qformer);
  const widths = ['qformer.hiddenSize', qformer.hiddenSize, 'projection.inFeatures', projection.inFeatures] as const;
  expectSame(...widths, 'Use parts that were trained together, or another projection');
}

/**
 * Checks that the projection of a checkpoint fits its language model. In checkpoints with OPT-350m, whose token
 * embeddings are narrower than its hidden states, it does not: Hugging Face Transformers projects to the width of the
 * hidden states and fills the rows of the prompt with numbers of the wrong rows.
 * @throws Blip2Error `SHAPE_MISMATCH`.
 */
export function expectPromptsFit(parts: PromptWidths): void {
  expectSame(
    ...languageWidths(parts),
    'This checkpoint has no prompts with images: Hugging Face Transformers would fill the embeddings of the prompt ' +
      'with numbers of other rows. Encoding images, the parts and savePretrained work',
  );
}

/**
 * Checks that a Q-Former accepts the output width of an encoder.
 * @throws Blip2Error `SHAPE_MISMATCH`.
 */
export function expectEncoderFits(
  vision: Pick<VisionEncoder, 'hiddenSize'>,
  qformer: Pick<QFormer, 'encoderHiddenSize'>,
): void {
  const widths = ['vision.hiddenSize', vision.hiddenSize, 'qformer.encoderHiddenSize'] as const;
  expectSame(...widths, qformer.encoderHiddenSize, 'Use parts that were trained together, or another projection');
}

function languageWidths({ projection, language }: PromptWidths): readonly [string, number, string, number] {
  return ['projection.outFeatures', projection.outFeatures, 'language.embeddingSize', language.embeddingSize];
}

function expectSame(a: string, left: number, b: string, right: number, fix: string): void {
  if (left !== right) throw new Blip2Error('SHAPE_MISMATCH', `${a} is ${left} but ${b} is ${right}`, { fix });
}
