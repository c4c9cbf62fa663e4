import {
  Blip2Error,
  type OnnxModel,
  type PrecisionChoice,
  type Session,
  type SessionFactory,
  type SessionOptions,
  type Signature,
} from '@blip2/interfaces';

import { createSession as createOnnxSession } from './create-session.ts';

export interface PartOptions extends SessionOptions {
  /** How linear layers are held. Default `fp32`, which reads float32 checkpoints where they lie. */
  readonly dtype?: PrecisionChoice;
  /** Default: `createSession` of this package. */
  readonly createSession?: SessionFactory;
}

/** The sessions of one part: each is made on first use, once, and all are released together. */
export interface LazySessions extends AsyncDisposable {
  /** The session of this name; `write` gives its graph if it has not been asked for before. */
  get<S extends Signature>(name: string, write: () => OnnxModel<S>): Promise<Session<S>>;
}

export function lazySessions(
  part: string,
  { createSession = createOnnxSession, threads, device }: PartOptions = {},
): LazySessions {
  const options: SessionOptions = {
    ...(threads !== undefined && { threads }),
    ...(device !== undefined && { device }),
  };
  const sessions = new Map<string, Promise<Session>>();
  let disposed = false;
  return {
    async get<S extends Signature>(name: string, write: () => OnnxModel<S>): Promise<Session<S>> {
      if (disposed) throw new Blip2Error('DISPOSED', `This ${part} has been disposed`, { fix: 'Load it again' });
      const known = sessions.get(name);
      // A name belongs to one graph, hence to one signature.
      if (known) return (await known) as Session<S>;
      const made = Promise.resolve().then(() => createSession(write(), options));
      sessions.set(name, made as Promise<Session>);
      made.catch(() => sessions.delete(name));
      return made;
    },
    async [Symbol.asyncDispose]() {
      disposed = true;
      const opened = [...sessions.values()];
      sessions.clear();
      for (const result of await Promise.allSettled(opened)) {
        if (result.status === 'fulfilled') await result.value[Symbol.asyncDispose]();
      }
    },
  };
}
