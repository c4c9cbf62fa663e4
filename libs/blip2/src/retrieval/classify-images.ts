import { Blip2Error } from '@blip2/interfaces';

import type { EncodedImage, EncodedText, RetrievalTaskOptions } from './encode-inputs.ts';
import { cosineOf } from './score-pairs.ts';

/** How labels are put and weighed. */
export interface ClassifyOptions extends RetrievalTaskOptions {
  /** Sentence with `{}` in the place of the label. Default `a picture of {}`. */
  readonly template?: string;
  /**
   * Divides the cosines before the softmax over labels: smaller is more decided. Default 0.07, where training began
   * (LAVIS); the trained
   * value is not in converted checkpoints.
   */
  readonly temperature?: number;
}

/** How well a label fits an image. */
export interface LabelScore {
  /** As it was given, without the sentence around it. */
  readonly label: string;
  /** Cosine of label and best query, in [-1, 1]. */
  readonly itc: number;
  /** Softmax of the cosines over all labels, in [0, 1]; depends on `temperature`. */
  readonly probability: number;
}

const DEFAULT_TEMPLATE = 'a picture of {}';
const DEFAULT_TEMPERATURE = 0.07;
const PLACE = '{}';

/** The sentence of each label. @throws Blip2Error `INVALID_ARGUMENT` without labels or a place for them. */
export function labelSentences(labels: readonly string[], { template = DEFAULT_TEMPLATE }: ClassifyOptions): string[] {
  if (labels.length === 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'There are no labels to choose from', { where: 'labels' });
  if (!template.includes(PLACE))
    throw new Blip2Error('INVALID_ARGUMENT', 'The template has no place for the label', {
      where: 'template',
      expected: `a sentence with ${PLACE}`,
      got: template,
    });
  return labels.map((label) => template.replaceAll(PLACE, () => label));
}

/** Labels of one image, best first. */
export function rankLabels(
  image: EncodedImage,
  labels: readonly string[],
  texts: readonly EncodedText[],
  { temperature = DEFAULT_TEMPERATURE }: ClassifyOptions,
): LabelScore[] {
  if (!(temperature > 0))
    throw new Blip2Error('INVALID_ARGUMENT', 'Impossible temperature', {
      where: 'temperature',
      expected: 'a number above 0',
      got: String(temperature),
    });
  const cosines = texts.map((text) => cosineOf({ image, text }));
  const best = Math.max(...cosines);
  const weights = cosines.map((cosine) => Math.exp((cosine - best) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return labels
    .map((label, index) => ({ label, itc: cosines[index] ?? NaN, probability: (weights[index] ?? NaN) / total }))
    .toSorted((a, b) => b.itc - a.itc);
}
