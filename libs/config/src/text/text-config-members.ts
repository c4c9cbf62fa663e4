import type { PartConfig } from '../schema/define-config.ts';

/** Fields that the configurations of all language models store. */
export interface CommonTextFields {
  readonly vocabSize: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenId: number | readonly number[] | undefined;
  readonly padTokenId: number | undefined;
  readonly outputHiddenStates: boolean;
  readonly outputAttentions: boolean;
}

/** What the configurations of all language models have in common. */
export interface TextConfigMembers extends PartConfig, CommonTextFields {
  readonly isEncoderDecoder: boolean;
  /** Width of the hidden states, which is that of the language projection. */
  readonly hiddenSize: number;
}
