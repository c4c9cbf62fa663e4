import { Blip2Error, mustBe } from '@blip2/interfaces';

import type { KeptImage, TaskImage } from '../images/encoded-image.ts';
import { expectTexts } from '../images/image-list.ts';

/**
 * Pairs images with questions: the `i`-th with the `i`-th, or a single one with each of the others.
 * @throws Blip2Error `INVALID_ARGUMENT` if the lengths differ and neither is 1, or if a question is empty.
 */
export function pairUp<Image extends KeptImage>(
  images: readonly TaskImage<Image>[],
  texts: readonly string[],
): { readonly image: TaskImage<Image>; readonly text: string }[] {
  expectTexts('questions', texts);
  const count = Math.max(images.length, texts.length);
  const fits = (length: number): boolean => length === count || length === 1;
  if (!fits(images.length) || !fits(texts.length)) {
    throw new Blip2Error('INVALID_ARGUMENT', 'images and questions must have the same length, or length 1', {
      argument: 'questions',
      got: `${images.length} and ${texts.length}`,
    });
  }
  return Array.from({ length: count }, (_, index) => {
    const image = images[images.length === 1 ? 0 : index];
    const text = texts[texts.length === 1 ? 0 : index];
    if (image === undefined || typeof text !== 'string' || text.trim() === '')
      throw mustBe(`questions[${index}]`, 'a non-empty text', text, { fix: 'To describe the image, use caption' });
    return { image, text };
  });
}
