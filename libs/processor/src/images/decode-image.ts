import type { ImageSource, RgbImage } from '@blip2/interfaces';

import { runImageTask } from '../threads/run-image-task.ts';

/** Options of `decodeImage`. */
export interface DecodeImageOptions {
  /** Apply the EXIF orientation. Default false, as in HF; that of TIFF is always applied. */
  readonly autoOrient?: boolean;
  /** Fetch http(s) URLs. Default false. `file:` URLs are paths and `data:` URLs are bytes: both are always read. */
  readonly allowUrls?: boolean;
  /**
   * Also fetch from addresses that are not public, such as this machine and its local network. Only safe for trusted
   * URLs. Default false.
   */
  readonly allowPrivateUrls?: boolean;
  /** Maximum number of pixels (width x height). Default {@link MAX_IMAGE_PIXELS}. */
  readonly maxPixels?: number;
  /**
   * Aborts waiting, reading and fetching at once. A decoder that is running cannot be stopped: the call fails at once,
   * and the decoder continues on its thread.
   */
  readonly signal?: AbortSignal;
}

/**
 * Decodes an image to 8-bit RGB values `[height, width, 3]`.
 *
 * 1. Detect the format by the first bytes; only JPEG, PNG, WebP, GIF, TIFF and AVIF are accepted.
 * 2. Check that the decoder detects the same format, and the number of pixels.
 * 3. Decode the first frame. Alpha is dropped, not blended; colour profiles are ignored; grey, palettes and CMYK are
 *    converted to RGB. Transparent pixels keep their colour, in GIF that of the transparent index.
 *
 * The result equals Pillow's `Image.open(…).convert("RGB")` for 8-bit JPEG, PNG, WebP, GIF and TIFF. It differs for
 * 16-bit grey (scaled instead of clipped) and AVIF (chroma upsampling). The first call blocks sharp's SVG loader for
 * the whole process, see the README. A sharp instance keeps its own limits, and its format is not checked.
 * @throws Blip2Error `MISSING_FILE` if the file cannot be read or fetched; `INVALID_IMAGE` for damaged files;
 * `UNSUPPORTED_IMAGE` for other formats, and for variants that the decoder lacks; `IMAGE_TOO_LARGE` beyond the limits;
 * `INVALID_ARGUMENT` for anything that is not an image and for URLs that are not allowed.
 */
export async function decodeImage(source: ImageSource, options: DecodeImageOptions = {}): Promise<RgbImage> {
  const { image } = await runImageTask(source, undefined, options);
  return image;
}
