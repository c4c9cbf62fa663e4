/* Limits on `tokenizer.json` files and texts, so that hostile ones are rejected instead of stalling the process. */

/** Maximum size of `tokenizer.json` in bytes. The largest stock file (256,000 pieces) has 17 MB. */
export const MAX_TOKENIZER_BYTES: number = 32 * 1024 * 1024;
/** Exclusive upper bound of ids: 16 times the largest vocabulary in use. */
export const MAX_TOKEN_ID: number = 2 ** 22;
/** Maximum number of tokens, of pieces and of merges of a model. The largest in use (XLM-V) has 902,000 pieces. */
export const MAX_VOCABULARY_SIZE: number = 2 ** 20;
/** Maximum length of all tokens of a model together, in UTF-16 code units; each takes up to 30 bytes of memory. */
export const MAX_VOCABULARY_UNITS: number = 2 ** 23;
/** Maximum length of a text in UTF-16 code units: about 8,000 tokens, four times the positions of OPT. */
export const MAX_TEXT_LENGTH: number = 32 * 1024;
/** Maximum length of a vocabulary entry in UTF-16 code units; matching compares up to as many per position. */
export const MAX_TOKEN_LENGTH = 1024;
/** Likewise for pieces of a Unigram model. */
export const MAX_PIECE_LENGTH = 128;
/** Maximum number of added tokens. */
export const MAX_ADDED_TOKENS = 4096;
/** Maximum length of all added tokens together, in UTF-16 code units. */
export const MAX_ADDED_UNITS: number = 2 ** 20;
/** Maximum word length of WordPiece in characters; stock files have 100. */
export const MAX_WORD_CHARACTERS = 256;
/** Maximum number and nesting depth of components per stage. */
export const MAX_COMPONENTS = 16;
/** Maximum length of a string that a `Prepend`, `Replace` or `Strip` inserts, in UTF-16 code units. */
export const MAX_INSERTED_LENGTH = 64;
/** Maximum length of a replacement in a precompiled character map, in UTF-8 bytes. NFKC has 33 at most. */
export const MAX_REPLACEMENT_BYTES = 256;
/**
 * Maximum length of a text between two stages, in UTF-16 code units. NFKC multiplies the length of a text by up to 18;
 * consecutive replacements could multiply it without bound.
 */
export const MAX_NORMALIZED_LENGTH: number = 20 * MAX_TEXT_LENGTH;
/** Maximum number of special tokens that a template adds to a text. */
export const MAX_TEMPLATE_TOKENS = 64;
/**
 * Maximum number of elementary steps per text, less than a second. Texts of maximum length take 1 to 6 million with
 * stock tokenizers, and 22 million if each character becomes 18 others.
 */
export const MAX_STEPS: number = 3 * 2 ** 24;
