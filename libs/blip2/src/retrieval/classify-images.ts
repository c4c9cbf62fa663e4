import { Blip2Error, mustBe } from '@blip2/interfaces';

import { expectTexts } from '../images/image-list.ts';
import {
  RETRIEVAL_OPTIONS,
  type RetrievalImage,
  type RetrievalTaskOptions,
  type RetrievalText,
} from './encode-retrieval-inputs.ts';
import { cosineOf } from './score-pairs.ts';

/** How labels are compared with an image. */
export interface ClassifyOptions extends RetrievalTaskOptions {
  /** Sentence with `{}` for the label. Default: `a picture of {}`. */
  readonly template?: string;
  /**
   * Divides the cosines before the softmax over labels; smaller values give sharper distributions. Default: 0.07, the
   * initial value of training (LAVIS). Converted checkpoints lack the trained value.
   */
  readonly temperature?: number;
}

const CLASSIFY: Readonly<Record<Exclude<keyof ClassifyOptions, keyof RetrievalTaskOptions>, true>> = {
  template: true,
  temperature: true,
};
/** Names of the options of `classify`. */
export const CLASSIFY_OPTIONS: readonly string[] = [...RETRIEVAL_OPTIONS, ...Object.keys(CLASSIFY)];

/** How well a label matches an image. */
export interface LabelScore {
  /** The label, without the sentence and whitespace around it. Equal labels are one. */
  readonly label: string;
  /** Cosine of the label and the best query, in [-1, 1]. */
  readonly itc: number;
  /** Softmax of the cosines over all labels, in [0, 1]. Depends on `temperature`. */
  readonly probability: number;
}

const DEFAULT_TEMPLATE = 'a picture of {}';
const DEFAULT_TEMPERATURE = 0.07;
const PLACEHOLDER = '{}';

/**
 * The sentence of each label.
 * @throws Blip2Error `INVALID_ARGUMENT` without labels, for a template without `{}` and for a temperature of 0 or less.
 */
export function labelSentences(
  labels: readonly string[],
  { template = DEFAULT_TEMPLATE, temperature = DEFAULT_TEMPERATURE }: ClassifyOptions,
): string[] {
  expectTexts('labels', labels);
  if (labels.length === 0) throw new Blip2Error('INVALID_ARGUMENT', 'labels must not be empty', { argument: 'labels' });
  if (!(Number.isFinite(temperature) && temperature > 0)) throw mustBe('temperature', 'a number above 0', temperature);
  if (typeof template !== 'string' || !template.includes(PLACEHOLDER))
    throw mustBe('template', `a sentence with ${PLACEHOLDER}`, template);
  return labels.map((label) => template.replaceAll(PLACEHOLDER, () => label));
}

/** The labels of one image, best first. */
export function rankLabels(
  image: RetrievalImage,
  labels: readonly string[],
  texts: readonly RetrievalText[],
  { temperature = DEFAULT_TEMPERATURE }: ClassifyOptions,
): LabelScore[] {
  const cosines = texts.map((text) => cosineOf({ image, text }));
  const best = Math.max(...cosines);
  const weights = cosines.map((cosine) => Math.exp((cosine - best) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return labels
    .map((label, index) => ({ label, itc: cosines[index] ?? NaN, probability: (weights[index] ?? NaN) / total }))
    .toSorted((a, b) => b.itc - a.itc);
}
