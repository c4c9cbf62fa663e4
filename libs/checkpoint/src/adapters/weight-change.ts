import type { StoredTensor } from '@blip2/interfaces';

/**
 * A low-rank update of a weight matrix `W [out, in]`: `W + scaling · B · A`. With a magnitude `m` (DoRA), each row `i`
 * of that sum is rescaled to the norm `m[i]`.
 */
export interface LowRankChange {
  readonly kind: 'lowRank';
  /** `A`, `[rank, in]`; the kernel of a convolution has further axes. */
  readonly a: StoredTensor;
  /** `B`, `[out, rank]`. */
  readonly b: StoredTensor;
  readonly rank: number;
  readonly scaling: number;
  /** Whether the tensor is stored as `[in, out]`: `Conv1D` of GPT-2, and embeddings. */
  readonly transposed: boolean;
  /** `[out]`, of DoRA. */
  readonly magnitude?: StoredTensor;
}

/** `W + scaling · tensor`, of a bias. */
export interface AddedChange {
  readonly kind: 'added';
  /** Of the shape of `W`. */
  readonly tensor: StoredTensor;
  readonly scaling: number;
}

/** A change that an adapter makes to one tensor. Several changes of a tensor add up, each relative to the base. */
export type WeightChange = LowRankChange | AddedChange;

/** The changes of each tensor, by its name. */
export type WeightChanges = ReadonlyMap<string, readonly WeightChange[]>;

/** The tensors that a change is computed from. */
export function changeTensors(change: WeightChange): readonly StoredTensor[] {
  if (change.kind === 'added') return [change.tensor];
  return [change.a, change.b, ...(change.magnitude ? [change.magnitude] : [])];
}
