import type { OpenImage } from '../model/model-port.ts';
import { openImage } from './open-image.ts';

/** What a reading thread serves. */
export interface ImagePart {
  readonly open: OpenImage;
}

/** Made by name in a thread of its own, by `createPartHost`. */
export function createImagePart(): ImagePart {
  return { open: openImage };
}
