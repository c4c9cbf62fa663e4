export { createSession } from './create-session.ts';
export { lazySessions, type LazySessions, type LazySessionsOptions } from './lazy-sessions.ts';
