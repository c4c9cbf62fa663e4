import type { OpenPicture } from '../model/model-port.ts';
import { openPicture } from './open-picture.ts';

/** What a reading thread serves. */
export interface PicturePart {
  readonly open: OpenPicture;
}

/** Made by name in a thread of its own, by `createPartHost`. */
export function createPicturePart(): PicturePart {
  return { open: openPicture };
}
