import { moduleUrl } from '@blip2/files';
import {
  defined,
  type OnnxModel,
  type Session,
  type SessionFactory,
  type SessionOptions,
  type Signature,
} from '@blip2/interfaces';

import { hasExactByteProducts } from '../onnxruntime/processor-features.ts';
import { createPartHost } from '../worker/create-part-host.ts';
import type { PartHost } from '../worker/part-host.ts';

/** A graph as data. */
export interface SessionSource extends Omit<OnnxModel, 'serialize'> {
  readonly graph: Uint8Array;
}

const sessionPart = (): URL =>
  moduleUrl('runtime/session/session-part.js', () => new URL('./session-part.js', import.meta.url));

/** The host of all remote sessions of this thread. */
let host: PartHost | undefined;

/**
 * Loads a graph in a child process: for threads in which onnxruntime must not be loaded. Inputs and outputs are
 * copied; parts in a part host keep key-value caches in its process instead.
 */
export const createRemoteSession: SessionFactory = async <S extends Signature>(
  { serialize, ...model }: OnnxModel<S>,
  options: SessionOptions = {},
): Promise<Session<S>> => {
  host ??= createPartHost({ isolate: 'process' });
  const { name, signature, weightsFolder, weightFiles, prepack, optimized, packedFolder } = model;
  const source: SessionSource = {
    name,
    signature,
    graph: serialize({ activationBits: hasExactByteProducts() ? 8 : 7 }),
    ...defined({ weightsFolder, weightFiles, prepack, optimized, packedFolder }),
  };
  return host.create<Session<S>>({ module: sessionPart(), export: 'createSessionPart', args: [source, options] });
};
