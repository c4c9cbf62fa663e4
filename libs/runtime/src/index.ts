export { expectDevice } from './onnxruntime/devices.ts';
export { createSession } from './session/create-session.ts';
export { type LazySessions, lazySessions, type PartOptions } from './session/lazy-sessions.ts';
export { type DefaultThreads, defaultThreads, type ThreadUse } from './threads/default-threads.ts';
export { asRows, rowsTensor } from './token-rows.ts';
export { endPartWorkers, exitNow, exitWhenIdle } from './worker/cooperative-exit.ts';
export { createPartHost, effectiveIsolation } from './worker/create-part-host.ts';
export type { PartSpec } from './worker/part-export.ts';
export type { Isolation, PartHost, PartHostOptions } from './worker/part-host.ts';
