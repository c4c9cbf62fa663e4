export { findGoldenCases, GOLDEN_FORMAT, readGoldenCase, type GoldenCase, type GoldenEntry, type GoldenImage, type Tolerance } from './golden-case.ts';
export type { GoldenTensors } from './golden-tensors.ts';
export type { GoldenValue } from './golden-value.ts';
export { parityCommand, type ParityOutput } from './parity-command.ts';
export { runCase, type CaseRun } from './run-case.ts';
export type { EntryResult } from './run-entry.ts';
