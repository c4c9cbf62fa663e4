/**
 * Limits on what a `tokenizer.json` and a text may ask for, so that a hostile one is refused instead of stalling the
 * process.
 */

/** Size of `tokenizer.json`: the largest stock one (a 256,000-piece vocabulary) has 17 MB. */
export const MAX_TOKENIZER_BYTES: number = 32 * 1024 * 1024;
/**
 * Ids lie below this: 16 times the largest vocabulary in use. Vocabularies are held in arrays that grow to the largest
 * id.
 */
export const MAX_TOKEN_ID: number = 2 ** 22;
/** UTF-16 code units of one text: some 8,000 tokens, four times what OPT can hold. */
export const MAX_TEXT_LENGTH: number = 32 * 1024;
/** UTF-16 code units of one vocabulary entry; every position of a text is compared with up to as many. */
export const MAX_TOKEN_LENGTH = 1024;
/** The same for pieces of a Unigram model, of which every match becomes a node of the lattice. */
export const MAX_PIECE_LENGTH = 128;
/** Tokens beside the model's vocabulary; every position of a text is compared with them. */
export const MAX_ADDED_TOKENS = 4096;
/** Characters of a word for WordPiece, whose cost grows with their cube; stock files say 100. */
export const MAX_WORD_CHARACTERS = 256;
/** Components nested inside or beside one another in one stage. */
export const MAX_COMPONENTS = 16;
/** Characters that a `Prepend`, `Replace` or `Strip` may insert. */
export const MAX_INSERTED_LENGTH = 64;
/** Characters to which normalisation may blow a text up (16 replacements in a row could multiply it without bound). */
export const MAX_NORMALIZED_LENGTH: number = 32 * MAX_TEXT_LENGTH;
/** Special tokens that a template puts around a text. */
export const MAX_TEMPLATE_TOKENS = 64;
