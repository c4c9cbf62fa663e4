import {
  Blip2Error,
  defined,
  type OnnxModel,
  type PrecisionChoice,
  type Session,
  type SessionFactory,
  type SessionOptions,
  type Signature,
} from '@blip2/interfaces';

import { createSession as createOnnxSession } from './create-session.ts';

export interface PartOptions extends SessionOptions {
  /** Precision of linear layers. Default `fp32`, which maps float32 checkpoints in place. */
  readonly dtype?: PrecisionChoice;
  /** Default: `createSession` of this package. */
  readonly createSession?: SessionFactory;
}

/** The sessions of one part. Each is created once, on first use; all are released together. */
export interface LazySessions extends AsyncDisposable {
  /**
   * Returns the session of this name. The first call creates it over the graph that `build` returns; a failure is not
   * kept.
   *
   * @throws Blip2Error `DISPOSED` after disposal.
   */
  get<S extends Signature>(name: string, build: () => OnnxModel<S>): Promise<Session<S>>;
  /** Does ahead what would delay the second run of each session that has run once, one after another. */
  settle(): Promise<void>;
}

/** Creates the sessions of a part, whose name (such as `vision encoder`) is used in messages. */
export function lazySessions(
  part: string,
  { createSession = createOnnxSession, threads, device, repeated }: PartOptions = {},
): LazySessions {
  const options: SessionOptions = defined({ threads, device, repeated });
  const sessions = new Map<string, Promise<Session>>();
  let disposed = false;
  return {
    async get<S extends Signature>(name: string, build: () => OnnxModel<S>): Promise<Session<S>> {
      if (disposed) throw new Blip2Error('DISPOSED', `This ${part} has been disposed`, { fix: 'Load it again' });
      const known = sessions.get(name);
      // A name belongs to one graph, hence to one signature.
      if (known) return (await known) as Session<S>;
      const created = Promise.resolve().then(() => createSession(build(), options));
      sessions.set(name, created as Promise<Session>);
      created.catch(() => sessions.delete(name));
      return created;
    },
    async settle() {
      for (const session of [...sessions.values()]) await (await session).settle?.();
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
