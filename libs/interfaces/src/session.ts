import type { InputsOf, OutputsOf, Signature } from './signature.ts';

/** A written graph: its protobuf bytes, its signature, and the folder in which its weights lie. */
export interface OnnxModel<S extends Signature = Signature> {
  readonly name: string;
  readonly signature: S;
  /** Absolute path; external data is named relative to it. Absent if the graph has none. */
  readonly weightsFolder?: string;
  /**
   * When weights are to be laid out anew for their kernels. `onLoad`: kernels for blocks are many times slower without.
   * `afterFirstRun`: those for bytes are slower by a few
   * hundredths to a third, which is less than it takes to lay weights out. Absent: never, as float32 kernels would copy
   * every weight for nothing.
   */
  readonly prepack?: 'onLoad' | 'afterFirstRun';
  /** Written as the runtime's kernels want it: its own optimizer would find nothing, and need not look. */
  readonly optimized?: true;
  /**
   * Absolute path of a folder in which prepacked weights may be kept for the next load; it need not exist. They are
   * kept only if a session over them returns bit by bit what the session returned that it replaces.
   */
  readonly packedFolder?: string;
  /** @param target What the machine that is to load it asks for. */
  serialize(target?: GraphTarget): Uint8Array;
}

/** Bits of activations in products of bytes. */
export type ActivationBits = 7 | 8;

/** What a machine's kernels ask of a graph. */
export interface GraphTarget {
  /**
   * Default 8. With 7 bits the sum of two products fits into 16 bits, which is all that x86 without VNNI has for it.
   */
  readonly activationBits?: ActivationBits;
}

/** A loaded graph. Runs are not interruptible; one at a time. */
export interface Session<S extends Signature = Signature> extends AsyncDisposable {
  run(inputs: InputsOf<S>): Promise<OutputsOf<S>>;
}

export interface SessionOptions {
  /**
   * Threads within one operator. Default, on the processor: measured for this machine, unless the weights are small;
   * then,
   * and on other devices, the number of physical cores that the runtime sees.
   */
  readonly threads?: number;
  /** Execution provider. Default `cpu`. */
  readonly device?: string;
}

/** Loads a graph. The default is `createSession` of `@blip2/runtime`; tests and tools wrap it. */
export type SessionFactory = <S extends Signature>(
  model: OnnxModel<S>,
  options?: SessionOptions,
) => Promise<Session<S>>;
