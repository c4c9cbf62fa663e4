import { Blip2Error } from '@blip2/interfaces';

/** Whether a task was called with a list of images, so that it returns a list of results. */
export function isImageList<Image>(images: Image | readonly Image[]): images is readonly Image[] {
  return Array.isArray(images);
}

/**
 * The result for a single image.
 * @throws Blip2Error `INVALID_ARGUMENT` if there is none.
 */
export function onlyResult<T>([result]: readonly T[]): T {
  if (result === undefined)
    throw new Blip2Error('INVALID_ARGUMENT', 'images must not be empty', { argument: 'images' });
  return result;
}
