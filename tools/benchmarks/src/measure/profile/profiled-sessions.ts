import { join } from 'node:path';

import {
  defined,
  type OnnxModel,
  type OutputsOf,
  type Session,
  type SessionFactory,
  type SessionOptions,
  type Signature,
} from '@blip2/interfaces';

import { ort, type OrtSession } from './ort.ts';

/** Sessions that write a profile. */
export interface ProfiledSessions {
  readonly createSession: SessionFactory;
  /** Writes the profile of every session: one JSON file each, in the order in which the sessions were created. */
  endProfiling(): void;
}

/** Creates sessions that write their profiles to `folder`. */
export function profiledSessions(folder: string): ProfiledSessions {
  const sessions: OrtSession[] = [];
  const createSession: SessionFactory = async <S extends Signature>(
    model: OnnxModel<S>,
    { threads }: SessionOptions = {},
  ): Promise<Session<S>> => {
    const number = String(sessions.length).padStart(2, '0');
    const session = await ort.InferenceSession.create(model.serialize(), {
      executionMode: 'sequential',
      enableMemPattern: false,
      logSeverityLevel: 4,
      enableProfiling: true,
      profileFilePrefix: join(folder, `${number}-${model.name}`),
      ...defined({ intraOpNumThreads: threads }),
      extra: {
        session: {
          'intra_op.spin_duration_us': '1000',
          ...(model.prepack === undefined && { disable_prepacking: '1' }),
          model_external_initializers_file_folder_path: model.weightsFolder,
        },
      },
    });
    sessions.push(session);
    return wrapped<S>(session);
  };
  return {
    createSession,
    endProfiling() {
      for (const session of sessions) session.endProfiling();
    },
  };
}

function wrapped<S extends Signature>(session: OrtSession): Session<S> {
  return {
    async run(inputs) {
      const feeds = Object.entries(inputs).map(([name, { type, dims, data }]) => [
        name,
        new ort.Tensor(type, data, dims),
      ]);
      const outputs = await session.run(Object.fromEntries(feeds));
      return Object.fromEntries(
        Object.entries(outputs).map(([name, { type, dims, data }]) => [name, { type, dims, data }]),
      ) as OutputsOf<S>;
    },
    [Symbol.asyncDispose]: () => session.release(),
  };
}
