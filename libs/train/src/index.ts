export type { ExampleFault, ExampleProblem } from './examples/training-example.ts';
export type { RunPlan } from './run/run-plan.ts';
export type { StepReport } from './run/step-log.ts';
export { train, type TrainOptions, type TrainResult } from './run/train.ts';
export type { TrainSettingOptions } from './run/train-settings.ts';
export type { PreparedRun } from './run/trainer-port.ts';
export type { ValidationReport, ValidationSample } from './validation/validation-report.ts';
