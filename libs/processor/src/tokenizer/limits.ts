/* Limits on `tokenizer.json` files and texts, so that hostile ones are rejected instead of stalling the process. */

/** Maximum size of `tokenizer.json` in bytes. The largest stock file (256,000 pieces) has 17 MB. */
export const MAX_TOKENIZER_BYTES: number = 32 * 1024 * 1024;
/**
 * Exclusive upper bound of ids: 16 times the largest vocabulary in use. Vocabularies are arrays up to the largest id.
 */
export const MAX_TOKEN_ID: number = 2 ** 22;
/** Maximum length of a text in UTF-16 code units: about 8,000 tokens, four times the positions of OPT. */
export const MAX_TEXT_LENGTH: number = 32 * 1024;
/** Maximum length of a vocabulary entry in UTF-16 code units; matching compares up to as many per position. */
export const MAX_TOKEN_LENGTH = 1024;
/** Likewise for pieces of a Unigram model, where each match becomes a node of the lattice. */
export const MAX_PIECE_LENGTH = 128;
/** Maximum number of added tokens; each is compared with every position of a text. */
export const MAX_ADDED_TOKENS = 4096;
/** Maximum word length of WordPiece in characters. Its cost is cubic in the length; stock files have 100. */
export const MAX_WORD_CHARACTERS = 256;
/** Maximum number and nesting depth of components per stage. */
export const MAX_COMPONENTS = 16;
/** Maximum length of a string that a `Prepend`, `Replace` or `Strip` inserts, in UTF-16 code units. */
export const MAX_INSERTED_LENGTH = 64;
/** Maximum length of a normalised text: 16 consecutive replacements could otherwise multiply it without bound. */
export const MAX_NORMALIZED_LENGTH: number = 32 * MAX_TEXT_LENGTH;
/** Maximum number of special tokens that a template adds to a text. */
export const MAX_TEMPLATE_TOKENS = 64;
