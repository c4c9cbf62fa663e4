import type { CheckpointOrigin } from '@blip2/checkpoint';
import type { PrecisionChoice, ThreadChoice } from '@blip2/interfaces';
import type { CoreKind, RowTiming, ThreadReason, ThreadTiming } from '@blip2/runtime';

import type { Failure } from '../../failure.ts';

/** Names of the model components in reports. */
export type PartName = 'vision' | 'qformer' | 'projection' | 'language' | 'other';
/** A precision of the whole model, as in `--dtype`. */
export type Precision = PrecisionChoice;

export interface PrecisionSize {
  /** All weights that are read: converted files, and the rest of the checkpoint. */
  readonly bytes: number;
  /** Files that are converted once and kept in the cache of converted weights. */
  readonly convertedBytes: number;
  /** Weights that are not mapped in place: prepacked integers, and float16 or bfloat16 converted to float32. */
  readonly heapBytes: number;
}

export interface TaskReport {
  /** A command, or a command with an option. */
  readonly task: string;
  readonly parts: readonly (PartName | 'heads')[];
}

/** Size of the download of a model that is not in the cache. */
export interface DownloadReport {
  readonly totalBytes: number;
  readonly missingBytes: number;
  readonly licence?: string;
}

export interface PartReport {
  readonly part: PartName;
  readonly parameters: number;
  /** As stored. */
  readonly bytes: number;
  readonly tensors: number;
  /** Data types of the parameters: `F32`, `F16`, `BF16`, or an integer type, which cannot be run. */
  readonly dtypes: readonly string[];
}

export interface MemoryReport {
  /** Memory to process one image in float32 without rereading weights: weights, the KV cache of one text, overhead. */
  readonly neededBytes: number;
  /** Weights that are mapped in place, and do not count as memory of the process. */
  readonly mappedBytes: number;
  /** Memory that this process may use: that of the machine, or the limit of the container. */
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly fits: boolean;
  /** Requirements of each precision. */
  readonly byPrecision: Readonly<Record<Precision, { readonly neededBytes: number; readonly fits: boolean }>>;
}

/** Threads of the model on this machine. Absent numbers are left to onnxruntime. */
export interface ThreadReport extends Partial<ThreadChoice> {
  /** Where the numbers come from. */
  readonly reason: ThreadReason;
  /** Logical processors that this process may use, and its CPU quota in processors. */
  readonly processors: number;
  readonly quota?: number;
  /** Physical cores by kind, fastest first, as far as the system tells. */
  readonly cores?: readonly CoreKind[];
  /** What the environment pins. */
  readonly pinned?: Partial<ThreadChoice>;
  /** The measurement, in milliseconds. */
  readonly timings?: readonly ThreadTiming[];
  readonly rowTimings?: readonly RowTiming[];
  /** The file that keeps it. */
  readonly file?: string;
}

/** One number per component that the checkpoint has. */
export interface PartSizes {
  readonly vision?: number;
  readonly qformer?: number;
  readonly language?: number;
}

/** The report of `blip2 inspect`. Members that could not be read are absent; `unsupported` has the reason. */
export interface CheckpointReport {
  readonly model: string;
  readonly architecture?: string;
  readonly languageModel?: string;
  readonly image?: { readonly size: number; readonly patchSize: number; readonly patches: number };
  readonly tokens?: { readonly queries?: number; readonly vocabulary?: number; readonly positions?: number };
  readonly layers?: PartSizes;
  readonly hiddenSizes?: PartSizes;
  /** Naming scheme of the weights: Hugging Face or LAVIS. */
  readonly origin?: CheckpointOrigin;
  /** Tensors that the checkpoint lacks, and those that the model does not read, by their Hugging Face names. */
  readonly missing?: readonly string[];
  readonly unexpected?: readonly string[];
  readonly files?: number;
  readonly parameters?: number;
  readonly parts?: readonly PartReport[];
  /** Bytes of the weights: as stored, and as read in each precision. */
  readonly bytes?: Readonly<Record<'stored' | Precision, number>>;
  readonly precisions?: Readonly<Record<Precision, PrecisionSize>>;
  /** The commands that work, with the components that each loads; not all of them if `unsupported` has a reason. */
  readonly tasks?: readonly TaskReport[];
  /** Present if the model is not in the cache; configuration and headers were then read from the hub. */
  readonly download?: DownloadReport;
  /** Precisions that this version can run. */
  readonly runs: readonly Precision[];
  readonly memory?: MemoryReport;
  readonly threads?: ThreadReport;
  /** Why the checkpoint does not run; empty if it does. */
  readonly unsupported: readonly Failure[];
}
