import type { RgbImage } from '@blip2/interfaces';
import type { Resizing } from '@blip2/processor';

/** Size in pixels to which a model's image processor resizes every image, and its filter. */
export type { Resizing };

/** A small JPEG and its size in pixels. */
export interface Thumbnail {
  readonly jpeg: Uint8Array;
  readonly width: number;
  readonly height: number;
}

export interface OpenImageOptions {
  readonly resizing?: Resizing | undefined;
  /** Allow URLs of this machine and its network. */
  readonly allowPrivateUrls?: boolean | undefined;
  /** Also create a thumbnail. */
  readonly thumbnail?: boolean | undefined;
  readonly signal: AbortSignal;
}

/** A decoded image, and its size in pixels before resizing, after its EXIF orientation was applied. */
export interface OpenedImage {
  readonly image: RgbImage;
  readonly thumbnail?: Thumbnail;
  readonly width: number;
  readonly height: number;
}

/**
 * Decodes an image to 8-bit RGB values, upright, resized if requested.
 * @throws Blip2Error `INVALID_IMAGE`, `UNSUPPORTED_IMAGE`, `IMAGE_TOO_LARGE` or `MISSING_FILE`.
 */
export type OpenImage = (source: string | URL | Uint8Array, options: OpenImageOptions) => Promise<OpenedImage>;

/** Decodes images on other threads. */
export interface ImageReader extends AsyncDisposable {
  /** How many images are decoded at the same time. */
  readonly threads: number;
  readonly open: OpenImage;
}
