import { expectFinite, type SessionFactory } from '@blip2/interfaces';
import { createSession as createOnnxSession, type PartOptions } from '@blip2/runtime';

/** Options whose sessions check each output; a value that is NaN or infinite is `NOT_FINITE`, with the part's name. */
export function withFiniteOutputs(part: string, options: PartOptions): PartOptions {
  const { createSession: open = createOnnxSession } = options;
  const createSession: SessionFactory = async (model, settings) => {
    const session = await open(model, settings);
    const checked: typeof session = {
      async run(inputs) {
        const outputs = await session.run(inputs);
        for (const { type, dims, data } of Object.values(outputs))
          if (type === 'float32') expectFinite(part, { type, dims, data });
        return outputs;
      },
      settle: async () => session.settle?.(),
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    };
    return checked;
  };
  return { ...options, createSession };
}
