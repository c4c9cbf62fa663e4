import { type ConversionOptions, convertedWeights } from '@blip2/checkpoint';
import type { PlannedWeight, PrecisionChoice } from '@blip2/interfaces';
import {
  partPrecisions,
  planWeights,
  type RecordedWeight,
  recordWeights,
  type SensitiveLayers,
  sensitivePrecision,
  type WeightFinder,
} from '@blip2/onnx';

import type { PartWeights } from './part-weights.ts';

/** Which graphs use the weights of a part, and which of its layers need a precision of their own. */
export interface WeightPlan<C, O extends object = object> {
  /** Builds all graphs whose products have many rows at once: images, prompts, batches. */
  graphs(config: C, weights: WeightFinder, prefix: string, options: Partial<O>): void;
  /** Builds the graphs of one decoding step, of a part that generates token by token. */
  decodeGraphs?(config: C, weights: WeightFinder, prefix: string): void;
  /** Linear layers with a precision of their own. The first entry that matches a name applies. */
  readonly sensitive?: readonly SensitiveLayers[];
}

/** The contents of the files of converted weights; undefined if the checkpoint is used unconverted. */
export interface PartPlans {
  readonly prefill: PlannedWeight[] | undefined;
  /** The file for decoding steps, if they have one of their own. */
  readonly decode: PlannedWeight[] | undefined;
}

/** Plans the conversion of a part's weights to a precision. Reads names and shapes only. */
export function planPart<C, O extends object>(
  { sensitive = [], ...plan }: WeightPlan<C, O>,
  config: C,
  { store, prefix }: Pick<PartWeights, 'store' | 'prefix'>,
  dtype: PrecisionChoice | undefined,
  options: Partial<O> = {},
): PartPlans {
  const precisions = partPrecisions(dtype);
  const plans = (precision: typeof precisions.prefill, build: (finder: WeightFinder) => void): PartPlans['prefill'] =>
    planWeights(store, precision, build, (name) => sensitivePrecision(sensitive, name, precision, dtype));
  return {
    prefill: plans(precisions.prefill, (finder) => plan.graphs(config, finder, prefix, options)),
    decode:
      plan.decodeGraphs && precisions.decode !== precisions.prefill
        ? plans(precisions.decode, (finder) => plan.decodeGraphs?.(config, finder, prefix))
        : undefined,
  };
}

/** The weights that the graphs of a part use. */
export function recordedWeights<C, O extends object>(
  { graphs }: WeightPlan<C, O>,
  config: C,
  { store, prefix }: Pick<PartWeights, 'store' | 'prefix'>,
  options: Partial<O> = {},
): RecordedWeight[] {
  return recordWeights(
    (finder) => graphs(config, finder, prefix, options),
    (name) => store.tensors.has(name),
  );
}

/** The plans of a part as a list, one per file of converted weights. */
export function plannedFiles({ prefill, decode }: PartPlans): PlannedWeight[][] {
  return [prefill, decode].flatMap((plan) => (plan ? [plan] : []));
}

/**
 * The same part with its weights converted as planned. `label` starts the names of the files.
 * @throws Blip2Error the codes of `convertedWeights`.
 */
export async function convertPartWeights<W extends PartWeights>(
  weights: W,
  { prefill, decode }: PartPlans,
  label: string,
  options?: ConversionOptions,
): Promise<W> {
  if (!prefill) return weights;
  const files = [prefill, ...(decode ? [decode] : [])];
  // At the same time, so that large checkpoints are read from disk once. Both have ended before an error is thrown.
  const results = await Promise.allSettled(files.map((plan) => convertedWeights(weights.store, plan, label, options)));
  const [store = weights.store, decodeStore] = results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
  return { ...weights, store, original: weights.store, ...(decodeStore && { decodeStore }) };
}
