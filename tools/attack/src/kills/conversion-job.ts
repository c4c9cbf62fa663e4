/** Captions an image with the model of the first argument in `int8` and writes the result to the second. */
import { writeFile } from 'node:fs/promises';

import { Blip2 } from '@blip2/blip2';

const [model = '', image = '', output = ''] = process.argv.slice(2);
await using loaded = await Blip2.fromPretrained(model, { dtype: 'int8' });
const { text, tokenIds, score } = await loaded.caption(image, { maxNewTokens: 4 });
await writeFile(output, JSON.stringify({ text, tokenIds, score }));
