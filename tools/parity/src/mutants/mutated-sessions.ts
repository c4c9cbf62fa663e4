import type { OnnxModel, Session, SessionFactory, SessionOptions, Signature, Tensor } from '@blip2/interfaces';
import { decodeModel, encodeModel } from '@blip2/onnx';
import { createSession } from '@blip2/runtime';

import type { Mutation } from './mutation.ts';

/** A session factory that applies a mutation to graphs before they are loaded, and to the inputs of each run. */
export function mutatedSessions({ graph, feed }: Pick<Mutation, 'graph' | 'feed'>): SessionFactory {
  const mutate = async (model: OnnxModel): Promise<Uint8Array> => {
    if (!graph) return model.serialize();
    const proto = await decodeModel(model.serialize());
    graph(proto, model.name);
    return encodeModel(proto);
  };
  return async <S extends Signature>(model: OnnxModel<S>, options?: SessionOptions): Promise<Session<S>> => {
    const bytes = await mutate(model);
    const session = await createSession({ ...model, serialize: () => bytes }, options);
    const change = feed?.();
    if (!change) return session;
    return {
      run: (inputs) => {
        change(new Map(Object.entries<Tensor>(inputs)), model.name);
        return session.run(inputs);
      },
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    };
  };
}
