import { type ConversionOptions } from '@blip2/checkpoint';
import type { PlannedWeight, PrecisionChoice, WeightStore } from '@blip2/interfaces';
import { partPrecisions, planWeights, type WeightFinder } from '@blip2/onnx';
import { convertPartWeights, type PartWeights } from '@blip2/part';

/**
 * The weights that graphs read, by how many rows their products have at once: prompts and large batches, or a token or
 * a few.
 */
export interface StoresByRows {
  readonly many: WeightStore;
  /** The same as `many` unless another form is quicker for few rows. */
  readonly few: WeightStore;
}

/**
 * Rows up to which blocks of 4 bits are quicker than 8 bits with a scale per row: the first read half the bytes, the
 * second multiply many times as fast. On a 2560 × 10240
 * weight 0.36 against 0.55 ms for one row, 4.3 against 1.0 ms for 32.
 */
const FEW_ROWS = 4;

export function storesByRows({ store, fewRows = store }: PartWeights): StoresByRows {
  return { many: store, few: fewRows };
}

export function storeForRows({ many, few }: StoresByRows, rows: number): WeightStore {
  return rows <= FEW_ROWS ? few : many;
}

export interface LanguageGraphs {
  /** Writes all graphs that read `many`. */
  many(weights: WeightFinder, prefix: string): void;
  /** Writes all graphs that read `few`. */
  few(weights: WeightFinder, prefix: string): void;
}

/**
 * What the files of converted weights of a language model hold at a precision: `fast` has two. Nothing where the
 * checkpoint is read as it lies.
 */
export interface LanguagePlans {
  readonly many: PlannedWeight[] | undefined;
  readonly few: PlannedWeight[] | undefined;
  /** Whether there is but one. */
  readonly isOne: boolean;
}

export function languagePlans(
  { store, prefix }: Pick<PartWeights, 'store' | 'prefix'>,
  dtype: PrecisionChoice | undefined,
  graphs: LanguageGraphs,
): LanguagePlans {
  const precisions = partPrecisions(dtype);
  const many = planWeights(store, precisions.prefill, (finder) => graphs.many(finder, prefix));
  if (precisions.decode === precisions.prefill) return { many, few: many, isOne: true };
  return { many, few: planWeights(store, precisions.decode, (finder) => graphs.few(finder, prefix)), isOne: false };
}

/** The weights of a language model at a precision. */
export async function languageWeights(
  weights: PartWeights,
  dtype: PrecisionChoice | undefined,
  graphs: LanguageGraphs,
  path: string,
  options: ConversionOptions,
): Promise<PartWeights> {
  const plans = languagePlans(weights, dtype, graphs);
  const many = await convertPartWeights(weights, plans.many, path, options);
  if (plans.isOne) return many;
  const few = await convertPartWeights(weights, plans.few, path, options);
  return { ...many, fewRows: few.store };
}
