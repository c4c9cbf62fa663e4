import { Blip2 } from '@blip2/blip2';
import type { PrecisionChoice } from '@blip2/interfaces';

/**
 * `warm-up.js FOLDER IMAGE DTYPE`: the untimed start before a timed one. Converts the weights if necessary and fills
 * the
 * file cache with what a caption reads. Two captions are generated, because int8 weights are prepacked, and the result
 * cached, after the first run. Prints one JSON line, with `convertMs` if weights were converted.
 */
export async function command([folder = '', image = '', dtype = 'fp32']: readonly string[]): Promise<void> {
  const started = performance.now();
  let converted: number | undefined;
  const blip2 = await Blip2.fromPretrained(folder, {
    dtype: dtype as PrecisionChoice,
    onProgress: ({ stage }) => {
      if (stage === 'convert') converted = performance.now();
    },
  });
  for (let caption = 0; caption < 2; caption++) await blip2.caption(image, { minNewTokens: 2, maxNewTokens: 2 });
  await blip2.dispose();
  console.log(JSON.stringify(converted === undefined ? {} : { convertMs: Math.round(converted - started) }));
}
