export { createSession } from './create-session.ts';
export { expectDevice } from './devices.ts';
export { lazySessions, type LazySessions, type PartOptions } from './lazy-sessions.ts';
export { asRows, rowsTensor } from './rows.ts';
export { createPartHost, type PartHost, type PartHostOptions } from './part-host.ts';
export type { PartSpec } from './part-export.ts';
export { endPartWorkers, exitNow, exitWhenIdle } from './cooperative-exit.ts';
