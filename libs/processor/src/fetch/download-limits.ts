/** Maximum size of a fetched image and of a `data:` URL, in bytes, after decompression. */
export const MAX_DOWNLOAD_BYTES: number = 20 * 1024 * 1024;
