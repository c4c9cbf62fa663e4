import type { CheckpointOrigin } from '@blip2/checkpoint';
import type { Failure } from '../failure.ts';

/** The parts of a BLIP-2 model, as `inspect` names them. */
export type PartName = 'vision' | 'qformer' | 'projection' | 'language' | 'other';
/** Precisions that a model can be held in: float32, dynamic 8-bit, 8-bit and 4-bit in blocks. */
export type Precision = 'fp32' | 'int8' | 'q8' | 'q4';

export interface PartReport {
  readonly part: PartName;
  readonly parameters: number;
  /** As stored. */
  readonly bytes: number;
  readonly tensors: number;
  /** How the floating-point tensors are stored: `F32`, `F16`, `BF16`. */
  readonly dtypes: readonly string[];
}

export interface MemoryReport {
  /** To caption one image in float32 without reading weights from disk again: all weights and the cache of one text. */
  readonly neededBytes: number;
  /** Of these, weights that are mapped where they lie and cost no memory of the process. */
  readonly mappedBytes: number;
  /** Memory that this process may use, by the machine or by the container's limit. */
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly fits: boolean;
}

/** One number per part; `language` is absent where the checkpoint has no language model. */
export interface PartSizes {
  readonly vision: number;
  readonly qformer: number;
  readonly language?: number;
}

/** What `blip2 inspect` knows about a folder. What could not be read is absent, and `unsupported` says why. */
export interface CheckpointReport {
  readonly model: string;
  readonly architecture?: string;
  readonly languageModel?: string;
  readonly image?: { readonly size: number; readonly patchSize: number; readonly patches: number };
  readonly tokens?: { readonly queries: number; readonly vocabulary?: number; readonly positions?: number };
  readonly layers?: PartSizes;
  readonly hiddenSizes?: PartSizes;
  /** Whose names the weights have: those of the hub, or those of LAVIS. */
  readonly origin?: CheckpointOrigin;
  /** Tensors that the model needs and the checkpoint lacks, and those that it does not read, by their names in the Hugging Face layout. */
  readonly missing?: readonly string[];
  readonly unexpected?: readonly string[];
  readonly files?: number;
  readonly parameters?: number;
  readonly parts?: readonly PartReport[];
  /** Of the weights: as stored, and about what they are in each precision. */
  readonly bytes?: Readonly<Record<'stored' | Precision, number>>;
  /** The precisions that run in this version. */
  readonly runs: readonly Precision[];
  readonly memory?: MemoryReport;
  /** Why it does not run here; empty if it does. */
  readonly unsupported: readonly Failure[];
}
