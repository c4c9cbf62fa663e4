import type { ErrorCode } from '@blip2/interfaces';

import type { StateValues } from '../run/state-slots.ts';
import type { AdamWSettings } from './adam-w.ts';

/** A tensor that is trained. */
export interface OptimizedTensor {
  readonly name: string;
  readonly dims: readonly number[];
}

/** What the thread of the optimizer is started with. */
export interface OptimizerData {
  readonly tensors: readonly OptimizedTensor[];
  readonly settings: AdamWSettings & { readonly maxNorm: number };
  /** Moments of the tensors, if a run is resumed; in the order of `tensors`. */
  readonly moments: readonly { readonly first: Float32Array; readonly second: Float32Array }[] | undefined;
  /** Folder of the states of the run. */
  readonly folder: string;
  /** The slot that the next save writes. */
  readonly nextSlot: number;
}

/** One step. Weights and gradients are transferred, and the weights come back. */
export interface UpdateRequest {
  readonly kind: 'update';
  readonly weights: readonly Float32Array[];
  readonly gradients: readonly Float32Array[];
  readonly learningRate: number;
  /** Number of this step, from 1. */
  readonly step: number;
  /** Saves the state after the step, while the caller continues with the next one. */
  readonly save: StateValues | undefined;
}

/** Saves the state as it is. The weights are copied. */
export interface SaveRequest {
  readonly kind: 'save';
  readonly weights: readonly Float32Array[];
  readonly values: StateValues;
}

/** Answered once nothing is being written. */
export interface EndRequest {
  readonly kind: 'end';
}

export type OptimizerRequest = UpdateRequest | SaveRequest | EndRequest;

export type OptimizerReply =
  | {
      readonly kind: 'updated';
      readonly weights: readonly Float32Array[];
      /** Norm of all gradients; the step is not made if it is not finite. */
      readonly norm: number;
    }
  | { readonly kind: 'saved' }
  | { readonly kind: 'ended' }
  /** The save that was requested failed; `background`: that of an earlier update. */
  | { readonly kind: 'failed' | 'background'; readonly code: ErrorCode; readonly message: string };
