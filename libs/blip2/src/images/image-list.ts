import { Blip2Error, mustBe } from '@blip2/interfaces';

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

/**
 * Checks a list of texts of the caller.
 * @throws Blip2Error `INVALID_ARGUMENT`.
 */
export function expectTexts(argument: string, texts: readonly string[]): void {
  if (!Array.isArray(texts)) throw mustBe(argument, 'a list of texts', texts);
  texts.forEach((text: unknown, index) => {
    if (typeof text !== 'string') throw mustBe(`${argument}[${index}]`, 'a text', text);
  });
}
