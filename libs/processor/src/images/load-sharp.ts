import { Blip2Error } from '@blip2/interfaces';
import type { Sharp, SharpOptions } from 'sharp';

export type SharpFactory = (input: Uint8Array, options: SharpOptions) => Sharp;

/**
 * Loaders of libvips that are blocked as soon as sharp is loaded here, by class name. libvips ignores names that it was
 * built without. These loaders recognise a file by more than fixed first bytes (`<svg` after any text, `%PDF` within
 * the first 32 bytes, ImageMagick's own list), so that they could take bytes with an allowed signature. All others need
 * a signature of their own, and stay available to the rest of the process: libvips blocks process-wide.
 */
export const BLOCKED_LOADERS: readonly string[] = [
  'VipsForeignLoadSvg',
  'VipsForeignLoadPdf',
  'VipsForeignLoadMagick',
  'VipsForeignLoadMagick7',
];

let isBlocked = false;

/**
 * Loads sharp on first use: importing this package must not start libvips. {@link BLOCKED_LOADERS} are blocked once per
 * thread, so that a process that needs one of them can unblock it afterwards.
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
      fix: 'Install with optional dependencies (npm install --include=optional): they hold the binary of your platform',
    });
  }
}
