// Captions an image and answers a question about it.
//   node examples/caption.mjs [MODEL] [IMAGE]
import { fileURLToPath } from 'node:url';

import { Blip2 } from '@blip2/blip2';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [model = here('../apps/cli/models/blip2-opt-shapes'), image = here('left-of.png')] = process.argv.slice(2);

const blip2 = await Blip2.fromPretrained(model);
const caption = await blip2.caption(image);
const answer = await blip2.answer(image, 'what color is the triangle?');
console.log(caption.text);
console.log(answer.text);
await blip2.dispose();
