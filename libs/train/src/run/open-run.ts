import type { ExampleIds } from '../examples/token-rows.ts';
import type { CachedFeatures } from '../features/cache-features.ts';
import type { Optimizer } from '../optimizer/start-optimizer.ts';
import type { ExampleOrder } from '../order/example-order.ts';
import type { ValidationSet } from '../validation/validate.ts';
import type { RunPlan } from './run-plan.ts';
import type { TrainingModel } from './training-model.ts';

/** Everything of a run that is open. */
export interface OpenRun {
  readonly model: TrainingModel;
  readonly features: CachedFeatures;
  readonly optimizer: Optimizer;
  readonly ids: readonly ExampleIds[];
  readonly order: ExampleOrder;
  readonly plan: RunPlan;
  /** The folder of the state and the logs. */
  readonly folder: string;
  readonly validation: ValidationSet | undefined;
}
