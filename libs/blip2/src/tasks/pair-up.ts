import { Blip2Error } from '@blip2/interfaces';

import type { KeptImage, TaskImage } from './encoded-image.ts';

/** One of each, all of one with the single other, or the lists side by side. */
export function pairUp<Image extends KeptImage>(
  images: readonly TaskImage<Image>[],
  texts: readonly string[],
): { readonly image: TaskImage<Image>; readonly text: string }[] {
  const count = Math.max(images.length, texts.length);
  const fits = (length: number): boolean => length === count || length === 1;
  if (!fits(images.length) || !fits(texts.length)) {
    throw new Blip2Error('INVALID_ARGUMENT', 'Images and questions do not pair up', {
      expected: 'one of either, or as many of both',
      got: `${images.length} and ${texts.length}`,
    });
  }
  return Array.from({ length: count }, (_, index) => {
    const image = images[images.length === 1 ? 0 : index];
    const text = texts[texts.length === 1 ? 0 : index];
    if (image === undefined || !text?.trim())
      throw new Blip2Error('INVALID_ARGUMENT', 'A question is empty', {
        where: `questions[${index}]`,
        fix: 'Ask something, or use caption',
      });
    return { image, text };
  });
}
