/** Module that a child process imports to load a graph for a thread of its parent. */
import type { Session, SessionOptions } from '@blip2/interfaces';

import { createSession } from './create-session.ts';
import type { SessionSource } from './remote-session.ts';

export function createSessionPart({ graph, ...model }: SessionSource, options: SessionOptions): Promise<Session> {
  return createSession({ ...model, serialize: () => graph }, options);
}
