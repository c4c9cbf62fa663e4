import { Blip2Error } from '@blip2/interfaces';
import type { Sharp, SharpOptions } from 'sharp';

/** The function `sharp`, as far as it is used here. */
export type SharpFactory = (input: Uint8Array, options: SharpOptions) => Sharp;

/**
 * Class names of the libvips loaders that are blocked when sharp is loaded. libvips ignores names of loaders that it
 * was built without. These loaders detect files by more than fixed first bytes (`<svg` after any text, `%PDF` within
 * the first 32 bytes, ImageMagick's own list), so they could accept bytes with an allowed signature. All others require
 * a signature of their own and remain available to the process; libvips can only block for the whole process.
 */
export const BLOCKED_LOADERS: readonly string[] = [
  'VipsForeignLoadSvg',
  'VipsForeignLoadPdf',
  'VipsForeignLoadMagick',
  'VipsForeignLoadMagick7',
];

let isBlocked = false;

/**
 * Loads sharp on first use, so that importing this package does not start libvips. {@link BLOCKED_LOADERS} are blocked
 * once per thread, so that a process that needs one of them can unblock it afterwards.
 * @throws Blip2Error `UNSUPPORTED_IMAGE` if sharp cannot be loaded.
 */
export async function loadSharp(): Promise<SharpFactory> {
  try {
    const { default: sharp } = await import('sharp');
    if (!isBlocked) sharp.block({ operation: [...BLOCKED_LOADERS] });
    isBlocked = true;
    return sharp;
  } catch (cause) {
    throw new Blip2Error('UNSUPPORTED_IMAGE', 'The image decoder sharp could not be loaded', {
      cause,
      fix: 'Install optional dependencies (npm install --include=optional): they contain the binary for your platform',
    });
  }
}
