import type { WeightStore } from '@blip2/interfaces';

import type { AdaptedModule } from './read-adapter.ts';
import type { TiedEmbeddings } from './tied-names.ts';

/** The part that adapters are applied to. */
export interface AdaptedPart {
  /** What error messages call the part. */
  readonly label: string;
  readonly store: WeightStore;
  /** `''` if the checkpoint holds this part alone. */
  readonly prefix: string;
  /** Path of the part in a whole model; `''` for a whole model. */
  readonly path: string;
  /** Paths of parts that an adapter for a part alone may belong to. Default: that of the part. */
  readonly paths?: readonly string[];
  readonly tied?: TiedEmbeddings;
  /** Path in the checkpoint of the part with tied embeddings. Default: that of the part. */
  readonly tiedPath?: string;
  /** Names of tensors and modules that belong to the part, although they are not below its path. */
  readonly siblings?: readonly string[];
  /** Modules with weights that cannot be changed, only replaced. */
  readonly fixed?: RegExp;
}

/** What adapters make of the weights of a part. */
export interface PlacedAdapters {
  /** The weights of the base; tied weights of which only one is adapted are listed under both names. */
  readonly base: WeightStore;
  /** The same with the tensors that adapters replace. */
  readonly store: WeightStore;
  /** Names of the replaced tensors. */
  readonly replaced: ReadonlySet<string>;
  /** The modules with a low-rank change, by the name of their weight. */
  readonly modules: ReadonlyMap<string, readonly AdaptedModule[]>;
}
