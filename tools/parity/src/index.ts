export {
  findGoldenCases,
  GOLDEN_FORMAT,
  type GoldenCase,
  type GoldenEntry,
  type GoldenImage,
  readGoldenCase,
  type Tolerance,
} from './golden-case.ts';
export type { GoldenTensors } from './golden-tensors.ts';
export type { GoldenValue } from './golden-value.ts';
export { mutantsCommand } from './mutants/mutants-command.ts';
export type { Mutation } from './mutants/mutation.ts';
export { mutations } from './mutants/mutations.ts';
export type { MutationResult } from './mutants/run-mutation.ts';
export { parityCommand, type ParityOutput } from './parity-command.ts';
export { type CaseRun, runCase } from './run-case.ts';
export type { EntryResult } from './run-entry.ts';
