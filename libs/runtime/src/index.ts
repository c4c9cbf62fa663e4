export { createSession } from './create-session.ts';
export { lazySessions, type LazySessions, type PartOptions } from './lazy-sessions.ts';
export { asRows, rowsTensor } from './rows.ts';
