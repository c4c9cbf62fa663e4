/**
 * What a checkpoint may ask for, checked before anything is allocated. A BLIP-2 of 15 GB has some 1,250 tensors and a
 * header of 0.11 MB; the format itself allows a header of 100 MB, which costs seconds and hundreds of MB to parse.
 */
export const MAX_HEADER_BYTES: number = 25_000_000;
export const MAX_TENSORS: number = 200_000;
/** A tensor name of a deep model has some 90 characters. */
export const MAX_NAME_LENGTH: number = 1024;
/** Rank of a tensor. Images have 4 axes. */
export const MAX_RANK: number = 16;
/** An index lists each tensor once, with its file: some 150 bytes. */
export const MAX_INDEX_BYTES: number = 32_000_000;
export const MAX_SHARDS: number = 10_000;
/**
 * Bytes that are read, converted or written at a time: memory stays bounded whatever a tensor's size. A multiple of
 * every element size.
 */
export const CHUNK_BYTES: number = 2 ** 20;
