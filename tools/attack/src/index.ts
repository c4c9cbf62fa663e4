export { attackCommand, type CommandOutput } from './fuzz/fuzz-command.ts';
export type { RunOptions, TargetResult } from './fuzz/run-target.ts';
export type { OpenTarget, Outcome, Target } from './fuzz/target.ts';
export type { KillScenario, OpenKillScenario } from './kills/kill-scenario.ts';
export { killsCommand } from './kills/kills-command.ts';
export type { KillResult } from './kills/run-kills.ts';
export { mutantProblem, type PromiseMutant, readPromiseMutants } from './promises/promise-mutant.ts';
export { promiseMutantsCommand } from './promises/promise-mutants-command.ts';
export { reliabilityCommand } from './promises/reliability-command.ts';
