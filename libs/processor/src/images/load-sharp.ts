import { Blip2Error } from '@blip2/interfaces';
import type { Sharp, SharpOptions } from 'sharp';

export type SharpFactory = (input: Uint8Array, options: SharpOptions) => Sharp;

/** Loads sharp on first use: importing this package must not start libvips. */
export async function loadSharp(): Promise<SharpFactory> {
  try {
    const { default: sharp } = await import('sharp');
    return sharp;
  } catch (cause) {
    throw new Blip2Error('UNSUPPORTED_IMAGE', 'The image decoder sharp could not be loaded', {
      cause,
      fix: 'Install with optional dependencies (npm install --include=optional): they hold the binary of your platform',
    });
  }
}
