import type { CheckpointOrigin } from '@blip2/checkpoint';
import type { PrecisionChoice } from '@blip2/interfaces';

import type { Failure } from '../../failure.ts';

/** The parts of a BLIP-2 model, as `inspect` names them. */
export type PartName = 'vision' | 'qformer' | 'projection' | 'language' | 'other';
/** What `--dtype` takes for a whole model. */
export type Precision = PrecisionChoice;

export interface PrecisionSize {
  /** Of all weights that are read: converted files, and what is read from the checkpoint beside them. */
  readonly bytes: number;
  /** Of the files that are made once and kept in the cache of converted weights. */
  readonly convertedBytes: number;
  /** Of the weights that do not stay mapped from files: integers that are packed, narrow floats that are widened. */
  readonly heapBytes: number;
}

export interface TaskReport {
  /** A command, or an option of one. */
  readonly task: string;
  readonly parts: readonly (PartName | 'heads')[];
}

/** What a download of a model that is not here would bring. */
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
  /** How the floating-point tensors are stored: `F32`, `F16`, `BF16`. */
  readonly dtypes: readonly string[];
}

export interface MemoryReport {
  /**
   * To work on one image in float32 without reading weights from disk again: all weights, the cache of one text, and
   * working memory.
   */
  readonly neededBytes: number;
  /** Of these, weights that are mapped where they lie and cost no memory of the process. */
  readonly mappedBytes: number;
  /** Memory that this process may use, by the machine or by the container's limit. */
  readonly totalBytes: number;
  readonly availableBytes: number;
  readonly fits: boolean;
  /** The same for each precision. */
  readonly byPrecision: Readonly<Record<Precision, { readonly neededBytes: number; readonly fits: boolean }>>;
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
  /**
   * Tensors that the model needs and the checkpoint lacks, and those that it does not read, by their names in the
   * Hugging Face layout.
   */
  readonly missing?: readonly string[];
  readonly unexpected?: readonly string[];
  readonly files?: number;
  readonly parameters?: number;
  readonly parts?: readonly PartReport[];
  /** Of the weights: as stored, and as read in each precision. */
  readonly bytes?: Readonly<Record<'stored' | Precision, number>>;
  readonly precisions?: Readonly<Record<Precision, PrecisionSize>>;
  /** What each command loads. */
  readonly tasks?: readonly TaskReport[];
  /** Only if the model is not here: then configuration and headers were read from the hub. */
  readonly download?: DownloadReport;
  /** The precisions that run in this version. */
  readonly runs: readonly Precision[];
  readonly memory?: MemoryReport;
  /** Why it does not run here; empty if it does. */
  readonly unsupported: readonly Failure[];
}
