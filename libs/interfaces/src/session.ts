import type { InputsOf, OutputsOf, Signature } from './signature.ts';

/** A written graph: its protobuf bytes, its signature, and the folder in which its weights lie. */
export interface OnnxModel<S extends Signature = Signature> {
  readonly name: string;
  readonly signature: S;
  /** Absolute path; external data is named relative to it. Absent if the graph has none. */
  readonly weightsFolder?: string;
  /** Weights are to be laid out anew for their kernels when the graph is loaded: integer kernels need it, float32 ones would copy every weight for nothing. Default false. */
  readonly prepack?: boolean;
  /** Absolute path of a folder in which these laid-out weights may be kept for the next time; it need not exist. */
  readonly packedFolder?: string;
  serialize(): Uint8Array;
}

/** A loaded graph. Runs are not interruptible; one at a time. */
export interface Session<S extends Signature = Signature> extends AsyncDisposable {
  run(inputs: InputsOf<S>): Promise<OutputsOf<S>>;
}

export interface SessionOptions {
  /** Threads within one operator. Default: the number of physical cores that the runtime sees. */
  readonly threads?: number;
  /** Execution provider. Default `cpu`. */
  readonly device?: string;
}

/** Loads a graph. The default is `createSession` of `@blip2/runtime`; tests and tools wrap it. */
export type SessionFactory = <S extends Signature>(model: OnnxModel<S>, options?: SessionOptions) => Promise<Session<S>>;
