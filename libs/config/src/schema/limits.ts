/**
 * The largest values that a configuration may ask for, far above any published model: they are checked before anybody
 * allocates, so that a hostile file costs an error and not the machine's memory.
 */

/** Widths: of hidden states, feed-forward layers, projections. The widest published layers have some 50,000. */
export const MAX_WIDTH: number = 2 ** 18;
/** Layers of one stack, and heads of one attention. The deepest published stacks have some 130. */
export const MAX_LAYERS: number = 1024;
export const MAX_HEADS: number = 1024;
/** Words of a vocabulary. The largest published ones have some 260,000. */
export const MAX_VOCABULARY: number = 2 ** 22;
/** Rows of a table of positions. */
export const MAX_POSITIONS: number = 2 ** 20;
/** Pixels per side. 16,384² is above what an image may have at all. */
export const MAX_IMAGE_SIZE: number = 2 ** 14;
/** Colour channels of an image. Published encoders have 3, some for satellite images a dozen. */
export const MAX_CHANNELS: number = 64;
/** Learned queries. Published models have 32. */
export const MAX_QUERY_TOKENS: number = 4096;
/** Token ids are below the vocabulary, but old files carry ids of other tokenizers; they must fit an int32. */
export const MAX_TOKEN_ID: number = 2 ** 31 - 1;
