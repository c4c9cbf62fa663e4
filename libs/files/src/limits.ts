/**
 * Limits on what a checkpoint may declare, checked before anything is allocated. A 15 GB BLIP-2 has about 1,250 tensors
 * and a header of 0.11 MB. The format allows headers of 100 MB, which take seconds and hundreds of MB to parse.
 */
export const MAX_HEADER_BYTES: number = 25_000_000;
/** Maximum number of tensors in a file or index. */
export const MAX_TENSORS: number = 200_000;
/** Maximum length of a tensor name, in characters. Names in deep models have about 90. */
export const MAX_NAME_LENGTH: number = 1024;
/** Maximum rank of a tensor. Images have 4 axes. */
export const MAX_RANK: number = 16;
/** Maximum size of a shard index. It lists each tensor with its file, about 150 bytes each. */
export const MAX_INDEX_BYTES: number = 32_000_000;
/** Maximum number of shards in an index. */
export const MAX_SHARDS: number = 10_000;
/**
 * Number of bytes read, converted or written at a time, so that memory stays bounded for tensors of any size. A
 * multiple of every element size.
 */
export const CHUNK_BYTES: number = 2 ** 20;
