import type { InputsOf, OutputsOf, Signature } from './signature.ts';
import type { VersionedFile } from './weights.ts';

/** An ONNX graph: its protobuf bytes, its signature and the folder of its external weights. */
export interface OnnxModel<S extends Signature = Signature> {
  readonly name: string;
  readonly signature: S;
  /** Absolute path that external data is resolved against. Absent if the graph has no external data. */
  readonly weightsFolder?: string;
  /** Versions of the files of external data. The graph is not loaded from others. */
  readonly weightFiles?: readonly VersionedFile[];
  /**
   * When weights are prepacked for their kernels. `onLoad`: block-quantised kernels are many times slower without.
   * `afterFirstRun`: int8 kernels are a few hundredths to a third slower without, which costs less than prepacking for
   * a single run. Absent: never, because prepacking for float32 kernels copies every weight for no gain in speed.
   */
  readonly prepack?: 'onLoad' | 'afterFirstRun';
  /** The graph already uses fused kernels: skip the runtime's optimizer, which would find nothing to fuse. */
  readonly optimized?: true;
  /**
   * Absolute path of the folder in which prepacked weights are cached for the next load; it need not exist. They are
   * cached only if the prepacked session returns exactly the outputs of the session that it replaces.
   */
  readonly packedFolder?: string;
  /** @param target Requirements of the machine that loads the graph. */
  serialize(target?: GraphTarget): Uint8Array;
}

/** Bit width of quantised activations in int8 matrix products. */
export type ActivationBits = 7 | 8;

/** Requirements of a machine's kernels, and of the runtime that reads the graph. */
export interface GraphTarget {
  /** Default 8. With 7 bits the sum of two products fits into the 16-bit accumulators of x86 without VNNI. */
  readonly activationBits?: ActivationBits;
  /**
   * Version of the standard operators. If it is given, the graph passes the ONNX checker. Default: the one that graphs
   * are written in, with operators that onnxruntime registers under the standard's name.
   */
  readonly opset?: number;
  /**
   * `runtime`: also the fused operators of onnxruntime (`com.microsoft`). `standard`: those of the ONNX standard alone;
   * needs `opset`. Default `runtime`.
   */
  readonly operators?: 'runtime' | 'standard';
}

/** A loaded graph. Allows one run at a time; a run cannot be interrupted. */
export interface Session<S extends Signature = Signature> extends AsyncDisposable {
  run(inputs: InputsOf<S>): Promise<OutputsOf<S>>;
  /**
   * Does ahead what would delay the second run: prepacks weights, or maps prepacked ones. Does nothing before the first
   * run.
   */
  settle?(): Promise<void>;
}

/**
 * What a session computes. `encoder`: many rows, as all parts but the language model. `prompt`: the positions of a
 * prompt. `decode`: single tokens, bound by reading weights.
 */
export type Phase = 'encoder' | 'prompt' | 'decode';

/** What is fastest on a machine: threads within one operator, by phase, and which weights decode a batch. */
export interface ThreadChoice extends Readonly<Record<Phase, number>> {
  /** Rows up to which a decoding step at `fast` is faster with 4-bit weights than with 8 bits. */
  readonly fewRows: number;
}

/** Options of loading a graph. */
export interface SessionOptions {
  /**
   * Intra-operator threads. Default on the CPU: measured once for this machine; for small weights, and on other
   * devices, the number of physical cores that the runtime detects.
   */
  readonly threads?: number;
  /** What the session computes, for the default number of threads. Default: `encoder`. */
  readonly phase?: Phase;
  /** Execution provider. Default `cpu`. */
  readonly device?: string;
  /**
   * Whether there will be more than one run. Weights that an earlier run has prepacked are then used from the first run
   * on, which takes longer. Default: false.
   */
  readonly repeated?: boolean;
}

/** Loads a graph. The default is `createSession` of `@blip2/runtime`; tests and tools wrap it. */
export type SessionFactory = <S extends Signature>(
  model: OnnxModel<S>,
  options?: SessionOptions,
) => Promise<Session<S>>;
