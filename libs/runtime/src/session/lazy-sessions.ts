import {
  Blip2Error,
  defined,
  type OnnxModel,
  type Phase,
  type PrecisionChoice,
  type Session,
  type SessionFactory,
  type SessionOptions,
  type Signature,
  type ThreadChoice,
} from '@blip2/interfaces';

import { createSession as createOnnxSession } from './create-session.ts';

export interface PartOptions extends Omit<SessionOptions, 'threads' | 'phase'> {
  /** Threads within one operator: one number, or by phase. Default: as for a session. */
  readonly threads?: number | Partial<ThreadChoice>;
  /**
   * Rows of every decoding step of a language model: texts at once, times beams. At `fast` they select the weights of
   * all steps. Default: the rows of the first step of each decoding do.
   */
  readonly rows?: number;
  /** Precision of linear layers. Default `fp32`, which maps float32 checkpoints in place. */
  readonly dtype?: PrecisionChoice;
  /** Default: `createSession` of this package. */
  readonly createSession?: SessionFactory;
}

/** The sessions of one part. Each is created once, on first use; all are released together. */
export interface LazySessions extends AsyncDisposable {
  /**
   * Returns the session of this name. The first call creates it over the graph that `build` returns; a failure is not
   * kept. `phase` selects its number of threads, `lookup` is one thread; default `encoder`.
   *
   * @throws Blip2Error `DISPOSED` after disposal.
   */
  get<S extends Signature>(name: string, build: () => OnnxModel<S>, phase?: Phase | 'lookup'): Promise<Session<S>>;
  /** Does ahead what would delay the second run of each session that has run once, one after another. */
  settle(): Promise<void>;
}

/** Creates the sessions of a part, whose name (such as `vision encoder`) is used in messages. */
export function lazySessions(
  part: string,
  { createSession = createOnnxSession, threads, device, repeated }: PartOptions = {},
): LazySessions {
  const optionsOf = (phase: Phase | 'lookup'): SessionOptions => {
    // Waking and spinning threads would take longer than copying a few rows.
    if (phase === 'lookup') return { ...defined({ device, repeated }), threads: 1 };
    const own = typeof threads === 'object' ? threads[phase] : threads;
    return {
      ...defined({ threads: own, device, repeated }),
      ...(own === undefined && phase !== 'encoder' && { phase }),
    };
  };
  const sessions = new Map<string, Promise<Session>>();
  let disposed = false;
  return {
    async get<S extends Signature>(
      name: string,
      build: () => OnnxModel<S>,
      phase: Phase | 'lookup' = 'encoder',
    ): Promise<Session<S>> {
      if (disposed) throw new Blip2Error('DISPOSED', `This ${part} has been disposed`, { fix: 'Load it again' });
      const known = sessions.get(name);
      // A name belongs to one graph, hence to one signature.
      if (known) return (await known) as Session<S>;
      const created = Promise.resolve().then(() => createSession(build(), optionsOf(phase)));
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
