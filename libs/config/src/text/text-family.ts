import type { ConfigFormat } from '../schema/define-config.ts';
import type { TextConfigMembers } from './text-config-members.ts';

export interface TextSizes {
  /** Layers with a key-value cache. */
  readonly layers: number;
  /** Positions of the position embeddings; absent if nothing limits them. */
  readonly maxPositions?: number;
  /** Whether a stored head is a copy of the token embedding. */
  readonly hasTiedHead: boolean;
  /** Width of the token embeddings; absent if it is `hiddenSize`. */
  readonly embeddingSize?: number;
}

/** What is known about the licence of a language model in a repository. */
export interface LicenceNote {
  /** Matches the ids of the repositories. */
  readonly repositories: RegExp;
  readonly note: string;
}

/** What a family of language models declares about its configuration. */
export interface TextFamily<C extends TextConfigMembers = TextConfigMembers> {
  readonly format: ConfigFormat<C>;
  sizes(config: C): TextSizes;
  /** The first token of the decoder, of an encoder-decoder model. */
  decoderStartTokenId?(config: C): number | undefined;
  /** Licences that the model cards of composed models do not mention. */
  readonly licences?: readonly LicenceNote[];
}
