export { expectDevice } from './onnxruntime/devices.ts';
export { type VerifiedPrepacked, verifyPrepacked } from './prepacked/verify-prepacked.ts';
export { createSession } from './session/create-session.ts';
export { type LazySessions, lazySessions, type PartOptions } from './session/lazy-sessions.ts';
export type { RowTiming, ThreadTiming } from './threads/choose-threads.ts';
export {
  type DefaultThreads,
  defaultThreads,
  type ExplainedThreads,
  explainThreads,
  type ThreadReason,
  type ThreadUse,
} from './threads/default-threads.ts';
export type { CoreKind, ProcessorTopology } from './threads/processor-topology.ts';
export type { UsableProcessors } from './threads/usable-processors.ts';
export { asRows, rowsTensor } from './token-rows.ts';
export { endPartWorkers, exitNow, exitWhenIdle } from './worker/cooperative-exit.ts';
export { createPartHost, effectiveIsolation } from './worker/create-part-host.ts';
export type { PartSpec } from './worker/part-export.ts';
export type { Isolation, PartHost, PartHostOptions } from './worker/part-host.ts';
export { expectModule, importInWorkers, partModules } from './worker/part-modules.ts';
export { moduleUrl } from '@blip2/files';
