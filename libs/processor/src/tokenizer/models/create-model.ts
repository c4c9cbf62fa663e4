import { createBpe } from './bpe.ts';
import type { Encode, TokenizerModel } from './model.ts';
import { createUnigram } from './unigram.ts';
import { createWordLevel, createWordPiece } from './word-piece.ts';

/** Creates the encoder of a model. Its ids equal those of the Rust library, which HF uses. */
export function createModel(model: TokenizerModel): Encode {
  switch (model.type) {
    case 'BPE':
      return createBpe(model);
    case 'Unigram':
      return createUnigram(model);
    case 'WordPiece':
      return createWordPiece(model);
    case 'WordLevel':
      return createWordLevel(model);
  }
}
