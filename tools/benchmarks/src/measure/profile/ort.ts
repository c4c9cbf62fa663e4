import { requireFrom } from '../machine.ts';

/** A tensor of onnxruntime. */
export interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: unknown;
}

/** A session of onnxruntime, as far as profiles need it. */
export interface OrtSession {
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
  endProfiling(): void;
  release(): Promise<void>;
}

interface Ort {
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OrtSession>;
  };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => OrtTensor;
}

/** onnxruntime itself: `@blip2/runtime` does not expose its profiler. */
export const ort: Ort = requireFrom('libs/runtime')('onnxruntime-node') as Ort;
