/**
 * The largest values that a configuration may have, far above any published model. They are checked before anything is
 * allocated, so that a hostile file results in an error and does not exhaust memory.
 */

/** Widths of hidden states, feed-forward layers and projections. The widest published layers have about 50,000. */
export const MAX_WIDTH: number = 2 ** 18;
/** Layers of one stack, and attention heads of one layer. The deepest published stacks have about 130. */
export const MAX_LAYERS: number = 1024;
export const MAX_HEADS: number = 1024;
/** Tokens of a vocabulary. The largest published ones have about 260,000. */
export const MAX_VOCABULARY: number = 2 ** 22;
/** Rows of a position embedding. */
export const MAX_POSITIONS: number = 2 ** 20;
/** Pixels per side. 16,384² exceeds the limit for decoded images. */
export const MAX_IMAGE_SIZE: number = 2 ** 14;
/** Color channels of an image. Published encoders have 3; some for satellite images have a dozen. */
export const MAX_CHANNELS: number = 64;
/** Learned queries. Published models have 32. */
export const MAX_QUERY_TOKENS: number = 4096;
/**
 * Largest token id. Ids are below the vocabulary size, but old files contain ids of other tokenizers; they must fit an
 * int32.
 */
export const MAX_TOKEN_ID: number = 2 ** 31 - 1;
