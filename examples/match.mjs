// Scores images against texts, and retrieves the image of each text.
//   node examples/match.mjs [MODEL]
import { fileURLToPath } from 'node:url';

import { Blip2Retrieval } from '@blip2/blip2';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [model = here('../apps/cli/models/blip2-itm-shapes')] = process.argv.slice(2);
const names = ['one-large-star.png', 'three-of-a-kind.png', 'left-of.png'];
const texts = ['three green triangles', 'a large yellow star'];

const retrieval = await Blip2Retrieval.fromPretrained(model);
const images = names.map(here);
for (const [index, scores] of (await retrieval.match(images, texts)).entries()) {
  console.log(names[index], ...scores.map(({ itm, itc }) => `${itm.toFixed(2)} ${itc.toFixed(2)}`));
}
for (const [index, [best]] of (await retrieval.retrieve(images, texts, { topK: 2 })).entries())
  console.log(`${texts[index]}: ${names[best.index]}`);
await retrieval.dispose();
