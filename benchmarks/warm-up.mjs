/**
 * The untimed start before a timed one: node benchmarks/warm-up.mjs FOLDER IMAGE DTYPE. Converts weights if they are
 * not yet converted, and brings into the file cache what a caption
 * reads. Two captions: weights in bytes are laid out, and kept so, after the first. Prints one JSON line, with
 * `convertMs` if weights were converted.
 */
import { Blip2 } from '@blip2/blip2';

const [folder, image, dtype] = process.argv.slice(2);
const started = performance.now();
let converted;
const onProgress = ({ stage }) => {
  if (stage === 'convert') converted = performance.now();
};
const blip2 = await Blip2.fromPretrained(folder, { dtype, onProgress });
for (let caption = 0; caption < 2; caption++) await blip2.caption(image, { minNewTokens: 2, maxNewTokens: 2 });
await blip2.dispose();
console.log(JSON.stringify(converted === undefined ? {} : { convertMs: Math.round(converted - started) }));
