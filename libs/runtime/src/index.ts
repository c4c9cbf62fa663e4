export { endPartWorkers, exitNow, exitWhenIdle } from './cooperative-exit.ts';
export { createSession } from './create-session.ts';
export { expectDevice } from './devices.ts';
export { type LazySessions, lazySessions, type PartOptions } from './lazy-sessions.ts';
export type { PartSpec } from './part-export.ts';
export { createPartHost, type PartHost, type PartHostOptions } from './part-host.ts';
export { asRows, rowsTensor } from './rows.ts';
export { type DefaultThreads, defaultThreads, type ThreadUse } from './threads/default-threads.ts';
