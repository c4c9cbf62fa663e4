/**
 * Limits on what a checkpoint may declare, checked before anything is allocated: about ten times what exists. A 15 GB
 * BLIP-2 has about 1,250 tensors and a header of 0.11 MB. The format allows headers of 100 MB, which take seconds and
 * hundreds of MB to parse.
 */
export const MAX_HEADER_BYTES: number = 2_000_000;
/** Maximum number of tensors in a file or index. */
export const MAX_TENSORS: number = 20_000;
/** Maximum number of entries in the `__metadata__` of a file. Training tools write up to 60. */
export const MAX_METADATA_ENTRIES: number = 1000;
/** Maximum length of a tensor name, in characters. Names in deep models have about 90. */
export const MAX_NAME_LENGTH: number = 1024;
/** Maximum rank of a tensor. Images have 4 axes; frameworks support up to 64. */
export const MAX_RANK: number = 1024;
/** Maximum size of a shard index. It lists each tensor with its file, about 150 bytes each. */
export const MAX_INDEX_BYTES: number = 4_000_000;
/** Maximum number of shards in an index. */
export const MAX_SHARDS: number = 1000;
/**
 * Number of bytes read, converted or written at a time, so that memory stays bounded for tensors of any size. A
 * multiple of every element size.
 */
export const CHUNK_BYTES: number = 2 ** 20;
