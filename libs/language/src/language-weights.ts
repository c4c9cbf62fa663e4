import { convertPartWeights, type ConversionOptions, type PartWeights } from '@blip2/checkpoint';
import type { PrecisionChoice, WeightStore } from '@blip2/interfaces';
import { partPrecisions, planWeights, type WeightFinder } from '@blip2/onnx';

/** The weights that graphs read, by how many rows their products have at once: prompts and large batches, or a token or a few. */
export interface StoresByRows {
  readonly many: WeightStore;
  /** The same as `many` unless another form is quicker for few rows. */
  readonly few: WeightStore;
}

/**
 * Rows up to which blocks of 4 bits are quicker than 8 bits with a scale per row: the first read half the bytes, the second multiply many times as fast. On a 2560 × 10240
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

/** The weights of a language model at a precision: `fast` holds them twice. */
export async function languageWeights(weights: PartWeights, dtype: PrecisionChoice | undefined, graphs: LanguageGraphs, path: string, options: ConversionOptions): Promise<PartWeights> {
  const precisions = partPrecisions(dtype);
  const { store, prefix } = weights;
  const many = await convertPartWeights(weights, planWeights(store, precisions.many, (finder) => graphs.many(finder, prefix)), path, options);
  if (precisions.few === precisions.many) return many;
  const few = await convertPartWeights(weights, planWeights(store, precisions.few, (finder) => graphs.few(finder, prefix)), path, options);
  return { ...many, fewRows: few.store };
}
