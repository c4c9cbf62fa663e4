// Encodes an image once, ranks answers to a question and streams a conversation.
//   node examples/conversation.mjs [MODEL] [IMAGE]
import { fileURLToPath } from 'node:url';

import { Blip2 } from '@blip2/blip2';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [model = here('../apps/cli/models/blip2-opt-shapes'), image = here('left-of.png')] = process.argv.slice(2);

const blip2 = await Blip2.fromPretrained(model);
const encoded = await blip2.encode(image);

for (const { text, probability } of await blip2.rank(encoded, 'what color is the triangle?', [
  'red',
  'blue',
  'green',
])) {
  console.log(`${text} ${probability.toFixed(2)}`);
}

const conversation = await blip2.chat(encoded);
for (const question of ['what shape is on the left?', 'how many objects are there?']) {
  process.stdout.write(`${question} `);
  for await (const piece of conversation.ask(question)) process.stdout.write(piece);
  process.stdout.write('\n');
}

await conversation.dispose();
await blip2.dispose();
